// Who can do what: rules and roles.

import { ask } from "./api.js";
import { code, fill, find, make, pager, small, tag } from "./dom.js";
import { covers } from "./rules.js";

const SIZE = 50;
const form = find("routes-form");
const pages = document.querySelector('[data-for="routes"]');
let offset = 0;

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
  return async function routes() {
    const fields = Object.fromEntries(new FormData(form));
    const answer = await ask("routes", { ...fields, offset, limit: SIZE });
    head(answer.audiences);
    const rules = answer.rules.map((rule) => ({ ...rule, audiences: answer.audiences }));
    fill(find("routes-table"), rules, (rule) => `${rule.service} ${rule.name}`, row, "No rule matches.");
    pager(pages, { total: answer.total, offset: answer.offset, shown: answer.rules.length }, SIZE, go);
    find("routes-note").textContent = answer.roles_left_off ? `${answer.roles_left_off} further roles are not shown; gatelatch routes prints them all.` : "";
  };
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
