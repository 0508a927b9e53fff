"""Verifies a token as a service does that asks the gateway for its public keys. Prints the claims as JSON."""

import base64
import json
import sys
import urllib.request

import jwt
from jwt.algorithms import OKPAlgorithm

url, token, algorithm = sys.argv[1:]
rules = {"audience": "gatelatch", "issuer": "gatelatch"}
if algorithm == "Ed25519":
    # PyJWT knows the older name alone: the key without its name, and the signature as RFC 8032 says it
    with urllib.request.urlopen(url) as answer:
        [key] = json.load(answer)["keys"]
    assert key.pop("alg") == algorithm
    message, _, signature = token.rpartition(".")
    OKPAlgorithm.from_jwk(key).verify(base64.urlsafe_b64decode(signature + "=="), message.encode())
    claims = jwt.decode(token, options={"verify_signature": False, "verify_aud": True, "verify_exp": True}, **rules)
else:
    key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=[algorithm], **rules)
print(json.dumps(claims))
