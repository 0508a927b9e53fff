// Who may not log in now, and the button that lets them.

import { TokenWanted, ask, change } from "./api.js";
import { cell, fill, find, make, small, span } from "./dom.js";
import { latest } from "./overview.js";

const KINDS = {
  account_from_network: "an account from one network",
  network: "a network, over all accounts",
  account: "an account from everywhere: one try a second",
};

let again = () => {};
let wanted = () => {};

/** `refresh` reads the list anew, `tokenWanted` asks the operator. */
export function watch(refresh, tokenWanted) {
  again = refresh;
  wanted = tokenWanted;
}

export async function lockouts() {
  const table = find("lockouts-table");
  const note = find("lockouts-note");
  try {
    const answer = await ask("lockouts");
    const readOnly = latest()?.read_only ?? true;
    find("lockouts-count").textContent = answer.total ? `(${answer.total})` : "";
    note.textContent = answer.total && readOnly ? "Read-only: set admin.token in the configuration to lift lockouts from here." : "";
    // whole seconds that count down would make every row a new one
    const rows = answer.lockouts.map(({ seconds_left: left, ...lockout }) => ({ ...lockout, readOnly, left: Math.ceil(left / 10) * 10 }));
    fill(table, rows, (lockout) => lockout.id, row, "Nobody is locked out.");
  } catch (error) {
    if (error instanceof TokenWanted || error instanceof TypeError) throw error;
    note.textContent = error.message;
    fill(table, [], String, row, "The lockouts are not known now.");
  }
}

function row(lockout) {
  const who = lockout.user ?? (lockout.kind === "network" ? "every account" : "an account that is not in the user list");
  const lift = () => liftOne(lockout, who);
  const label = `Lift the lockout of ${who}${lockout.network ? ` from ${lockout.network}` : ""}`;
  return make("tr", {},
    cell("Held", make("strong", {}, who), small(KINDS[lockout.kind])),
    cell("Network", lockout.network ?? "everywhere"),
    cell("Ends in", span(lockout.left)),
    make("td", {}, lockout.readOnly ? null : make("button", { type: "button", "aria-label": label, on: { click: lift } }, "Lift")),
  );
}

async function liftOne(lockout, who) {
  const said = find("lockouts-said");
  try {
    await change("lockouts/lift", { id: lockout.id });
    said.textContent = `Lifted: ${who}${lockout.network ? ` from ${lockout.network}` : ""}.`;
    again();
  } catch (error) {
    if (error instanceof TokenWanted) wanted(error);
    said.textContent = `Not lifted: ${error.message}`;
  }
}
