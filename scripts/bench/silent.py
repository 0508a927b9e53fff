#!/usr/bin/env python3
"""A service for connections that wait or rest: silent.py PORT. /wait gets no answer, /sse and /ws the begin of one, anything
else a short one."""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
STREAM = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
          b"7\r\ndata:\n\n\r\n")
TUNNEL = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


async def converse(reader, writer):
    try:
        while True:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
            begun = {b"/wait": b"", b"/sse": STREAM, b"/ws": TUNNEL}.get(path)
            writer.write(ANSWER if begun is None else begun)
            if begun is not None:
                await reader.read()
                return
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(converse, "127.0.0.1", int(sys.argv[1]), backlog=8192)
    await server.serve_forever()


asyncio.run(main())
