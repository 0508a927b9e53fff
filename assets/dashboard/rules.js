// Rules with what they have decided.

import { cell, code, fill, find, make, number, small, tag } from "./dom.js";
import { listing } from "./listing.js";

/** Asks again as soon as something else is searched. */
export function watch(refresh) {
  return listing("rules", refresh, (answer) => {
    fill(find("rules-table"), answer.rules, (rule) => `${rule.service} ${rule.name} ${rule.line}`, row, "No rule matches.");
  });
}

/** What a rule covers, as it is called where it has no name of its own. */
export function covers(rule) {
  return rule.path === null ? "no rule covers it" : `${rule.methods ? rule.methods.join(",") : "*"} ${rule.path}`;
}

function row(rule) {
  const request = covers(rule);
  return make("tr", {},
    cell("Rule", code(request), rule.mode === "report" ? " " : null, rule.mode === "report" ? tag("report", "warn") : null,
      small(rule.name && rule.name !== request ? `${rule.service} · ${rule.name}` : rule.service)),
    cell("Who may", rule.allow ?? "nobody", rule.rate ? small(rule.rate) : null),
    cell("Place", rule.file ? code(`${rule.file.split("/").at(-1)}:${rule.line}`) : "–"),
    number("Hits", rule.total),
    number("Denied", rule.denied),
    number("Would be denied", rule.would_be_denied),
  );
}
