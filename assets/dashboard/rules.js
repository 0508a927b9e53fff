// Rules with what they have decided.

import { ask } from "./api.js";
import { cell, code, fill, find, make, number, pager, small, tag } from "./dom.js";

const SIZE = 50;
const form = find("rules-form");
const pages = document.querySelector('[data-for="rules"]');
let offset = 0;

/** Asks again as soon as something else is searched. */
export function watch(refresh) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    offset = 0;
    refresh();
  });
  const go = (to) => {
    offset = to;
    refresh();
  };
  return async function rules() {
    const fields = Object.fromEntries(new FormData(form));
    const answer = await ask("rules", { ...fields, offset, limit: SIZE });
    fill(find("rules-table"), answer.rules, (rule) => `${rule.service} ${rule.name} ${rule.line}`, row, "No rule matches.");
    pager(pages, { total: answer.total, offset: answer.offset, shown: answer.rules.length }, SIZE, go);
  };
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
    cell("Who may", rule.allow ?? "nobody"),
    cell("Place", rule.file ? code(`${rule.file.split("/").at(-1)}:${rule.line}`) : "–"),
    number("Hits", rule.total),
    number("Denied", rule.denied),
    number("Would be denied", rule.would_be_denied),
  );
}
