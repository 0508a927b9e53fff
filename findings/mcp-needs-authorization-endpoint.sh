#!/usr/bin/env bash
# The MCP client of Python refuses the metadata of an authorization server that has no authorization endpoint.
#
# Packages   mcp 2.3.0 (PyPI), Python 3.11; seen on 1 December 2026
# Behaviour  `OAuthMetadata`, by which the client reads `/.well-known/oauth-authorization-server`, requires `authorization_endpoint`. A document
#            that names a token endpoint and the grant `client_credentials` alone is an error of validation, also for the client's own
#            provider of client credentials, which never uses that endpoint; it then falls back to `/token` of the origin.
# One would  expect the document to do: RFC 8414, section 2, requires the field "unless no grant types are supported that use the
#            authorization endpoint".
# So         an authorization server for programs alone has to name an authorization endpoint for this client, or be named by hand.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mcp==2.3.0

seen=$("$folder/venv/bin/python" - <<'PY'
from pydantic import ValidationError
from mcp.shared.auth import OAuthMetadata

document = {
    "issuer": "https://login.example.com",
    "token_endpoint": "https://login.example.com/token",
    "grant_types_supported": ["client_credentials"],
    "response_types_supported": [],
}
for more in ({}, {"authorization_endpoint": "https://login.example.com/authorize"}):
    try:
        read = OAuthMetadata.model_validate({**document, **more})
        print("read:", read.token_endpoint)
    except ValidationError as error:
        print("refused:", *(f"{'.'.join(one['loc'])}: {one['type']}" for one in error.errors()))
PY
)
echo "$seen"
expected="refused: authorization_endpoint: missing
read: https://login.example.com/token"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
