// What is in force, and how the last reload ended.

import { ask } from "./api.js";
import { code, count, day, find, make, marked, small, tag } from "./dom.js";

const OUTCOMES = {
  applied: ["applied", "good"],
  unchanged: ["nothing had changed", "good"],
  refused: ["refused: the former configuration stays in force", "bad"],
};

export async function configuration() {
  const answer = await ask("configuration");
  const last = answer.last_reload;
  const [outcome, kind] = OUTCOMES[last?.outcome] ?? ["none since the start", ""];
  const facts = [
    ["Digest", code(answer.digest)],
    ["In force since", day(answer.loaded_at)],
    ["Users", count(answer.users)],
    ["Last reload", make("span", {}, tag(outcome, kind), last ? " " : null, last ? day(last.at) : null)],
  ];
  if (answer.restart_needed) facts.push(["Restart", tag("needed: some of the new settings take effect at the next start only", "warn")]);
  find("configuration-facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  find("configuration-problems").replaceChildren(
    ...list("Problems of the last reload", answer.problems, last?.problems ?? 0),
    ...list("Warnings of what is in force", answer.warnings, answer.warnings_total),
  );
}

function list(title, problems, total) {
  if (problems.length === 0) return [];
  const more = total > problems.length ? make("p", { class: "quiet" }, `${count(total - problems.length)} more are in the log.`) : null;
  return [make("h3", {}, title), make("ul", { class: "problems" }, ...problems.map(problem)), more].filter(Boolean);
}

function problem(one) {
  const place = one.place ? `${one.place.file}:${one.place.line}:${one.place.column}` : "";
  return make("li", { class: `${one.severity}-item` },
    make("strong", {}, `${one.severity}[${one.code}]`), " ", ...marked(one.message),
    small(code(place)),
    one.help ? small("help: ", ...marked(one.help)) : null,
  );
}
