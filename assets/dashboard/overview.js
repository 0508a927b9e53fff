// Is all well: the state in the header, and the services with their servers.

import { ask } from "./api.js";
import { cell, fill, find, make, number, small, span, tag } from "./dom.js";

let told = null;

/** What the last overview said. */
export function latest() {
  return told;
}

export async function overview() {
  told = await ask("overview");
  state(told);
  fill(find("services-table"), told.services, (service) => service.name, service, "No services.");
  return told;
}

function state(answer) {
  const failed = Object.entries(answer.checks).filter(([, said]) => said !== "ok").map(([name, said]) => `${name}: ${said}`);
  const refused = answer.configuration.last_reload?.outcome === "refused";
  const out = answer.services.flatMap((one) => one.servers).filter((server) => server.share === 0).length;
  const notes = [...failed];
  if (refused) notes.push("the files have problems");
  if (out) notes.push(out === 1 ? "1 server is out" : `${out} servers are out`);
  pill(notes.length ? notes.join(", ") : "ready", failed.length ? "bad" : notes.length ? "warn" : "good");
  find("age").textContent = `${answer.version}, up ${span(Math.max(0, Math.floor(answer.now / 1000) - answer.started))}`;
}

/** The one word on top; screen readers hear it when it changes. */
export function pill(text, kind) {
  const element = find("state");
  if (element.textContent !== text) element.textContent = text;
  element.className = `pill ${kind}`;
}

function service(one) {
  const where = `${one.hosts.length ? one.hosts.join(", ") : "any host"} ${one.path}`;
  const { allowed = 0, reported = 0, unauthenticated = 0, forbidden = 0 } = one.hits;
  return make("tr", {},
    cell("Service", make("strong", {}, one.name), one.mode === "report" ? " " : null, one.mode === "report" ? tag("report mode", "warn") : null),
    cell("Where", where, small(one.rules === 1 ? "1 rule" : `${one.rules} rules`)),
    cell("Servers", make("ul", { class: "servers" }, ...one.servers.map(server))),
    number("Allowed", allowed),
    number("Denied", unauthenticated + forbidden),
    number("Would be denied", reported),
  );
}

function server(one) {
  const up = one.state === "up";
  const returning = up && one.share < 1;
  const text = returning ? `returning, ${Math.round(one.share * 100)} %` : one.state;
  const kind = !up ? "bad" : returning ? "warn" : "good";
  return make("li", {}, tag(`${one.server}: ${text}`, kind));
}
