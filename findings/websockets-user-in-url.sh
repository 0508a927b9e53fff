#!/usr/bin/env bash
# websockets sends two Authorization fields where the URL names a user and the caller passes a token.
#
# Packages   websockets 17.4 and aiohttp 3.14.5 (PyPI), seen on 30 November 2026, Python 3.11
# Behaviour  `connect("ws://user:password@host/", additional_headers={"Authorization": "Bearer ..."})` opens with
#            `Authorization: Basic ...` and, after it, `Authorization: Bearer ...`. RFC 9110, 11.6.2 defines the field with one set of
#            credentials, 5.3 forbids several fields of a name that is no list. What the server takes is left to it: the first, the
#            last, both joined by a comma, or 400.
# One would  expect the explicit field to replace the one made of the URL (curl, requests), or an error before anything is sent, as
#            aiohttp raises for the same call.
# So         take the user out of the URL where a token is passed; a server that refuses says which field came twice.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'websockets==17.4' 'aiohttp==3.14.5'

cat > "$folder/two.py" <<'PY'
import asyncio

import aiohttp
import websockets

TOKEN = {"Authorization": "Bearer token"}


async def refuse(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = [line.split()[1] for line in head.split("\r\n") if line.lower().startswith("authorization:")]
    print("the server receives", " and ".join(fields))
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = "ws://rita:password@127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
    try:
        await websockets.connect(url, additional_headers=TOKEN)
    except websockets.InvalidStatus as error:
        print("websockets:", error)
    async with aiohttp.ClientSession() as session:
        try:
            await session.ws_connect(url, headers=TOKEN)
        except ValueError as error:
            print("aiohttp:", error)


asyncio.run(main())
PY
expected="the server receives Basic and Bearer
websockets: server rejected WebSocket connection: HTTP 400
aiohttp: Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL"
seen=$("$folder/venv/bin/python" "$folder/two.py")
echo "$seen"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
