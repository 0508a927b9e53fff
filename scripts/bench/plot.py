#!/usr/bin/env python3
"""Draws the plots of a benchmark: plot.py RESULTS.json FOLDER. No library is needed; the plots read on light and dark."""

import json
import math
import pathlib
import sys

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 46, 52
# told apart by colour, dash and mark; each has contrast on white and on black
STYLES = [("#3b82c4", "", "circle"), ("#d9730d", "6 4", "square"), ("#2f9e62", "2 3", "circle")]
INK = "#808890"


class Plot:
    """Lines over a logarithmic horizontal axis; the vertical one begins at 0, unless it is logarithmic too."""

    def __init__(self, title, across, up, log_up=False):
        self.title, self.across, self.up, self.log_up, self.lines = title, across, up, log_up, []

    def add(self, name, points):
        points = sorted((x, y) for x, y in points if y > 0)
        if points:
            self.lines.append((name, points))

    def ranges(self):
        xs = [x for _, points in self.lines for x, _ in points]
        ys = [y for _, points in self.lines for _, y in points]
        bottom = 10 ** math.floor(math.log10(min(ys))) if self.log_up else 0
        top = 10 ** math.ceil(math.log10(max(ys) * 1.01)) if self.log_up else nice(max(ys) * 1.1)
        return min(xs), max(xs), bottom, top

    def svg(self):
        low, high, bottom, top = self.ranges()
        span = math.log10(high / low) or 1

        def x_of(value):
            return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(value / low) / span

        def y_of(value):
            share = math.log10(value / bottom) / math.log10(top / bottom) if self.log_up else value / top
            return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

        parts = [text(LEFT, 24, self.title, "title"), text(LEFT, TOP - 8, self.up, "small"),
                 text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, self.across, "small", "middle")]
        parts += self.grid(bottom, top, x_of, y_of)
        labels = self.labels(y_of)
        for (name, points), style, at in zip(self.lines, STYLES, labels):
            parts += drawn([(x_of(x), y_of(y)) for x, y in points], style)
            parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{at + 4:.1f}" style="fill:{style[0]}">{name}</text>')
        return document(self.title, parts)

    def grid(self, bottom, top, x_of, y_of):
        if self.log_up:
            marks = [10 ** power for power in range(round(math.log10(bottom)), round(math.log10(top)) + 1)]
        else:
            marks = [top * step / 4 for step in range(5)]
        for mark in marks:
            yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(mark):.1f}" y2="{y_of(mark):.1f}" '
                   f'stroke="{INK}" stroke-opacity="0.3"/>')
            yield text(LEFT - 8, y_of(mark) + 4, short(mark), "small", "end")
        for value in sorted({x for _, points in self.lines for x, _ in points}):
            yield text(x_of(value), HEIGHT - BOTTOM + 18, short(value), "small", "middle")

    def labels(self, y_of):
        """Where the names stand: at the ends of their lines, but not on each other."""
        ends = sorted(range(len(self.lines)), key=lambda each: y_of(self.lines[each][1][-1][1]))
        places, last = {}, -100
        for each in ends:
            last = places[each] = max(y_of(self.lines[each][1][-1][1]), last + 18)
        return [places[each] for each in range(len(self.lines))]


def nice(value):
    step = 10 ** math.floor(math.log10(value))
    return next(step * times for times in (1, 2, 4, 6, 8, 10) if step * times >= value)


def short(value):
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{unit}" if value % size == 0 else f"{value / size:.0f}{unit}"
    return f"{value:g}"


def text(x, y, said, kind, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{said}</text>'


def drawn(points, style):
    colour, dash, mark = style
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
    for x, y in points:
        if mark == "circle":
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        else:
            yield f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'


def document(title, parts):
    style = (f"text {{ font: 13px system-ui, sans-serif; fill: {INK}; }} .title {{ font-weight: 600; font-size: 15px; }} "
             ".small { font-size: 12px; }")
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img">\n<title>{title}</title>\n<style>{style}</style>\n{body}\n</svg>\n')


def by_size(measures, name, key="cpu_us"):
    """(peer, points) of a measure that was taken at several sizes."""
    sizes = measures.get(name, {})
    for peer, shown in (("gatelatch", "Gatelatch"), ("haproxy-jwt", "HAProxy, same work")):
        yield shown, [(int(size), peers[peer][key]) for size, peers in sizes.items() if peer in peers]


def plots(measures):
    cpu = "µs of CPU a request"
    for name, title, across in (("connections", "CPU a request by connections", "connections"),
                                ("bodies", "CPU a request by the size of the answer", "bytes of the body")):
        plot = Plot(title, across, cpu, log_up=name == "bodies")
        for shown, points in by_size(measures, name):
            plot.add(shown, points)
        yield name, plot
    rules = Plot("CPU a request by rules", "rules", cpu)
    rules.add("Gatelatch", [(int(count), each["cpu_us"]) for count, each in measures.get("rules", {}).items()])
    yield "rules", rules
    users = measures.get("users", {})
    plot = Plot("CPU a request by users", "users", cpu)
    plot.add("Gatelatch", [(int(count), each["cpu_us"]) for count, each in users.items()])
    yield "users", plot
    plot = Plot("Start and memory by users", "users", "seconds, megabytes", log_up=True)
    plot.add("start, s", [(int(count), each["start_s"]) for count, each in users.items()])
    plot.add("resident, MB", [(int(count), each["rss"] / 1e6) for count, each in users.items()])
    yield "users-load", plot


def main():
    file, folder = map(pathlib.Path, sys.argv[1:3])
    for name, plot in plots(json.loads(file.read_text())["measures"]):
        if plot.lines:
            (folder / f"{name}.svg").write_text(plot.svg())


if __name__ == "__main__":
    main()
