"""Verifies a token as a service does that asks the gateway for its public keys. Prints the claims as JSON."""

import json
import sys

import jwt

url, token, algorithm = sys.argv[1:]
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
print(json.dumps(jwt.decode(token, key, algorithms=[algorithm], audience="gatelatch", issuer="gatelatch")))
