"""The table of the goals, as text, as Markdown, and into BENCHMARKS.md."""

import pathlib

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def rows(found):
    """(what, gatelatch, beside it, the goal) of everything that was measured."""
    yield from cpu_rows(found)
    yield from cost_rows(found)
    yield from scale_rows(found)


def cpu_rows(found):
    for name, what, goal in (
            ("warm", "CPU a request, 64 connections, 1,000 tokens", "≤ 0.60"),
            ("cold", "the same, each token seen for the first time", "≤ 0.70"),
            ("close", "`Connection: close`", "≤ 0.90"),
            ("h2c", "h2c, 8 streams a connection", "≤ 1.0"),
            ("tls", "TLS, HTTP/1.1", "≤ 0.70"),
            ("tls-h2", "TLS, HTTP/2, 8 streams a connection", "≤ 0.75"),
            ("upload", "a request with a body of 1 MB", "≤ 0.90"),
            ("paced", "20,000 requests a second", "≤ 1.00")):
        if name in found:
            yield what, *beside(found[name], "cpu_us"), goal
    for size, what, goal in (("10240", "10 KB bodies", "≤ 0.65"), ("1048576", "1 MB bodies", "≤ 1.0")):
        if size in found.get("bodies", {}):
            yield what, *beside(found["bodies"][size], "cpu_us"), goal
    if "warm" in found:
        yield "p99 at 64 connections", *beside(found["warm"], "p99_us"), "≤ 0.70"
    for peer in ("haproxy-plain", "nginx-plain"):
        if "warm" in found:
            other = found["warm"][peer]
            yield f"for comparison: {peer}, without any check", f"{other['cpu_us']:.1f} µs", f"**{other['cpu_us_ratio']:.2f}**", ""


    if "limit" in found:
        other = found["limit"]["passes-on"]
        yield ("for comparison: a proxy on the same hyper that only passes on", f"{other['cpu_us']:.1f} µs",
               f"**{other['cpu_us_ratio']:.2f}**", "")


def beside(peers, key):
    ours, theirs = peers["gatelatch"], peers["haproxy-jwt"]
    low, high = ours[f"{key}_ratio_range"]
    return f"{ours[key]:,.1f} µs", f"**{ours[f'{key}_ratio']:.2f}** ({low:.2f}–{high:.2f}) of HAProxy's {theirs[key]:,.1f} µs"


def cost_rows(found):
    for name, key, what, goal in (
            ("instructions", "instructions", "user instructions a request (callgrind)", "≤ 30,000"),
            ("syscalls", "syscalls", "system calls a request", "≤ 4.3"),
            ("memory", "bytes_a_connection", "bytes an idle keep-alive connection", "≤ 5,000")):
        if name in found:
            ours, theirs = found[name]["gatelatch"][key], found[name]["haproxy-jwt"][key]
            yield what, f"{ours:,}", f"HAProxy {theirs:,}", goal
    for kind, what, goal in (
            ("wait", "bytes a request that waits for its service", "≤ 16,000"),
            ("sse", "bytes an event stream that rests", "≤ 16,000"),
            ("websocket", "bytes a WebSocket that rests", "≤ 6,000"),
            ("tls", "bytes an idle TLS connection", "≤ 9,300")):
        if kind in found.get("waiting", {}):
            ours, theirs = (found["waiting"][kind][peer]["bytes_a_connection"] for peer in ("gatelatch", "haproxy-jwt"))
            yield what, f"{ours:,}", f"HAProxy {theirs:,}", goal
    if "memory" in found:
        ours, theirs = (found["memory"][peer]["rss_idle"] for peer in ("gatelatch", "haproxy-jwt"))
        yield "resident at rest, 1,000 users, 2 rules", megabytes(ours), f"HAProxy {megabytes(theirs)}", "≤ 10 MB"


def scale_rows(found):
    for name, figures in found.get("algorithms", {}).items():
        if name != "HS256":
            low, high = figures["cpu_us_ratio_range"]
            yield (f"{name} tokens, warm", f"{figures['cpu_us']:.1f} µs",
                   f"**{figures['cpu_us_ratio']:.2f}** ({low:.2f}–{high:.2f}) of HS256", "0.98–1.02")
    for count, figures in found.get("rules", {}).items():
        if count != "10":
            low, high = figures["cpu_us_ratio_range"]
            yield (f"{int(count):,} rules", f"{figures['cpu_us']:.1f} µs",
                   f"**{figures['cpu_us_ratio']:.2f}** ({low:.2f}–{high:.2f}) of 10 rules", "flat")
    goals = {"100000": "start and reload < 1 s", "1000000": "≤ 5 s, ≤ 500 MB"}
    for count, figures in found.get("users", {}).items():
        yield (f"{int(count):,} users", f"start {figures['start_s']:.2f} s, reload {figures['reload_s']:.2f} s",
               f"{megabytes(figures['rss'])} at rest, {megabytes(figures['peak'])} at most", goals.get(count, ""))
    if "decisions" in found:
        for count, nanoseconds in found["decisions"].items():
            yield f"a decision among {int(count):,} rules", f"{nanoseconds:.0f} ns", "criterion", "flat, < 200 ns"
    storm = found.get("storm")
    if storm:
        low, high = storm["p99_ratio_range"]
        yield ("p99 in a login storm, 200 at a time, cost 12", f"{storm['p99_storm_ms']:.2f} ms",
               f"**{storm['p99_ratio']:.2f}** ({low:.2f}–{high:.2f}) of the {storm['p99_calm_ms']:.2f} ms without it", "≤ 1.5")


def megabytes(count):
    return f"{count / 1e6:.1f} MB"


def text(found):
    lines = [(what, ours, beside.replace("*", ""), goal) for what, ours, beside, goal in rows(found)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def markdown(results):
    machine = results["machine"]
    noise = "" if results["rounds"] >= 8 else " **Too few rounds for more than a first look.**"
    if machine["load_at_start"] > 1:
        noise += " **The machine was busy with other things: only instructions and system calls mean something.**"
    head = [
        f"Measured on {machine['date']}: {machine['gatelatch']}, {machine['haproxy']}, {machine['nginx']}; "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; "
        f"{results['rounds']} rounds of {results['seconds']} s, load of the machine before the start "
        f"{machine['load_at_start']}.{noise}",
        "", "| measure | Gatelatch | beside it | goal |", "|---|---|---|---|"]
    return "\n".join(head + [f"| {' | '.join(row)} |" for row in rows(results["measures"])])


def publish(results, page):
    """Puts the table between the markers of the page."""
    page = pathlib.Path(page)
    before, rest = page.read_text().split(BEGIN, 1)
    _, after = rest.split(END, 1)
    page.write_text(f"{before}{BEGIN}\n{markdown(results)}\n{END}{after}")
