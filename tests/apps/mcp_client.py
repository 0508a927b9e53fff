"""A client of MCP's Python SDK that knows the URL of a server and nothing else: `mcp_client.py URL NAME [CLIENT JSON]`.

It finds the authorization server by the 401, registers there unless it is given a client, and has NAME sign in, whose browser
is played by HTTP. Prints as JSON what its tool said, or the error, and every request that it sent.
"""

import asyncio
import html
import json
import re
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata

url, name, *given = sys.argv[1:]
CALLBACK = "http://127.0.0.1:47123/callback"  # nobody listens there: the browser goes no further


class Memory:
    """What a client keeps: nothing from before."""

    def __init__(self, client):
        self.tokens, self.client = None, client

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    """Signs in and agrees to everything, until it is sent back to the client."""

    def __init__(self):
        self.back = None

    async def open(self, address):
        async with httpx.AsyncClient() as http:
            answer = await http.get(address)
            for _ in range(12):
                if "location" in answer.headers:
                    address = urljoin(str(answer.url), answer.headers["location"])
                    if address.startswith(CALLBACK):
                        self.back = {key: value for key, [value] in parse_qs(urlsplit(address).query).items()}
                        return
                    answer = await http.get(address)
                    continue
                answer.raise_for_status()
                action = html.unescape(re.search(r'<form[^>]*action="([^"]*)"', answer.text)[1])
                hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', answer.text))
                form = hidden | {"login": name, "password": "any"} if 'name="login"' in answer.text else hidden
                answer = await http.post(urljoin(str(answer.url), action), data=form)
        raise SystemExit(f"the browser is stuck at {answer.url}: {answer.text}")

    async def result(self):
        return AuthorizationCodeResult(**{key: self.back.get(key) for key in ("code", "state", "iss")})


async def main():
    client = OAuthClientInformationFull(**json.loads(given[0])) if given else None
    memory, browser, sent = Memory(client), Browser(), []

    async def note(response):
        request = response.request
        sent.append(f"{request.method} {request.url} {response.status_code}")

    metadata = OAuthClientMetadata(redirect_uris=[CALLBACK], client_name="tests", token_endpoint_auth_method="none")
    oauth = OAuthClientProvider(url, metadata, memory, browser.open, browser.result)
    said, error = None, None
    try:
        async with (
            httpx2.AsyncClient(auth=oauth, event_hooks={"response": [note]}) as http,
            Client(streamable_http_client(url, http_client=http)) as session,
        ):
            result = await session.call_tool("caller", {})
            said = result.content[0].text
    except Exception as failure:
        while isinstance(failure, ExceptionGroup):
            failure = failure.exceptions[0]
        error = f"{type(failure).__name__}: {failure}"
    print(json.dumps({"said": said, "error": error, "sent": sent}))


asyncio.run(main())
