#!/usr/bin/env python3
"""How many POSTs are lost where a service closes kept connections after a rest.

    scripts/bench/keep_alive.py BINARY [--rest 5] [--rounds 30] [--clients 115]

The service answers at once, and closes a connection when it has rested for so long, as uvicorn, Apache (5 s), gunicorn (2 s)
and others do. In each round every client sends a POST, waits until the very moment of the close, a few milliseconds more
or less, and sends another one, which a gateway must not repeat. Everything is on the loopback interface and bounded in time.
"""

import argparse
import asyncio
import collections
import os
import re
import secrets
import subprocess
import tempfile
import time

CONFIG = """
server: {{ listen: "127.0.0.1:0", workers: 2 }}
admin: {{ listen: "off" }}
log: {{ format: json, access: false }}
auth: {{ token: {{ secret: "{secret}" }} }}
services:
  all: {{ upstream: "http://127.0.0.1:{port}", rules: [ {{ path: /**, allow: anyone }} ] }}
"""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"


class Service(asyncio.Protocol):
    """Closes what has rested, as asyncio servers do: by a timer from the end of an answer on."""

    rest = 5.0

    def connection_made(self, transport):
        self.transport, self.timer, self.unread = transport, None, b""

    def data_received(self, data):
        if self.timer:
            self.timer.cancel()
        self.unread += data
        if self.unread.endswith(b"\r\n\r\nhi"):
            self.unread = b""
            self.transport.write(ANSWER)
            self.timer = asyncio.get_running_loop().call_later(self.rest, self.transport.close)

    def connection_lost(self, _):
        if self.timer:
            self.timer.cancel()


async def post(stream):
    reader, writer = stream
    writer.write(POST)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = int(re.search(rb"content-length: (\d+)", head, re.I)[1])
    await asyncio.wait_for(reader.readexactly(length), 20)
    return int(head.split()[1])


async def client(number, port, options, seen):
    stream = await asyncio.open_connection("127.0.0.1", port)
    for turn in range(options.rounds):
        await post(stream)
        answered = time.monotonic()
        # from 15 ms before the moment to 5 ms behind it, another one in each round
        offset = ((number * 7 + turn * 3) % 200) / 10_000 - 0.015
        await asyncio.sleep(options.rest + offset - (time.monotonic() - answered))
        seen[await post(stream)] += 1
    stream[1].close()


async def measure(options):
    Service.rest = options.rest
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Service, "127.0.0.1", 0)
    upstream = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "gateway.yaml")
        with open(path, "w") as file:
            file.write(CONFIG.format(secret=secrets.token_hex(32), port=upstream))
        with open(os.path.join(folder, "users.yaml"), "w") as file:
            file.write("users: {}\n")
        gateway = subprocess.Popen([options.binary, "run", "-c", path], stderr=subprocess.PIPE, text=True)
        try:
            port = None
            while port is None:
                line = await loop.run_in_executor(None, gateway.stderr.readline)
                found = re.search(r"clients.*?127\.0\.0\.1:(\d+)", line)
                port = found and int(found[1])
            drain = loop.run_in_executor(None, gateway.stderr.read)
            seen = collections.Counter()
            await asyncio.gather(*(client(n, port, options, seen) for n in range(options.clients)))
        finally:
            gateway.terminate()
            gateway.wait(60)
        await drain
    total = sum(seen.values())
    print(f"{total} POSTs at {options.rest} s of rest: {total - seen[200]} lost, {dict(seen)}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary")
    arguments.add_argument("--rest", type=float, default=5.0)
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--clients", type=int, default=115)
    asyncio.run(measure(arguments.parse_args()))
