#!/usr/bin/env python3
"""What a check over gRPC costs beside one at /auth/verify, both over h2c.

    scripts/bench/checks.py BINARY [--seconds 4] [--rounds 7] [--target 1.3]

Both ask about the same request with the same fields and the same token, in turns; CPU time of the gateway a check, medians
of the rounds and of the ratios within a round. Exit code 1 where the ratio is above the target. Needs h2load
(nghttp2-client). Everything is on the loopback interface and bounded in time.
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile

import tokens
from machine import Failed, Process, free_ports, pin

CONFIG = """
server: {{ listen: ["127.0.0.1:{port}"], workers: 1, trusted_proxies: [127.0.0.1] }}
admin: {{ listen: "off" }}
log: {{ format: json, access: true }}
auth: {{ users_file: users.yaml, token: {{ secret: "{secret}", issuer: bench, audience: api, max_lifetime: 7d }} }}
services:
  api: {{ upstream: "http://127.0.0.1:9", rules: [ {{ path: /**, allow: {{ roles: [user] }} }} ] }}
"""
HOST, PATH = "api.example.com", "/jobs?page=1"


def fields(token):
    return [("authorization", f"Bearer {token}"), ("accept", "application/json"), ("accept-encoding", "gzip"),
            ("user-agent", "bench/1.0"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"),
            ("x-request-id", "7a0f9f3e-98a6-4c9a-9d5a-0d8e4c0a5f1b")]


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def part(tag, content):
    """A field of a message: text, bytes, or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(tag << 3 | 2) + varint(len(content)) + content


def message(token):
    """A framed CheckRequest as Envoy writes it with `encode_raw_headers`."""
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", PATH)]
    headers = b"".join(part(1, part(1, name) + part(3, value)) for name, value in pseudo + fields(token))
    http = part(2, "GET") + part(4, PATH) + part(5, HOST) + part(6, "https") + part(10, "HTTP/1.1") + part(13, headers)
    source = part(1, part(1, part(2, "192.0.2.7")))
    whole = part(1, part(1, source) + part(4, part(2, http)))
    return b"\0" + len(whole).to_bytes(4, "big") + whole


def arguments(kind, token, base, body):
    """What h2load asks with; the file `body` has the message."""
    if kind == "grpc":
        return ["-H", "content-type: application/grpc", "-H", "te: trailers", "-d", body,
                f"{base}/envoy.service.auth.v3.Authorization/Check"]
    lines = [part for name, value in fields(token) for part in ("-H", f"{name}: {value}")]
    return [*lines, "-H", f":authority: {HOST}", f"{base}/auth/verify{PATH}"]


def asked(process, seconds, arguments):
    """CPU microseconds of the gateway a check."""
    before = process.cpu()
    done = subprocess.run(["h2load", "-t1", "-c16", "-m8", f"--duration={seconds}", *arguments],
                          capture_output=True, text=True, timeout=seconds + 60, preexec_fn=pin("load"))
    cpu = process.cpu() - before
    found = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    if not found or not int(found[1]) or any(int(found[at]) for at in (2, 3, 4)):
        raise Failed(f"h2load: {done.stdout}{done.stderr}")
    process.forget_log()
    return cpu * 1e6 / int(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--target", type=float, default=1.3)
    options = parser.parse_args()
    token = tokens.warm()[0]
    with tempfile.TemporaryDirectory() as scratch:
        [port] = free_ports(1)
        with open(f"{scratch}/gateway.yaml", "w") as out:
            out.write(CONFIG.format(port=port, secret=tokens.SECRET))
        with open(f"{scratch}/check", "wb") as out:
            out.write(message(token))
        tokens.write_users(f"{scratch}/users.yaml")
        base = f"http://127.0.0.1:{port}"
        http, grpc = (arguments(kind, token, base, f"{scratch}/check") for kind in ("http", "grpc"))
        process = Process([options.binary, "run", "--config", f"{scratch}/gateway.yaml"], "gateway", f"{scratch}/log")
        try:
            process.wait_for(port)
            for sent in (http, grpc):
                asked(process, 1, sent)
            rounds = []
            for turn in range(options.rounds):
                pair = {}
                for name, sent in [("http", http), ("grpc", grpc)][:: 1 if turn % 2 == 0 else -1]:
                    pair[name] = asked(process, options.seconds, sent)
                rounds.append(pair)
        finally:
            process.stop()
    median = {name: statistics.median(pair[name] for pair in rounds) for name in ("http", "grpc")}
    ratio = statistics.median(pair["grpc"] / pair["http"] for pair in rounds)
    print(json.dumps({"cpu_us": {name: round(value, 2) for name, value in median.items()}, "ratio": round(ratio, 3)}))
    raise SystemExit(ratio > options.target)


if __name__ == "__main__":
    main()
