"""A strict client of HTTP/1.1, WebSocket and server-sent events: what is not exactly one answer is an error."""

import asyncio
import base64
import os
import ssl
import struct
from dataclasses import dataclass

PATIENCE = 20.0
"""Seconds within which a piece of an answer must come."""


class Cut(Exception):
    """There is no connection, or it ended before the answer did."""


class Malformed(Exception):
    """What came is no answer of HTTP."""


@dataclass
class Answer:
    """One answer, whole."""

    status: int
    fields: dict[str, list[str]]
    body: bytes = b""

    def field(self, name: str) -> str | None:
        """The first field of this name."""
        return self.fields.get(name, [None])[0]


class Connection:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.usable = True

    @classmethod
    async def open(cls, port: int, tls: ssl.SSLContext | None = None) -> "Connection":
        """Connects on loopback."""
        try:
            name = "localhost" if tls else None
            opening = asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
            return cls(*await asyncio.wait_for(opening, PATIENCE))
        except (OSError, ssl.SSLError, asyncio.TimeoutError) as error:
            raise Cut(f"connect: {error!r}") from None

    async def send(self, data: bytes) -> None:
        """Writes and flushes."""
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), PATIENCE)
        except (OSError, ssl.SSLError, asyncio.TimeoutError) as error:
            raise Cut(f"send: {error!r}") from None

    async def read(self, reading):
        """What `reading` gives, within the patience."""
        try:
            return await asyncio.wait_for(reading, PATIENCE)
        except asyncio.IncompleteReadError as error:
            raise Cut(f"ended after {error.partial[-60:]!r}") from None
        except asyncio.TimeoutError:
            raise Cut("no answer in time") from None
        except (OSError, ssl.SSLError) as error:
            raise Cut(f"read: {error!r}") from None
        except (asyncio.LimitOverrunError, ValueError) as error:
            raise Malformed(str(error)) from None

    async def head(self) -> Answer:
        """The head of the next answer that is no interim one."""
        while True:
            raw = await self.read(self.reader.readuntil(b"\r\n\r\n"))
            first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
            words = first.split(" ", 2)
            if len(words) < 2 or words[0] not in ("HTTP/1.1", "HTTP/1.0") or not words[1].isdigit():
                raise Malformed(repr(raw[:200]))
            fields: dict[str, list[str]] = {}
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon or name != name.strip():
                    raise Malformed(repr(line))
                fields.setdefault(name.lower(), []).append(value.strip())
            if not 100 <= int(words[1]) < 200 or words[1] == "101":
                return Answer(int(words[1]), fields)

    async def request(self, method: str, target: str, fields: dict[str, str], body: bytes | None = None) -> Answer:
        """Sends a request and reads its answer whole."""
        head = f"{method} {target} HTTP/1.1\r\nhost: gateway.test\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        if body is not None:
            head += f"content-length: {len(body)}\r\n"
        self.usable = False
        await self.send(head.encode("latin-1") + b"\r\n" + (body or b""))
        answer = await self.head()
        answer.body = await self.body(method, answer)
        self.usable = "close" not in (answer.field("connection") or "")
        return answer

    async def body(self, method: str, answer: Answer) -> bytes:
        """The rest of an answer (RFC 9112, section 6.3)."""
        if method == "HEAD" or answer.status in (204, 304):
            return b""
        codings, lengths = answer.fields.get("transfer-encoding", []), answer.fields.get("content-length", [])
        if len(codings) + len(set(lengths)) > 1:
            raise Malformed(f"two lengths: {answer.fields}")
        if codings:
            return await self.chunks()
        if lengths:
            return await self.read(self.reader.readexactly(int(lengths[0])))
        return await self.read(self.reader.read(-1))

    async def chunks(self) -> bytes:
        """A body in chunks, without its trailers."""
        body = b""
        while True:
            size = int((await self.read(self.reader.readuntil(b"\r\n"))).split(b";")[0], 16)
            if size == 0:
                while await self.read(self.reader.readuntil(b"\r\n")) != b"\r\n":
                    pass
                return body
            body += await self.read(self.reader.readexactly(size))
            if await self.read(self.reader.readexactly(2)) != b"\r\n":
                raise Malformed("a chunk without an end")

    async def upgrade(self, target: str, fields: dict[str, str]) -> Answer:
        """Asks for a WebSocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {target} HTTP/1.1\r\nhost: gateway.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        head += f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.usable = False
        await self.send(head.encode() + b"\r\n")
        answer = await self.head()
        if answer.status != 101:
            answer.body = await self.body("GET", answer)
        return answer

    async def say(self, text: str) -> str:
        """Sends one text frame and reads the one that comes back."""
        await self.send(frame(text.encode(), os.urandom(4)))
        first, length = await self.read(self.reader.readexactly(2))
        if length >= 126:
            raise Malformed("a long frame")
        payload = await self.read(self.reader.readexactly(length))
        if first == 0x88:
            raise Cut("the WebSocket was closed")
        return payload.decode()

    def has_ended(self) -> bool:
        """Whether the gateway has ended a connection that rests."""
        return self.reader.at_eof() or self.writer.transport.is_closing()

    def close(self) -> None:
        """Ends the connection without a word."""
        self.usable = False
        self.writer.transport.abort()


def frame(payload: bytes, mask: bytes) -> bytes:
    """A short text frame of a client (RFC 6455, section 5.2)."""
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return struct.pack("BB", 0x81, 0x80 | len(payload)) + mask + masked
