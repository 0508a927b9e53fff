#!/usr/bin/env python3
"""A short load of every usual kind, for the optimiser to learn from: train.py BINARY. Needs nothing but Python; with
`h2load` (nghttp2) on the path it learns HTTP/2 as well.

The gateway stands between an upstream and clients of this process; its profile is written when it ends.
"""

import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import tokens
from machine import Process, free_ports

# so many that requests outweigh the start, in which a thousand users are read
ROUNDS = 600
HTTP2_REQUESTS = 40_000
SMALL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"ok\": true}"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000


def serve(listener):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=converse, args=(client,), daemon=True).start()


def converse(client):
    """Answers whatever comes; the request says by its path how much."""
    with client, client.makefile("rb") as lines:
        while True:
            head = read_head(lines)
            if not head:
                return
            lines.read(length_of(head))
            client.sendall(LARGE if b"/large" in head[0] else SMALL)


def read_head(lines):
    head = []
    for line in iter(lines.readline, b""):
        if line == b"\r\n":
            return head
        head.append(line)
    return []


def length_of(head):
    return next((int(line.split(b":")[1]) for line in head if line.lower().startswith(b"content-length:")), 0)


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.lines = self.socket.makefile("rb")

    def ask(self, method, path, fields=(), body=b""):
        lines = [f"{method} {path} HTTP/1.1", "Host: api.example.com", "User-Agent: train/1.0", "Accept: */*", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = read_head(self.lines)
        self.lines.read(length_of(head))
        return int(head[0].split()[1])

    def close(self):
        self.lines.close()
        self.socket.close()


def train(port, warm, cold):
    """Mostly what is usual: small answers for tokens seen before; each round a little of everything else."""
    client = Client(port)
    for turn in range(ROUNDS):
        for number in range(100):
            expect(client.ask("GET", "/small?page=2", [bearer(warm[number % 20])]), 200)
        for number in range(20):
            expect(client.ask("GET", f"/items/{number}", [bearer(cold[(turn * 20 + number) % len(cold)])]), 200)
        expect(client.ask("GET", "/large", [bearer(warm[0])]), 200)
        expect(client.ask("POST", "/items", [bearer(warm[1]), "Content-Type: application/json"], b"{}" * 500), 200)
        expect(client.ask("GET", "/small"), 401)
        expect(client.ask("GET", "/admin/x", [bearer(warm[0])]), 403)
        once = Client(port)
        expect(once.ask("GET", "/small", [bearer(warm[2]), "Connection: close"]), 200)
        once.close()
    client.close()


def train_http2(port, token):
    if not shutil.which("h2load"):
        print("train.py: no h2load (Debian: nghttp2-client); HTTP/2 is left out", file=sys.stderr)
        return
    command = ["h2load", "-t1", "-c8", "-m8", f"-n{HTTP2_REQUESTS}", "-H", bearer(token), f"http://127.0.0.1:{port}/small"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    if f"{HTTP2_REQUESTS} succeeded" not in said:
        sys.exit(f"train.py: h2load says\n{said}")


def bearer(token):
    return f"Authorization: Bearer {token}"


def expect(status, expected):
    if status != expected:
        sys.exit(f"train.py: {status}, where {expected} was expected")


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="gatelatch-train-") as scratch:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port, admin = free_ports(2)
        config = write_config(scratch, port, admin, listener.getsockname()[1])
        gateway = Process([binary, "run", "--config", config], "gateway", f"{scratch}/log")
        try:
            gateway.wait_for(port)
            # many more than the gateway keeps, so that each is new again when its turn comes
            warm, cold = tokens.warm()[:20], tokens.cold(6000)
            train(port, warm, cold)
            train_http2(port, warm[0])
        finally:
            gateway.stop()


def write_config(scratch, port, admin, upstream):
    tokens.write_users(f"{scratch}/users.yaml")
    text = (pathlib.Path(__file__).parent / "conf/gateway.yaml").read_text()
    values = {"PORT": port, "ADMIN": admin, "UPSTREAM": upstream, "USERS": "users.yaml", "TLS": "",
              "KEY": f'algorithm: HS256, secret: "{tokens.SECRET}"'}
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    path = f"{scratch}/gateway.yaml"
    pathlib.Path(path).write_text(text)
    return path


if __name__ == "__main__":
    main()
