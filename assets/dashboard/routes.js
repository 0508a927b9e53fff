// Who can do what: rules and roles.

import { code, fill, find, make, small, tag } from "./dom.js";
import { listing } from "./listing.js";
import { covers } from "./rules.js";

export function watch(refresh) {
  return listing("routes", refresh, (answer) => {
    head(answer.audiences);
    const rules = answer.rules.map((rule) => ({ ...rule, audiences: answer.audiences }));
    fill(find("routes-table"), rules, (rule) => `${rule.service} ${rule.name}`, row, "No rule matches.");
    find("routes-note").textContent = answer.roles_left_off ? `${answer.roles_left_off} further roles are not shown; gatelatch routes prints them all.` : "";
  });
}

function head(audiences) {
  const names = audiences.map((audience) => audience.name);
  const table = find("routes-table");
  const text = JSON.stringify(names);
  if (table.dataset.head === text) return;
  table.dataset.head = text;
  const heads = ["Rule", ...names].map((name) => make("th", { scope: "col" }, name));
  table.tHead.replaceChildren(make("tr", {}, ...heads));
}

function row(rule) {
  return make("tr", {},
    make("td", {}, code(covers(rule)), small(rule.service, rule.mode === "report" ? " (only reported)" : "")),
    ...rule.access.map(access),
  );
}

function access(answer) {
  if (answer === true) return make("td", {}, tag("yes", "good"));
  if (answer === false) return make("td", {}, make("span", { class: "quiet" }, "no"));
  return make("td", {}, tag("if", "warn"), ...answer.map((condition, index) => small(index ? `or ${condition}` : condition)));
}
