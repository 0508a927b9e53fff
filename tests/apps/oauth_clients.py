"""OAuth 2 clients of two libraries: the password grant, a call, a refresh, and a call with the new token."""

import os
import sys

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the test is on the loopback address

from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from oauthlib.oauth2 import LegacyApplicationClient
from requests_oauthlib import OAuth2Session

base, user, password = sys.argv[1:]
endpoint, me = f"{base}/auth/token", f"{base}/auth/me"


def with_requests_oauthlib():
    session = OAuth2Session(client=LegacyApplicationClient(client_id="any"))
    token = session.fetch_token(endpoint, username=user, password=password)
    first = session.get(me).json()["sub"]
    new = session.refresh_token(endpoint)
    return first, session.get(me).status_code, new["refresh_token"] != token["refresh_token"]


def with_authlib():
    session = AuthlibSession("any", token_endpoint_auth_method="none")
    token = session.fetch_token(endpoint, username=user, password=password, grant_type="password")
    first = session.get(me).json()["sub"]
    new = session.refresh_token(endpoint, refresh_token=token["refresh_token"])
    return first, session.get(me).status_code, new["refresh_token"] != token["refresh_token"]


print("requests-oauthlib", *with_requests_oauthlib())
print("authlib", *with_authlib())
