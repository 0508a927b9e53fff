#!/usr/bin/env python3
"""Everything at once: a constant load of all kinds over two replicas while a schedule of faults runs.

    scripts/chaos.py --binary target/debug/gatelatch --seed 7 --minutes 5
    scripts/chaos.py --binary target/release/gatelatch --calm --minutes 60

The same seed gives the same faults in the same order. Every answer is checked: nothing is forwarded that the rules in
force do not allow, nobody is identified as somebody else, no answer is that of another request, a logout that was answered
holds everywhere within a second of Redis being reachable, no error of the gateway's own outside the window of a fault, and
afterwards memory, descriptors and threads are where they were. `--calm` has the load alone, and compares the end with the
beginning. Needs `redis-server`; listens on loopback; ends only what it has started. The exit code is 1 where anything did not hold.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from chaos.faults import Faults
from chaos.load import KINDS, Client
from chaos.people import people
from chaos.processes import Cluster, dump
from chaos.truth import Truth

WARM = 10.0
"""Seconds of load alone, before the faults and after them, at the end of which the replicas are measured."""


async def watch_lag(truth: Truth) -> None:
    """How late this program is: what it sees late is not the gateway's fault."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(0.05)
        late = time.monotonic() - began - 0.05
        truth.lag = max(late, truth.lag * 0.98)
        if late > 1:
            truth.stall(late)


async def load(cluster: Cluster, truth: Truth, seconds: float, seed: int, calm: bool) -> list[float]:
    """All clients for so long; how long each answer took."""
    until, clients, number = time.monotonic() + seconds, [], seed * 1000
    async with asyncio.TaskGroup() as group:
        for kind, count, pause in [*KINDS, (people, 4, 0.3)]:
            for _ in range(count):
                number += 1
                client = Client(cluster, truth, number, calm)
                clients.append(client)
                group.create_task(client.run(kind, until, pause))
    return sorted(second for client in clients for second in client.times)


def at(times: list[float], share: float) -> float:
    """A quantile, in milliseconds."""
    return round(times[int((len(times) - 1) * share)] * 1000, 1) if times else 0.0


async def measure(cluster: Cluster) -> list[dict[str, int]]:
    """What the replicas hold, when their clients are gone."""
    await asyncio.sleep(3)
    return [gateway.usage() for gateway in cluster.gateways]


def compare(truth: Truth, before: list[dict[str, int]], after: list[dict[str, int]], share: float) -> None:
    """What has grown by more than that share, and more than noise."""
    noise = {"memory": 4096, "descriptors": 6, "threads": 0}
    for index, (first, last) in enumerate(zip(before, after)):
        for name, value in first.items():
            if last[name] > value * (1 + share) + noise[name]:
                truth.violation(f"replica {index}: {name} has grown from {value} to {last[name]}")


async def chaos(cluster: Cluster, truth: Truth, arguments: argparse.Namespace) -> dict:
    """Load, load with faults, load."""
    await load(cluster, truth, WARM, arguments.seed, True)
    before = await measure(cluster)
    seconds = arguments.minutes * 60
    faults = Faults(cluster, truth, arguments.seed).run(time.monotonic() + seconds - 10)
    times, _ = await asyncio.gather(load(cluster, truth, seconds, arguments.seed, False), faults)
    await asyncio.sleep(6)
    await load(cluster, truth, WARM, arguments.seed, True)
    after = await measure(cluster)
    compare(truth, before, after, 0.05)
    return {"before": before, "after": after, "answers": len(times), "p50": at(times, 0.5), "p99": at(times, 0.99)}


async def calm(cluster: Cluster, truth: Truth, arguments: argparse.Namespace) -> dict:
    """Load alone, in six parts, of which the first and the last are compared."""
    await load(cluster, truth, WARM, arguments.seed, True)
    parts, part = [], arguments.minutes * 10
    for number in range(6):
        times = await load(cluster, truth, part, arguments.seed + number, True)
        usage = await measure(cluster)
        parts.append({"answers": len(times), "p50": at(times, 0.5), "p99": at(times, 0.99), "usage": usage})
        print(dump(parts[-1]), flush=True)
    compare(truth, parts[0]["usage"], parts[-1]["usage"], 0.02)
    return {"parts": parts}


def check_audit(truth: Truth, index: int, path: Path) -> None:
    """Each process has written its records in order, and none is missing. The last one may be half written."""
    expected = 1
    for line in path.read_text().splitlines()[:-1]:
        try:
            record = json.loads(line)
        except ValueError:
            # what a process was writing when it was killed
            truth.count("audit records that were cut off")
            continue
        if record["event"] == "start":
            expected = record["sequence"]
        if record["sequence"] != expected:
            truth.violation(f"audit stream of {index}: record {record['sequence']} follows {expected - 1}")
        expected = record["sequence"] + 1
        truth.count(f"audit records of {index}")


async def run(arguments: argparse.Namespace, folder: Path) -> int:
    """One run; its exit code."""
    cluster = Cluster(folder, arguments.binary.resolve(), arguments.tls, arguments.sentinel)
    truth = Truth([{cluster.version}, {cluster.version}])
    report: dict = {}
    try:
        await cluster.start()
        lag = asyncio.create_task(watch_lag(truth))
        report = await (calm if arguments.calm else chaos)(cluster, truth, arguments)
        lag.cancel()
    finally:
        for index, disk in enumerate(cluster.disks):
            if disk and (disk / "audit.log").exists():
                check_audit(truth, index, disk / "audit.log")
        for text in cluster.stop():
            truth.violation(text)
        for gateway in cluster.gateways:
            lines = gateway.log.read_text(errors="replace").splitlines()
            for line in [line for line in lines if "panicked" in line]:
                truth.violation(f"{gateway.name}: {line}")
    report |= {"seed": arguments.seed, "minutes": arguments.minutes, "counts": truth.counts, "violations": truth.violations}
    print(dump(report))
    return 1 if truth.violations else 0


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/debug/gatelatch"), help="the gateway")
    parser.add_argument("--seed", type=int, default=1, help="which faults, and in which order")
    parser.add_argument("--minutes", type=float, default=2.0, help="for how long, beside the load before and after it")
    parser.add_argument("--calm", action="store_true", help="no faults: what grows, and what becomes slower")
    parser.add_argument("--tls", action="store_true", help="clients come over TLS")
    parser.add_argument("--sentinel", action="store_true", help="Redis is a primary and a replica under three sentinels")
    parser.add_argument("--keep", type=Path, help="a folder for configurations and logs, which is kept")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(run(arguments, arguments.keep))
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(run(arguments, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
