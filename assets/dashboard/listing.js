// A table that is searched, and turned over page by page.

import { ask } from "./api.js";
import { find, pager } from "./dom.js";

const SIZE = 50;

/** Reads the list of this name as its form says, and shows it; `refresh` is called where the form says something else. */
export function listing(name, refresh, show) {
  const form = find(`${name}-form`);
  const pages = document.querySelector(`[data-for="${name}"]`);
  let offset = 0;
  const go = (to) => {
    offset = to;
    refresh();
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => go(0));
  return async () => {
    const answer = await ask(name, { ...Object.fromEntries(new FormData(form)), offset, limit: SIZE });
    show(answer);
    pager(pages, { total: answer.total, offset: answer.offset, shown: answer.rules.length }, SIZE, go);
  };
}
