// What happened last: denials and logins.

import { ask } from "./api.js";
import { cell, clock, code, count, decision, fill, find, id, make, marked, small, tag } from "./dom.js";

/** Entries that are shown; what is searched is all that the gateway remembers. */
const SHOWN = 30;

const form = find("denials-form");

export function watch(refresh) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", refresh);
}

export async function denials() {
  const all = together((await ask("denials", { limit: 200 })).denials, ["decision", "status", "method", "host", "path", "rule", "reason", "user", "client"]);
  const words = new FormData(form).get("q").toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one) => Object.values(one).join(" ").toLowerCase();
  const found = all.filter((one) => words.every((word) => text(one).includes(word))).slice(0, SHOWN);
  fill(find("denials-table"), found, (one) => one.key, denial, all.length ? "No denial matches." : "Nothing was denied since the start.");
}

/** What differs in its time only becomes one entry, in the place of its latest; `key` says what it is. */
function together(all, parts) {
  const kinds = new Map();
  for (const one of all) {
    const key = JSON.stringify(parts.map((part) => one[part]));
    const known = kinds.get(key);
    if (known) known.times += one.times;
    else kinds.set(key, { ...one, key });
  }
  return [...kinds.values()];
}

function times(one) {
  return one.times > 1 ? small(make("span", { title: `${count(one.times)} times lately` }, `${count(one.times)} times`)) : null;
}

function denial(one) {
  return make("tr", {},
    cell("Time", clock(one.at), times(one)),
    cell("Answer", one.status ? `${one.status}` : "none", " ", decision(one.decision)),
    cell("Request", code(`${one.method} ${one.path}`), small(one.host)),
    cell("Reason", ...marked(one.reason ?? "–")),
    cell("Rule", one.rule ? code(one.rule) : "none", small(one.service ?? "no service", one.file ? ` · ${one.file.split("/").at(-1)}:${one.line}` : "")),
    cell("Who", one.user ?? "anonymous", small(one.client, " · ", id(one.request_id))),
  );
}

const EVENTS = {
  login: ["logged in", "good"],
  login_failed: ["login failed", "bad"],
  second_factor_required: ["second factor asked for", ""],
  refresh_failed: ["refresh failed", "warn"],
  logout: ["logged out", ""],
};

export async function logins() {
  const all = together((await ask("logins", { limit: 200 })).logins, ["event", "reason", "user", "provider", "client"]);
  fill(find("logins-table"), all.slice(0, SHOWN), (one) => one.key, login, "Nobody has logged in since the start.");
}

function login(one) {
  const [name, kind] = EVENTS[one.event] ?? [one.event, ""];
  return make("tr", {},
    cell("Time", clock(one.at), times(one)),
    cell("What", tag(name, kind), one.reason ? small(one.reason.replaceAll("_", " ")) : null),
    cell("User", one.user ?? "–", one.provider ? small(`with ${one.provider}`) : null),
    cell("Client", one.client),
  );
}
