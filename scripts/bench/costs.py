#!/usr/bin/env python3
"""What kinds of requests cost, one beside the other.

    scripts/bench/costs.py BINARY [KIND...] [--requests 300] [--keep FOLDER]
    scripts/bench/costs.py BINARY [KIND...] --cpu [--seconds 3] [--rounds 9]

In instructions, which no noise of the machine disturbs: each kind is counted by callgrind in two runs of the gateway, with so
many requests and with three times as many; the difference is divided by the requests between them. One request follows the
other. BINARY is built with `cargo build --profile bounded`, or `profiling` for the names of functions in what --keep leaves
for `callgrind_annotate`. Or in CPU time of the gateway a request, under load, in turns; medians of the rounds and of the
ratios within a round.

    bearer    a token that was seen before          basic     a password that was checked before
    plain     a rule without a rate                 rate      one with a rate
    verify    /auth/verify over h2c                 grpc      a check of Envoy's over h2c

Needs valgrind, h2load (nghttp2-client) and nginx. valgrind knows no SHA instructions: there, hashes count for more than they
cost.
"""

import argparse
import base64
import contextlib
import json
import re
import socket
import statistics
import subprocess
import tempfile

import checks
import tokens
from machine import Failed, Process, free_ports

CONFIG = """
server: {{ listen: ["127.0.0.1:{port}"], workers: 1, trusted_proxies: [127.0.0.1] }}
admin: {{ listen: "off" }}
log: {{ format: json, access: true }}
auth: {{ users_file: users.yaml, token: {{ secret: "{secret}", issuer: bench, audience: api, max_lifetime: 7d }} }}
services:
  api:
    upstream: "http://127.0.0.1:{upstream}"
    credentials: [bearer, cookie, basic]
    rules:
      - {{ path: /jobs, allow: authenticated }}
      - {{ path: /rate, allow: authenticated, rate: {{ requests: 1000000, per: 1s, by: user }} }}
"""
PASSWORD, HASH = "correct horse", "$2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC"
PAIRS = [("bearer", "basic"), ("plain", "rate"), ("verify", "grpc")]


SERVICE = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; default_type application/json;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
    scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{{}}"; }} }}
}}
"""


def asked_for(kind, token):
    """The path and the fields of a request."""
    basic = base64.b64encode(f"measured:{PASSWORD}".encode()).decode()
    credential = f"Basic {basic}" if kind == "basic" else f"Bearer {token}"
    fields = {"Host": "api.example.com", "Authorization": credential, "Accept": "*/*", "User-Agent": "bench/1.0"}
    return "/rate" if kind == "rate" else "/jobs", fields


def head(kind, token):
    path, fields = asked_for(kind, token)
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), ""]
    return "".join(f"{line}\r\n" for line in lines).encode()


def over_http1(port, request, count):
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        received = client.makefile("rb")
        for _ in range(count):
            client.sendall(request)
            status = received.readline()
            if b" 200 " not in status:
                raise Failed(f"{request!r}: {status!r}")
            length = 0
            for line in iter(received.readline, b"\r\n"):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            received.read(length)


def over_http2(arguments, count):
    done = subprocess.run(["h2load", "-t1", "-c1", "-m1", f"-n{count}", *arguments], capture_output=True, text=True,
                          timeout=600)
    if f"status codes: {count} 2xx" not in done.stdout:
        raise Failed(f"h2load: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def started(launcher, role, token):
    """A gateway with a service behind it: its process, its port, its folder."""
    with tempfile.TemporaryDirectory() as folder:
        port, upstream = free_ports(2)
        tokens.write_users(f"{folder}/users.yaml")
        with open(f"{folder}/users.yaml", "a") as users:
            users.write(f"  measured: {{ password: {HASH}, roles: [user] }}\n")
        for name, content in [("gateway.yaml", CONFIG.format(port=port, upstream=upstream, secret=tokens.SECRET).encode()),
                              ("nginx.conf", SERVICE.format(folder=folder, port=upstream).encode()),
                              ("check", checks.message(token))]:
            with open(f"{folder}/{name}", "wb") as out:
                out.write(content)
        service = Process(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], "load", f"{folder}/service.log")
        gateway = Process([*launcher, "run", "--config", f"{folder}/gateway.yaml"], role, f"{folder}/log")
        try:
            service.wait_for(upstream)
            gateway.wait_for(port)
            yield gateway, port, folder
        finally:
            gateway.stop()
            service.stop()


def collected(options, kind, count, token):
    """Instructions of a whole run."""
    out = f"{options.keep}/callgrind.{kind}.{count}" if options.keep else "/dev/null"
    launcher = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", options.binary]
    with started(launcher, "load", token) as (gateway, port, folder):
        if kind in ("verify", "grpc"):
            over_http2(checks.arguments(kind, token, f"http://127.0.0.1:{port}", f"{folder}/check"), count)
        else:
            over_http1(port, head(kind, token), count)
        gateway.stop()
        with open(gateway.log) as log:
            found = re.findall(r"Collected : (\d+)", log.read())
    if not found:
        raise Failed("callgrind said nothing")
    return int(found[-1])


def in_instructions(options, token):
    each = {}
    for kind in options.kinds:
        few, many = (collected(options, kind, count, token) for count in (options.requests, 3 * options.requests))
        each[kind] = (many - few) // (2 * options.requests)
    return {"instructions": each, "ratios": ratios(lambda one, two: each[two] / each[one], each)}


def in_cpu_time(options, token):
    with started([options.binary], "gateway", token) as (gateway, port, folder):
        base = f"http://127.0.0.1:{port}"

        def sent(kind):
            if kind in ("verify", "grpc"):
                return checks.arguments(kind, token, base, f"{folder}/check")
            path, fields = asked_for(kind, token)
            return ["--h1", "-m1", *(part for name, value in fields.items() for part in ("-H", f"{name}: {value}")),
                    f"{base}{path}"]

        for kind in options.kinds:
            checks.asked(gateway, 1, sent(kind))
        rounds = []
        for turn in range(options.rounds):
            order = options.kinds[:: 1 if turn % 2 == 0 else -1]
            rounds.append({kind: checks.asked(gateway, options.seconds, sent(kind)) for kind in order})
    each = {kind: round(statistics.median(one[kind] for one in rounds), 2) for kind in options.kinds}
    return {"cpu_us": each,
            "ratios": ratios(lambda one, two: statistics.median(turn[two] / turn[one] for turn in rounds), each)}


def ratios(of, kinds):
    return {f"{two} to {one}": round(of(one, two), 3) for one, two in PAIRS if one in kinds and two in kinds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("kinds", nargs="*", default=[kind for pair in PAIRS for kind in pair])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--keep", help="a folder for what callgrind writes")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    token = tokens.warm()[0]
    print(json.dumps(in_cpu_time(options, token) if options.cpu else in_instructions(options, token)))


if __name__ == "__main__":
    main()
