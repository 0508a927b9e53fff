// What happened last: denials and logins.

import { ask } from "./api.js";
import { cell, clock, code, decision, fill, find, make, small, tag } from "./dom.js";

const form = find("denials-form");

export function watch(refresh) {
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", refresh);
}

export async function denials() {
  const { denials: all } = await ask("denials", { limit: 200 });
  const words = new FormData(form).get("q").toLowerCase().split(/\s+/).filter(Boolean);
  const text = (one) => Object.values(one).join(" ").toLowerCase();
  const found = all.filter((one) => words.every((word) => text(one).includes(word))).slice(0, 50);
  fill(find("denials-table"), found, (one) => one.request_id, denial, all.length ? "No denial matches." : "Nothing was denied since the start.");
}

function times(one) {
  return one.times > 1 ? small(`${one.times} times in a row`) : null;
}

function denial(one) {
  return make("tr", {},
    cell("Time", clock(one.at), times(one)),
    cell("Answer", decision(one.decision), one.status ? `${one.status}` : "none"),
    cell("Request", code(`${one.method} ${one.path}`), small(one.host)),
    cell("Reason", one.reason ?? "–"),
    cell("Rule", one.rule ? code(one.rule) : "none", small(one.service ?? "no service", one.file ? ` · ${one.file.split("/").at(-1)}:${one.line}` : "")),
    cell("Who", one.user ?? "anonymous", small(one.client, " · ", code(one.request_id))),
  );
}

const EVENTS = {
  login: ["logged in", "good"],
  login_failed: ["login failed", "bad"],
  refresh_failed: ["refresh failed", "warn"],
  logout: ["logged out", ""],
};

export async function logins() {
  const { logins: all } = await ask("logins", { limit: 30 });
  fill(find("logins-table"), all, (one) => `${one.event} ${one.user} ${one.client}`, login, "Nobody has logged in since the start.");
}

function login(one) {
  const [name, kind] = EVENTS[one.event] ?? [one.event, ""];
  return make("tr", {},
    cell("Time", clock(one.at), times(one)),
    cell("What", tag(name, kind), one.reason ? small(one.reason.replaceAll("_", " ")) : null),
    cell("User", one.user ?? "–"),
    cell("Client", one.client),
  );
}
