"""What is measured, one function a row of the table. Each returns what goes into the JSON file."""

import http.client
import random
import re
import socket
import ssl
import statistics
import subprocess
import time

import load
import tokens
from machine import Failed, peak_of
from peers import passes_on, rules

PEERS = ["haproxy-jwt", "haproxy-plain", "nginx-plain", "gatelatch"]
PAIR = ["haproxy-jwt", "gatelatch"]


def interleaved(plan, loads, peers):
    """Rounds over all peers, each second round backwards; medians of the figures, and of the
    ratios to the first peer within a round."""
    samples = {peer.name: [] for peer in peers}
    for peer in peers:
        loads[peer.name].run(peer, 1)
    for turn in range(plan.rounds):
        for peer in peers if turn % 2 == 0 else peers[::-1]:
            sample = loads[peer.name].run(peer, plan.seconds)
            if sample.bad:
                raise Failed(f"{peer.name} answered {sample.bad} of {sample.requests} requests wrongly")
            samples[peer.name].append(sample.figures)
    return {name: condense(taken, samples[peers[0].name]) for name, taken in samples.items()}


def condense(taken, base):
    figures = {key: round(statistics.median(each[key] for each in taken), 2) for key in taken[0]}
    for key in ("cpu_us", "p99_us"):
        ratios = [one[key] / other[key] for one, other in zip(taken, base) if other[key]]
        if ratios:
            figures[f"{key}_ratio"] = round(statistics.median(ratios), 3)
            figures[f"{key}_ratio_range"] = [round(min(ratios), 3), round(max(ratios), 3)]
    return figures


def side_by_side(stage, plan, names, of_load, **options):
    peers = [stage.start(name, **options) for name in names]
    try:
        return interleaved(plan, {peer.name: of_load for peer in peers}, peers)
    finally:
        stage.stop([peer.process for peer in peers])


def warm(stage, plan):
    return side_by_side(stage, plan, PEERS, load.Wrk(stage.scratch, "warm", tokens.warm()))


def cold(stage, plan):
    return side_by_side(stage, plan, PAIR, load.Wrk(stage.scratch, "cold", tokens.cold()))


def close(stage, plan):
    return side_by_side(stage, plan, PEERS, load.Wrk(stage.scratch, "close", tokens.warm(), close=True))


def bodies(stage, plan):
    """CPU a request by the size of the answer, in bytes."""
    found = {}
    for path, size in (("/small", 200), ("/1k", 1 << 10), ("/10k", 10 << 10), ("/100k", 100 << 10), ("/1m", 1 << 20)):
        found[str(size)] = side_by_side(stage, plan, PAIR, load.Wrk(stage.scratch, "body", tokens.warm(), path=path))
    return found


def connections(stage, plan):
    """CPU a request by the number of connections."""
    found = {}
    for count in (1, 8, 64, 256, 1024):
        wrk = load.Wrk(stage.scratch, "connections", tokens.warm(), connections=count)
        found[str(count)] = side_by_side(stage, plan, PAIR, wrk)
    return found


def h2c(stage, plan):
    return side_by_side(stage, plan, PAIR, load.H2load(tokens.warm()[1]))


def tls(stage, plan):
    return side_by_side(stage, plan, PAIR, load.Wrk(stage.scratch, "tls", tokens.warm(), scheme="https"), tls=True)


def tls_h2(stage, plan):
    return side_by_side(stage, plan, PAIR, load.H2load(tokens.warm()[1], scheme="https"), tls=True)


def upload(stage, plan):
    """CPU a request with a body of 1 MB. A few tokens: wrk keeps each request ready."""
    wrk = load.Wrk(stage.scratch, "upload", tokens.warm()[:4], path="/upload", connections=8, body=1 << 20)
    return side_by_side(stage, plan, PAIR, wrk)


def limit(stage, plan):
    """Beside a proxy on the same hyper that only passes on."""
    if not passes_on():
        raise Failed("run `cargo bench --bench passes_on --no-run` first")
    return side_by_side(stage, plan, [*PAIR, "passes-on"], load.Wrk(stage.scratch, "limit", tokens.warm()))


def paced(stage, plan):
    """CPU a request below full load: so many requests a second."""
    return side_by_side(stage, plan, PAIR, load.Paced(tokens.warm()[1], rate=20_000))


def algorithms(stage, plan):
    """Warm tokens of the other algorithms, beside HS256."""
    peers, loads = [], {}
    for algorithm in ("HS256", "RS256", "ES256", "EdDSA"):
        options = {}
        if algorithm != "HS256":
            file = f"{stage.scratch}/{algorithm}.pem"
            make = [stage.binary, "key", "generate", "--algorithm", algorithm, "--out", file]
            subprocess.run(make, check=True, capture_output=True)
            options["key"] = f"algorithm: {algorithm}, private_key_file: {file}"
        peers.append(stage.start("gatelatch", label=algorithm, **options))
        listed = tokens.issued(stage.binary, f"{stage.scratch}/{algorithm}.yaml", 20)
        loads[algorithm] = load.Wrk(stage.scratch, algorithm, listed)
    try:
        return interleaved(plan, loads, peers)
    finally:
        stage.stop([peer.process for peer in peers])


def rule_counts(stage, plan):
    """CPU a request by the number of rules."""
    peers, loads = [], {}
    for count in (10, 100, 1_000, 10_000, 100_000):
        peer = stage.start("gatelatch", label=str(count), rules=rules(count))
        peers.append(peer)
        path = f"/api/resource-{count // 5 - 1}/4711/parts/7"
        loads[peer.name] = load.Wrk(stage.scratch, f"rules-{count}", tokens.warm(), path=path)
    try:
        found = interleaved(plan, loads, peers)
        for peer in peers:
            found[peer.name]["rss"] = peer.process.memory()
        return found
    finally:
        stage.stop([peer.process for peer in peers])


def user_counts(stage, plan):
    """Start, memory, CPU a request and reload by the number of users."""
    found = {}
    for count in (1_000, 10_000, 100_000, 1_000_000):
        if count > plan.most_users:
            break
        tokens.write_users(f"{stage.scratch}/users-{count}.yaml", count)
        begun = time.monotonic()
        peer = stage.start("gatelatch", label=f"with-users-{count}", users=f"users-{count}.yaml")
        figures = {"start_s": round(time.monotonic() - begun, 3), "rss": peer.process.memory(),
                   "peak": peak_of(peer.process.child.pid)}
        try:
            wrk = load.Wrk(stage.scratch, "users", tokens.warm(count))
            taken = [wrk.run(peer, plan.seconds).figures for _ in range(min(3, plan.rounds))]
            figures |= {key: round(statistics.median(each[key] for each in taken), 2) for key in taken[0]}
            figures["reload_s"] = reload(peer, f"{stage.scratch}/users-{count}.yaml")
            figures["rss_after_reload"] = peer.process.memory()
        finally:
            stage.stop([peer.process])
        found[str(count)] = figures
    return found


def reload(peer, users):
    """Seconds from a changed user list to the moment at which it is in force, 100 ms of them the watcher's patience."""
    peer.process.forget_log()
    with open(users, "a") as out:
        out.write(f"  newcomer: {{ password: \"{tokens.nobodys_hash(random.Random(0))}\", roles: [user] }}\n")
    begun = time.monotonic()
    while "configuration reloaded" not in peer.process.printed():
        if time.monotonic() - begun > 120:
            raise Failed(f"no reload within two minutes; the gateway printed:\n{peer.process.printed()}")
        time.sleep(0.01)
    return round(time.monotonic() - begun, 3)


def memory(stage, plan):
    """Bytes resident at rest, and for each idle keep-alive connection."""
    found = {}
    wrk = load.Wrk(stage.scratch, "memory", tokens.warm())
    for name in PAIR:
        peer = stage.start(name)
        try:
            time.sleep(1)
            idle = peer.process.memory()
            wrk.run(peer, 1)
            found[name] = {"rss_idle": idle, **idle_connections(peer, plan.idle)}
        finally:
            stage.stop([peer.process])
    return found


def waiting(stage, plan):
    """Bytes resident for each connection that waits or rests, with its connection to the service: a request whose answer does
    not come, an event stream and a WebSocket on which nothing comes, and an idle TLS connection."""
    found = {}
    upgrade = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    kinds = {"wait": ("/wait", "", None, False), "sse": ("/sse", "", 200, False), "websocket": ("/ws", upgrade, 101, False),
             "tls": ("/other", "", 200, True)}
    port, service = stage.silent_service()
    try:
        for kind, (path, fields, status, encrypted) in kinds.items():
            found[kind] = {}
            for name in PAIR:
                peer = stage.start(name, tls=encrypted, upstream=port)
                try:
                    scheme = "https" if encrypted else "http"
                    load.Wrk(stage.scratch, "waiting", tokens.warm(), path="/other", scheme=scheme).run(peer, 1)
                    found[kind][name] = idle_connections(peer, min(plan.idle, 1000), path, fields, status, encrypted)
                finally:
                    stage.stop([peer.process])
    finally:
        stage.stop([service])
    return found


def idle_connections(peer, count, path="/small", fields="", status=200, encrypted=False):
    head = f"GET {path} HTTP/1.1\r\nHost: {load.HOST}\r\nAuthorization: Bearer {tokens.warm()[1]}\r\n{fields}\r\n".encode()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    before, opened = settled(peer), []
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", peer.port), 10)
            client = context.wrap_socket(client) if encrypted else client
            opened.append(client)
            client.sendall(head)
            if status and not client.recv(4096).startswith(f"HTTP/1.1 {status}".encode()):
                raise Failed(f"{peer.name} did not answer {status} at connection {len(opened)}")
        after = settled(peer)
    finally:
        for client in opened:
            client.close()
    return {"rss_before": before, "idle_connections": count, "bytes_a_connection": round((after - before) / count)}


def settled(peer):
    """What is resident once freed memory has gone back, or after eight seconds. What rests is given up in steps, and for
    more than a second nothing may seem to happen between two of them."""
    time.sleep(3)
    last = peer.process.memory()
    for _ in range(10):
        time.sleep(0.5)
        now = peer.process.memory()
        if abs(now - last) < 64 << 10:
            return now
        last = now
    return last


def instructions(stage, plan):
    """User-space instructions a request, by callgrind: the difference of a short and a long run."""
    found = {}
    for name in PAIR:
        short, long = (callgrind(stage, name, plan.counted * times) for times in (1, 3))
        found[name] = {"instructions": round((long - short) / (2 * plan.counted))}
    return found


def callgrind(stage, name, requests):
    peer = stage.start(name, wrapper=["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"])
    answered = load.exactly(peer, tokens.warm()[1], requests)
    peer.process.stop("USR1" if name.startswith("haproxy") else "TERM")
    printed = peer.process.printed()
    stage.running.remove(peer.process)
    if answered != requests:
        raise Failed(f"{name} under valgrind answered {answered} of {requests} requests")
    return int(re.findall(r"Collected\s*:\s*(\d+)", printed)[-1])


def syscalls(stage, plan):
    """System calls a request under load, by strace; each name that counts."""
    found = {}
    wrk = load.Wrk(stage.scratch, "syscalls", tokens.warm())
    for name in PAIR:
        peer = stage.start(name)
        try:
            wrk.run(peer, 1)
            listed = f"{stage.scratch}/{name}.strace"
            attach = [argument for pid in peer.process.pids() for argument in ("-p", str(pid))]
            trace = subprocess.Popen(["strace", "-c", "-f", "-o", listed, *attach], stderr=subprocess.DEVNULL)
            time.sleep(1)
            requests = wrk.run(peer, plan.seconds).requests
            trace.send_signal(2)
            trace.wait(20)
            found[name] = counted(listed, requests)
        finally:
            stage.stop([peer.process])
    return found


def counted(listed, requests):
    calls = {}
    with open(listed) as file:
        for line in file:
            row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+([a-z_0-9]+)$", line)
            if row and row.group(2) != "total":
                calls[row.group(2)] = int(row.group(1)) / requests
    return {"syscalls": round(sum(calls.values()), 2),
            "calls": {name: round(each, 2) for name, each in sorted(calls.items(), key=lambda call: -call[1]) if each >= 0.01}}


MEASURES = {
    "warm": warm, "cold": cold, "instructions": instructions, "syscalls": syscalls, "close": close, "bodies": bodies,
    "h2c": h2c, "tls": tls, "tls-h2": tls_h2, "upload": upload, "paced": paced, "limit": limit, "connections": connections,
    "memory": memory, "waiting": waiting, "algorithms": algorithms, "rules": rule_counts,
    "users": user_counts,
}


def check(stage, name):
    """Correctness before speed. Returns what is wrong."""
    peer, wrong = stage.start(name), []
    try:
        good = tokens.warm()[1]
        forged = {"X-User": "mallory", "X-Roles": "admin"}
        status, body = ask(peer, "/echo", good, forged)
        said = body.decode(errors="replace").strip()
        if status != 200 or tokens.user(1) not in said or "mallory" in said or "admin" in said:
            wrong.append(f"a good token: {status}, and the service was told {said!r}")
        for what, token, path, expected in tokens.samples():
            status, _ = ask(peer, path, token)
            if status != expected:
                wrong.append(f"{what}: {status} instead of {expected}")
        for path, size in (("/10k", 10 << 10), ("/1m", 1 << 20)):
            status, body = ask(peer, path, good)
            if (status, len(body)) != (200, size):
                wrong.append(f"{path}: {status} and {len(body)} bytes")
    finally:
        stage.stop([peer.process])
    return wrong


def ask(peer, path, token, fields=None):
    client = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=10)
    fields = dict(fields or {}, Host=load.HOST)
    if token:
        fields["Authorization"] = f"Bearer {token}"
    client.request("GET", path, headers=fields)
    answer = client.getresponse()
    body = answer.read()
    client.close()
    return answer.status, body
