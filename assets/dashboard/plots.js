// Traffic: the last minutes as plots, and the present as figures.

import { ask } from "./api.js";
import { count, find, make, short } from "./dom.js";
import { Plot } from "./plot.js";

const sum = (...columns) => columns[0].map((_, index) => columns.reduce((total, column) => total + column[index], 0));

/** The gateway takes one every two seconds; logins are counted in each. */
const SAMPLES_A_MINUTE = 30;

/** From an answer of the API to the columns of each plot. */
const PLOTS = [
  {
    id: "plot-requests",
    title: "Requests",
    unit: "a second",
    least: 1,
    series: [{ name: "all" }, { name: "own endpoints" }, { name: "5xx answers" }],
    columns: ({ requests_per_second: by, server_errors_per_second: errors }) => [sum(...Object.values(by)), by.gateway, errors],
  },
  {
    id: "plot-refused",
    title: "Refused",
    unit: "a second",
    least: 1,
    series: [{ name: "401 unauthenticated" }, { name: "malformed or unrouted" }, { name: "403 forbidden" }, { name: "would be denied" }],
    columns: ({ requests_per_second: by }) => [
      by.unauthenticated, sum(by.bad_request, by.not_found, by.limited), by.forbidden, by.reported,
    ],
  },
  {
    id: "plot-latency",
    title: "Latency",
    unit: "milliseconds, estimated from buckets",
    least: 1,
    series: [{ name: "p50" }, { name: "p95" }, { name: "p99" }],
    columns: ({ latency_milliseconds: by }) => [by.p50, by.p95, by.p99],
  },
  {
    id: "plot-logins",
    title: "Logins",
    unit: "a minute",
    least: 30,
    series: [{ name: "successful" }, { name: "other" }, { name: "wrong" }, { name: "locked out" }],
    columns: ({ logins: by }) => [
      by.success, sum(by.busy, by.unavailable, by.malformed, by.failed), by.invalid, by.locked_out,
    ].map((column) => column.map((logins) => logins * SAMPLES_A_MINUTE)),
  },
];

const plots = PLOTS.map((plot) => new Plot(find(plot.id), plot));
let known = null;
let minutes = 5;

for (const button of document.querySelectorAll("[data-minutes]")) {
  button.addEventListener("click", () => {
    minutes = Number(button.dataset.minutes);
    for (const other of document.querySelectorAll("[data-minutes]")) other.setAttribute("aria-pressed", other === button);
    if (known) draw();
  });
}

/** Asks for what is new, and draws. */
export async function traffic() {
  const answer = await ask("history", { after: known?.next ?? 0 });
  known = join(known, answer);
  draw();
}

/** The new samples after the old ones; from another process the old ones do not count. */
function join(before, answer) {
  if (!before || before.started !== answer.started || answer.first !== before.next) return answer;
  const append = (old, fresh) => {
    if (Array.isArray(fresh)) return [...old, ...fresh].slice(-answer.kept);
    return Object.fromEntries(Object.keys(fresh).map((key) => [key, append(old[key], fresh[key])]));
  };
  const grown = {};
  for (const [key, value] of Object.entries(answer)) grown[key] = typeof value === "object" ? append(before[key], value) : value;
  return grown;
}

function draw() {
  const end = known.at.at(-1) ?? Date.now();
  const start = end - minutes * 60_000;
  const from = Math.max(0, known.at.findIndex((at) => at >= start));
  const cut = (column) => column.slice(from);
  PLOTS.forEach((plot, index) => plots[index].show(cut(known.at), plot.columns(known).map(cut), start, end));
  tiles();
}

function tiles() {
  const last = (column) => column.at(-1) ?? 0;
  const by = known.requests_per_second;
  const all = Object.values(by).reduce((total, column) => total + last(column), 0);
  const refused = ["unauthenticated", "forbidden", "bad_request", "not_found", "limited"].reduce((total, key) => total + last(by[key]), 0);
  const errors = last(known.server_errors_per_second);
  const { p50, p99 } = known.latency_milliseconds;
  const tile = (name, value, unit, alert) =>
    make("div", { class: alert ? "alert" : "" }, make("dt", {}, name), make("dd", {}, value, " ", make("small", {}, unit)));
  find("tiles").replaceChildren(
    tile("Requests", short(all), "/s"),
    tile("Refused", short(refused), "/s"),
    tile("5xx answers", short(errors), "/s", errors > 0),
    tile("Median", short(p50.at(-1)), "ms"),
    tile("p99", short(p99.at(-1)), "ms"),
    tile("Client connections", count(last(known.connections)), "open"),
  );
}
