"""Logs in as Python clients do, and reads the token with two other libraries. Prints what they found as JSON."""

import json
import sys

import httpx
import jwt
from jose import jwt as jose

gateway, user, password, secret = sys.argv[1:]
form = {"grant_type": "password", "username": user, "password": password, "scope": "", "client_id": "", "client_secret": ""}
answer = httpx.post(f"{gateway}/auth/login", data=form)
answer.raise_for_status()
token = answer.json()["access_token"]
options = {"algorithms": ["HS256"], "audience": "gatelatch", "issuer": "gatelatch"}
bearer = {"Authorization": f"Bearer {token}"}
claims = jwt.decode(token, secret, **options)
made = jwt.encode({key: claims[key] for key in ("iss", "aud", "exp", "sub")}, secret, algorithm="HS256")
found = {
    "pyjwt": claims,
    "jose": jose.decode(token, secret, **options),
    "whoami": httpx.get(f"{gateway}/whoami", headers=bearer).json(),
    "made_by_pyjwt": httpx.get(f"{gateway}/whoami", headers={"Authorization": f"Bearer {made}"}).json(),
}
print(json.dumps(found))
