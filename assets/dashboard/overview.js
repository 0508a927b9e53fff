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
  const servers = answer.services.flatMap((one) => one.servers);
  const failing = servers.filter((server) => server.state === "failing").length;
  const out = servers.filter((server) => server.share === 0).length;
  const said = (number, what) => (number === 1 ? `1 server is ${what}` : `${number} servers are ${what}`);
  const notes = failed.map((text) => [text, null]);
  if (refused) notes.push(["the files have problems", "configuration"]);
  if (failing) notes.push([said(failing, "failing"), "services"]);
  if (out) notes.push([said(out, "out"), "services"]);
  const kind = failed.length || failing ? "bad" : notes.length ? "warn" : "good";
  pill(notes.length ? notes.map(([text]) => text).join(", ") : "ready", kind, notes.find(([, section]) => section)?.[1]);
  find("age").textContent = `${answer.version}, up ${span(Math.max(0, Math.floor(answer.now / 1000) - answer.started))}`;
}

/** The one word on top; screen readers hear it when it changes. It leads to the section where the problem is. */
export function pill(text, kind, section) {
  const element = find("state");
  const drawn = JSON.stringify([text, section]);
  if (element.dataset.drawn !== drawn) {
    element.dataset.drawn = drawn;
    element.replaceChildren(section ? make("a", { href: `#${section}` }, text) : text);
  }
  element.className = `pill ${kind}`;
}

function service(one) {
  const where = `${one.hosts.length ? one.hosts.join(", ") : "any host"} ${one.path}`;
  const { allowed = 0, reported = 0, unauthenticated = 0, forbidden = 0 } = one.hits;
  return make("tr", {},
    cell("Service", make("strong", {}, one.name), one.mode === "report" ? " " : null, one.mode === "report" ? tag("report mode", "warn") : null),
    cell("Where", where, small(one.rules === 1 ? "1 rule" : `${one.rules} rules`), one.rate ? small(one.rate) : null),
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
