// The gateway's API: what it says, and whether it can be reached at all.

/** How long an answer may take, in milliseconds. */
const PATIENCE = 5000;

/** Kept here and nowhere else: it is gone with the page. */
let token = "";

/** The gateway wants a token, or another one. */
export class TokenWanted extends Error {}

/** The gateway has answered, and refused. */
export class Refused extends Error {}

export function useToken(text) {
  token = text;
}

export function hasToken() {
  return token !== "";
}

/** Asks for a path below `/api/` with these parameters; empty ones are left out. */
export function ask(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return send(query ? `${path}?${query}` : path, { method: "GET" });
}

/** Changes something. */
export function change(path, body) {
  const headers = { "Content-Type": "application/json" };
  return send(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function send(path, options) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const signal = AbortSignal.timeout(PATIENCE);
  const answer = await fetch(`/api/${path}`, { ...options, headers, signal, cache: "no-store", credentials: "omit" });
  const said = await answer.json();
  if (answer.ok) return said;
  if (answer.status === 401) throw new TokenWanted(said.detail);
  throw new Refused(said.detail);
}
