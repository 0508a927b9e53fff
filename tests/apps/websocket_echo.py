"""A WebSocket server that knows nothing of the gateway, and a client of it."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve


async def echo(socket):
    await socket.send("user=" + socket.request.headers.get("Remote-User", "nobody"))
    async for message in socket:
        await socket.send(message)


async def run_server():
    async with serve(echo, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


async def talk(url, token):
    headers = {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers) as socket:
        user = await socket.recv()
        received = 0
        for number in range(100):
            await socket.send(bytes([number]) * 10_000)
            received += len(await socket.recv())
        await (await socket.ping())
    print(f"{user}, 100 messages, {received} bytes, closed {socket.close_code}")


async def offer(url, token):
    """As a page of a browser, which can set no other field."""
    async with connect(url, subprotocols=["bearer", token]) as socket:
        user = await socket.recv()
        await socket.send("echo")
        print(user, socket.subprotocol, await socket.recv())


if sys.argv[1] == "serve":
    asyncio.run(run_server())
elif sys.argv[1] == "offer":
    asyncio.run(offer(sys.argv[2], sys.argv[3]))
else:
    asyncio.run(talk(sys.argv[2], sys.argv[3]))
