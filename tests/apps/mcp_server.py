"""A server of MCP's Python SDK without one line of authentication: its tool says who called it, as the gateway says."""

import socket

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("jobs")


@server.tool()
def caller(ctx: Context) -> str:
    """Who calls, and whether a token came along."""
    return f"{ctx.headers.get('remote-user')}, token: {ctx.headers.get('authorization')}"


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
app = server.streamable_http_app(streamable_http_path="/")
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
