"""Programs that get tokens with a user's name and API key: two libraries, by Basic and by the body; then a question about the
token, and its end."""

import os
import sys

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the test is on the loopback address

import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session

base, name, key, client, secret = sys.argv[1:]
endpoint, me = f"{base}/auth/token", f"{base}/auth/me"


def with_requests_oauthlib(**how):
    session = OAuth2Session(client=BackendApplicationClient(client_id=name, scope="jobs"))
    session.fetch_token(endpoint, client_id=name, client_secret=key, **how)
    return session.get(me).json()["roles"], session.token["scope"]


def with_authlib(method):
    session = AuthlibSession(name, key, token_endpoint_auth_method=method)
    token = session.fetch_token(endpoint, grant_type="client_credentials")
    return session.get(me).json()["sub"], token["access_token"]


print("requests-oauthlib basic", *with_requests_oauthlib())
print("requests-oauthlib body", *with_requests_oauthlib(include_client_id=True, auth=False))
print("authlib basic", with_authlib("client_secret_basic")[0])
sub, token = with_authlib("client_secret_post")
print("authlib body", sub)

asking = AuthlibSession(client, secret)
found = asking.introspect_token(f"{base}/auth/introspect", token=token).json()
print("introspected", found["active"], found["sub"])
print("revoked", asking.revoke_token(f"{base}/auth/revoke", token=token).status_code)
print("introspected", asking.introspect_token(f"{base}/auth/introspect", token=token).json())
print("status", requests.get(me, headers={"Authorization": f"Bearer {token}"}).status_code)
