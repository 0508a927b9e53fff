// Elements from data. Data only ever becomes text: there is no way from here to markup.

/** An element with a class, attributes, and children; children that are no nodes become text, `null` is left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function find(id) {
  return document.getElementById(id);
}

const drawn = new WeakMap();

/** Fills a table's body. A row whose data is as before stays as it is, with its focus and its selection. */
export function fill(table, items, key, row, empty) {
  const body = table.tBodies[0];
  const before = drawn.get(body) ?? new Map();
  const after = new Map();
  const seen = new Map();
  for (const item of items) {
    const name = key(item);
    const turn = seen.get(name) ?? 0;
    seen.set(name, turn + 1);
    const place = `${turn} ${name}`;
    const text = JSON.stringify(item);
    const old = before.get(place);
    after.set(place, old?.text === text ? old : { text, element: row(item) });
  }
  const rows = [...after.values()].map((entry) => entry.element);
  if (rows.length === 0) {
    const columns = table.tHead.rows[0]?.cells.length || 1;
    rows.push(make("tr", { class: "empty" }, make("td", { colspan: columns }, empty)));
  }
  place(body, rows);
  drawn.set(body, after);
}

/** Puts the rows in order and moves none that is in its place: a moved element loses the focus. */
function place(body, rows) {
  const wanted = new Set(rows);
  for (const row of [...body.children]) if (!wanted.has(row)) row.remove();
  rows.forEach((row, index) => {
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
}

/** A cell that says its column on a narrow screen. */
export function cell(label, ...children) {
  return make("td", { "data-label": label }, make("div", {}, ...children));
}

export function number(label, value) {
  return make("td", { "data-label": label, class: "number" }, count(value));
}

export function tag(text, kind) {
  return make("span", { class: `tag ${kind}` }, text);
}

export function small(...children) {
  return make("small", {}, ...children);
}

export function code(text) {
  return make("code", {}, text);
}

/** A message of the gateway: what stands in backticks is code. */
export function marked(text) {
  return text.split("`").map((part, index) => (index % 2 ? code(part) : part));
}

/** An id by its end, in which ids differ: they begin alike. The whole one is its title. */
export function id(text) {
  return make("code", { title: text }, text.slice(-8));
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A number in full; with `digits` also what stands behind the point, as far as it is not zero. */
export function count(value, digits = 0) {
  return (digits ? exact : whole).format(value);
}

/** A rate or a time: as many digits as say something. */
export function short(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10_000) return `${short(value / 1000)}k`;
  if (value >= 100 || value === 0) return whole.format(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function clock(milliseconds) {
  const date = new Date(milliseconds);
  const two = (part) => String(part).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function day(seconds) {
  const date = new Date(seconds * 1000);
  return make("time", { datetime: date.toISOString() }, date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
}

/** `1 h 5 min`. */
export function span(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  const [size, unit] = parts[first];
  const [next, smaller] = parts[first + 1] ?? [];
  const rest = next ? Math.floor((seconds % size) / next) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}

/** What a decision is called, and how bad it is. */
export function decision(name) {
  const kinds = { allowed: "good", reported: "warn", unauthenticated: "warn", forbidden: "bad" };
  const names = { reported: "would be denied", bad_request: "bad request", not_found: "not found" };
  return tag(names[name] ?? name, kinds[name] ?? "");
}

/** Buttons for the pages of a list. */
export function pager(element, page, size, go) {
  const { total, offset, shown } = page;
  const step = (text, to, possible) => make("button", { type: "button", disabled: !possible, on: { click: () => go(to) } }, text);
  const said = total === 0 ? "" : `${count(offset + 1)}–${count(offset + shown)} of ${count(total)}`;
  const text = JSON.stringify([said, offset, total]);
  if (element.dataset.drawn === text) return;
  element.dataset.drawn = text;
  const buttons = total > size
    ? [step("Previous", Math.max(0, offset - size), offset > 0), step("Next", offset + size, offset + shown < total)]
    : [];
  element.replaceChildren(make("span", {}, said), ...buttons);
}
