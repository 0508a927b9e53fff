#!/usr/bin/env python3
"""Measures Gatelatch beside HAProxy, which does the same JWT work, and beside HAProxy and nginx without any.

  scripts/bench/run.py --quick              a first look, in a few minutes
  scripts/bench/run.py                      everything, about half an hour; prints the table
  scripts/bench/run.py --publish            the same, and writes docs/bench/results.json, the plots beside it
                                            and the table in BENCHMARKS.md
  scripts/bench/run.py --only warm,cold     some of it; with --publish the other figures stay as they are

It measures `target/release/gatelatch`, or what --binary names: build it with `scripts/build-release.sh` first. The other
programs are Debian's: it says which packages are missing. Everything is on 127.0.0.1, on free ports, with files in a
folder of its own; what it starts, it ends. The gateway under test has the first core for itself, the service (nginx) and
the load share the second.

The figure that counts is CPU a request: the time that all threads of the gateway were on a core, by the kernel's own
count, over the requests answered. The peers take turns within a round and each ratio is one of the same round, so that
what the machine does besides falls on all of them. Read the range beside a ratio: where it is wide, the machine was
busy, and the figure is worth little.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import machine
import measures
import report
from peers import Stage

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "bench"
PACKAGES = {"haproxy": "haproxy", "nginx": "nginx-light", "wrk": "wrk", "h2load": "nghttp2-client", "strace": "strace",
            "valgrind": "valgrind", "openssl": "openssl"}
EXTRA = ["decisions", "storm"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ", ".join([*measures.MEASURES, *EXTRA])
    parser.add_argument("--binary", default=ROOT / "target/release/gatelatch", help="the gateway to measure")
    parser.add_argument("--only", help=f"some measures, with commas between them: {known}")
    parser.add_argument("--rounds", type=int, default=8, help="rounds over all peers (default 8)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each measurement (default 2)")
    parser.add_argument("--most-users", type=int, default=1_000_000, help="the longest user list (default 1000000)")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections held open (default 5000)")
    parser.add_argument("--quick", action="store_true", help="two rounds of one second, 100000 users, 1000 idle connections")
    parser.add_argument("--json", help="where to write the figures as JSON")
    parser.add_argument("--publish", action="store_true", help="write docs/bench and the table in BENCHMARKS.md")
    plan = parser.parse_args()
    plan.counted = 1000
    if plan.quick:
        plan.rounds, plan.seconds, plan.most_users, plan.idle = 2, 1, 100_000, 1000
    plan.names = plan.only.split(",") if plan.only else [*measures.MEASURES, *EXTRA]
    unknown = [name for name in plan.names if name not in [*measures.MEASURES, *EXTRA]]
    if unknown:
        parser.error(f"no such measure: {', '.join(unknown)}; write some of {known}")
    return plan


def main():
    plan = arguments()
    plan.binary = str(pathlib.Path(plan.binary).resolve())
    refuse_what_is_missing(plan)
    open_files = machine.raise_open_files()
    plan.idle = min(plan.idle, open_files // 4)
    if os.getloadavg()[0] > 1:
        print(f"run.py: the machine is busy (load {os.getloadavg()[0]:.1f}): expect wide ranges and figures of little worth",
              file=sys.stderr)
    results = {"machine": machine.describe(plan.binary), "rounds": plan.rounds, "seconds": plan.seconds, "measures": {}}
    with tempfile.TemporaryDirectory(prefix="gatelatch-bench-") as scratch:
        # nginx's workers are another user
        os.chmod(scratch, 0o755)
        with Stage(scratch, plan.binary, open_files) as stage:
            check_all(stage)
            for name in plan.names:
                measure(name, stage, plan, results["measures"])
    if not results["measures"]:
        sys.exit("run.py: nothing was measured")
    print("\n" + report.text(results["measures"]))
    finish(plan, results)
    if set(plan.names) - set(results["measures"]):
        sys.exit(1)


def refuse_what_is_missing(plan):
    missing = [package for command, package in PACKAGES.items() if not shutil.which(command)]
    if missing:
        sys.exit(f"run.py: these Debian packages are missing: apt-get install {' '.join(missing)}")
    if not os.access(plan.binary, os.X_OK):
        sys.exit(f"run.py: there is no `{plan.binary}`: run scripts/build-release.sh, or name one with --binary")


def check_all(stage):
    """A gateway that lets through what it should not may be as fast as it likes."""
    for name in measures.PAIR:
        wrong = measures.check(stage, name)
        if wrong:
            sys.exit(f"run.py: {name} is not correct, so it is not measured:\n  " + "\n  ".join(wrong))
        print(f"{name}: correct", file=sys.stderr, flush=True)


def measure(name, stage, plan, into):
    """One measure that fails does not cost the others."""
    print(f"measuring {name}", file=sys.stderr, flush=True)
    try:
        if name == "decisions":
            found = decisions()
        elif name == "storm":
            found = storm(plan)
        else:
            found = measures.MEASURES[name](stage, plan)
    except (measures.Failed, subprocess.SubprocessError, OSError) as error:
        print(f"run.py: {name} is not measured: {error}", file=sys.stderr)
        return
    if found:
        into[name] = found


def decisions():
    """What `cargo bench --bench decide` has left behind, in nanoseconds by the number of rules."""
    found = {}
    for count in (10, 1_000, 100_000):
        estimates = ROOT / f"target/criterion/decide/parameters/{count}/new/estimates.json"
        if estimates.exists():
            found[str(count)] = round(json.loads(estimates.read_text())["median"]["point_estimate"], 1)
    if not found:
        print("  left out: run `cargo bench --bench decide` first", file=sys.stderr)
    return found


def storm(plan):
    """What the script for the storm prints, in milliseconds."""
    command = [sys.executable, str(ROOT / "scripts/bench/login_storm.py"), plan.binary,
               "-r", str(min(5, plan.rounds)), "-d", str(plan.seconds + 1)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise measures.Failed(f"login_storm.py failed:\n{done.stdout}{done.stderr}")
    calm, stormy = (re.search(rf"^{name}\s+\S+\s+(\S+)", done.stdout, re.MULTILINE) for name in ("calm", "storm"))
    ratio = re.search(r"storm to calm: (\S+) \((\S+) to (\S+)\)", done.stdout)
    return {"p99_calm_ms": float(calm.group(1)), "p99_storm_ms": float(stormy.group(1)),
            "p99_ratio": float(ratio.group(1)), "p99_ratio_range": [float(ratio.group(2)), float(ratio.group(3))]}


def finish(plan, results):
    if plan.publish:
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / "results.json"
        if plan.only and file.exists():
            results["measures"] = json.loads(file.read_text())["measures"] | results["measures"]
        file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        subprocess.run([sys.executable, str(ROOT / "scripts/bench/plot.py"), str(file), str(FOLDER)], check=True)
        report.publish(results, ROOT / "BENCHMARKS.md")
    if plan.json:
        pathlib.Path(plan.json).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    # a polite end cleans up as well
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("run.py: stopped"))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("run.py: stopped")
