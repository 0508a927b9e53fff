// Who has a second factor.

import { TokenWanted, ask } from "./api.js";
import { cell, fill, find, make } from "./dom.js";

export async function factors() {
  const table = find("factors-table");
  try {
    const answer = await ask("factors");
    const people = new Map(answer.listed.users.map((user) => [user, { user, listed: true }]));
    for (const one of answer.factors) {
      people.set(one.user, { ...one, listed: people.get(one.user)?.listed ?? false });
    }
    const all = [...people.values()].filter((one) => one.listed || one.totp || one.keys);
    all.sort((one, other) => one.user.localeCompare(other.user));
    const more = answer.next !== null || answer.listed.total > answer.listed.users.length;
    find("factors-count").textContent = all.length ? `(${all.length}${more ? "+" : ""})` : "";
    fill(table, all, (one) => one.user, row, "Nobody has one.");
  } catch (error) {
    if (error instanceof TokenWanted || error instanceof TypeError) throw error;
    fill(table, [], String, row, "Who has one is not known now.");
  }
}

function row(one) {
  const app = [one.listed && "user list", one.totp && "added"].filter(Boolean).join(", ");
  return make("tr", {},
    cell("User", make("strong", {}, one.user)),
    cell("App", app || "–"),
    cell("Passkeys", one.keys ? String(one.keys) : "–"),
    cell("Recovery codes", one.recovery_codes ? String(one.recovery_codes) : "–"),
  );
}
