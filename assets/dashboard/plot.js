// One plot: lines over time, with axes, a legend, and the values under the pointer or the arrow keys.

import { clock, count, make, short } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 190;
const MARGIN = { top: 8, right: 8, bottom: 22, left: 46 };

function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Round values from 0 to `top`: 1, 2 or 5 times a power of ten apart. */
function ticks(top) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const values = [];
  for (let value = 0; value < top + step * 0.999; value += step) values.push(Number(value.toPrecision(6)));
  return values;
}

export class Plot {
  /** `series`: `{ key, name }`, drawn in the order of their colours; `least`: what the axis reaches at least. */
  constructor(figure, { title, unit, series, least }) {
    Object.assign(this, { figure, title, unit, series, least });
    this.svg = shape("svg", { role: "img", tabindex: "0", focusable: "true" });
    this.values = series.map(() => make("b", {}, "–"));
    const legend = series.map(({ name }, index) => make("li", {}, this.sample(index), `${name} `, this.values[index]));
    this.when = make("small", {});
    figure.replaceChildren(
      make("figcaption", {}, `${title} `, make("small", {}, unit), " ", this.when),
      this.svg,
      make("ul", { class: "legend" }, ...legend),
    );
    this.samples = { at: [], columns: series.map(() => []) };
    this.cursor = null;
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  sample(index) {
    const line = shape("line", { class: `line ${this.look(index)}`, x1: 1, x2: 25, y1: 4, y2: 4 });
    return shape("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" }, line);
  }

  look(index) {
    return `s${index + 1} d${index + 1}`;
  }

  listen() {
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.release());
    this.svg.addEventListener("blur", () => this.release());
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || this.samples.at.length === 0) return;
      event.preventDefault();
      const last = this.samples.at.length - 1;
      this.cursor = Math.min(last, Math.max(0, (this.cursor ?? last) + step));
      this.draw();
    });
  }

  release() {
    this.cursor = null;
    this.draw();
  }

  point(x) {
    const { at } = this.samples;
    if (at.length === 0) return;
    const time = this.start + ((x - MARGIN.left) / this.width) * (this.end - this.start);
    let nearest = 0;
    for (let index = 1; index < at.length; index += 1) {
      if (Math.abs(at[index] - time) < Math.abs(at[nearest] - time)) nearest = index;
    }
    this.cursor = nearest;
    this.draw();
  }

  /** Shows samples: their times in milliseconds, and a column of values for each series. */
  show(at, columns, start, end) {
    this.samples = { at, columns };
    Object.assign(this, { start, end });
    if (this.cursor !== null && this.cursor >= at.length) this.cursor = null;
    this.draw();
  }

  draw() {
    const whole = this.svg.clientWidth;
    if (whole === 0 || this.end === undefined) return;
    this.width = Math.max(10, whole - MARGIN.left - MARGIN.right);
    this.svg.setAttribute("viewBox", `0 0 ${whole} ${HEIGHT}`);
    const values = this.samples.columns.flat().filter((value) => value !== null);
    const marks = ticks(Math.max(this.least, ...values));
    this.top = marks.at(-1);
    const lines = this.samples.columns.map((column, index) => this.line(column, index)).reverse();
    this.svg.replaceChildren(...this.axes(marks), ...lines.flat(), ...this.cross());
    this.tell();
  }

  x(time) {
    return MARGIN.left + ((time - this.start) / (this.end - this.start)) * this.width;
  }

  y(value) {
    return HEIGHT - MARGIN.bottom - (value / this.top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  axes(marks) {
    const right = MARGIN.left + this.width;
    const rows = marks.flatMap((value) => {
      const y = Math.round(this.y(value)) + 0.5;
      return [
        shape("line", { class: value === 0 ? "axis" : "grid", x1: MARGIN.left, x2: right, y1: y, y2: y }),
        shape("text", { x: MARGIN.left - 6, y: y + 4, "text-anchor": "end" }, value >= 10_000 ? short(value) : count(value, 2)),
      ];
    });
    const apart = (this.end - this.start) / (this.width < 420 ? 3 : 5);
    const step = [30, 60, 120, 180, 300].map((seconds) => seconds * 1000).find((one) => one >= apart * 0.8) ?? 300_000;
    const columns = [];
    for (let time = Math.ceil(this.start / step) * step; time <= this.end; time += step) {
      const x = this.x(time);
      if (x > MARGIN.left + 14 && x < right - 14) {
        columns.push(shape("line", { class: "axis", x1: x, x2: x, y1: this.y(0), y2: this.y(0) + 4 }));
        columns.push(shape("text", { x, y: HEIGHT - 5, "text-anchor": "middle" }, clock(time).replace(/:00$/, "")));
      }
    }
    return [...rows, ...columns];
  }

  /** A line, broken where nothing is known, and for the first series the ground below it. */
  line(column, index) {
    const pieces = [[]];
    column.forEach((value, place) => {
      const time = this.samples.at[place];
      if (value === null || time < this.start) pieces.push([]);
      else pieces.at(-1).push([this.x(time).toFixed(1), this.y(value).toFixed(1)]);
    });
    const drawn = pieces.filter((piece) => piece.length > 0);
    // a single value is a dot, and not nothing
    const path = drawn.map((piece) => `M${piece.map((at) => at.join(",")).join("L")}${piece.length === 1 ? "h1" : ""}`).join("");
    const shapes = [shape("path", { class: `line ${this.look(index)}`, d: path, "data-points": drawn.flat().length })];
    if (index === 0 && path) {
      const ground = drawn.map((piece) => `M${piece[0][0]},${this.y(0)}L${piece.map((at) => at.join(",")).join("L")}V${this.y(0)}Z`);
      shapes.unshift(shape("path", { class: `fill ${this.look(index)}`, d: ground.join("") }));
    }
    return shapes;
  }

  cross() {
    if (this.cursor === null) return [];
    const x = this.x(this.samples.at[this.cursor]);
    const dots = this.samples.columns.map((column, index) => {
      const value = column[this.cursor];
      return value === null ? null : shape("circle", { class: this.look(index), cx: x, cy: this.y(value), r: 3 });
    });
    return [shape("line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: this.y(0) }), ...dots.filter(Boolean)];
  }

  /** The values under the cursor, else the last ones: in the legend, and for those who do not see the lines. */
  tell() {
    const place = this.cursor ?? this.samples.at.length - 1;
    const said = this.series.map(({ name }, index) => {
      const value = short(this.samples.columns[index][place]);
      this.values[index].textContent = value;
      return `${name} ${value}`;
    });
    this.when.textContent = this.cursor === null ? "" : `at ${clock(this.samples.at[place])}`;
    this.svg.setAttribute("aria-label", `${this.title}, ${this.unit}: ${said.join(", ")}. Arrow keys show earlier values.`);
  }
}
