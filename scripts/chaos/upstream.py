"""A service that says what it was asked: `python -m chaos.upstream PORT`."""

import asyncio
import base64
import hashlib
import json
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
            method, target, _ = head[0].split(" ")
            pairs = [line.split(":", 1) for line in head[1:]]
            fields = [(name.lower(), value.strip()) for name, value in pairs]
            named = dict(fields)
            if named.get("upgrade") == "websocket":
                await web_socket(reader, writer, named)
                return
            digest = hashlib.sha256()
            async for piece in body(reader, named):
                digest.update(piece)
            if target.startswith("/app/events"):
                await events(writer, target)
                return
            said = {"method": method, "target": target, "fields": fields, "sha256": digest.hexdigest()}
            text = json.dumps(said).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text))
            if method != "HEAD":
                writer.write(text)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def body(reader: asyncio.StreamReader, fields: dict[str, str]):
    """The pieces of a request's body."""
    if "transfer-encoding" in fields:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    elif length := int(fields.get("content-length", 0)):
        while length:
            piece = await reader.read(min(length, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(piece)
            yield piece


async def events(writer: asyncio.StreamWriter, target: str) -> None:
    """Twenty events in four seconds."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(20):
        text = f"data: {number} {target}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(text), text))
        await writer.drain()
        await asyncio.sleep(0.2)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def web_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fields: dict[str, str]) -> None:
    """Sends each short frame back, with who has sent it."""
    accept = hashlib.sha1((fields["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
    accept = base64.b64encode(accept.digest()).decode()
    writer.write(
        f"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n".encode()
    )
    while True:
        _, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        payload = await reader.readexactly(length & 0x7F)
        text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload)).decode()
        said = f"{text} {fields.get('remote-user')}".encode()
        writer.write(bytes([0x81, len(said)]) + said)
        await writer.drain()


async def main() -> None:
    """Listens until it is killed."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
