"""Another issuer: makes a key pair for an algorithm and signs a token with it. Prints both as JSON: the key as a JSON Web Key
Set, without `alg` where `bare` is given.

PyJWT does not know the name `Ed25519` (RFC 9864); the signature below is made as the RFC says it."""

import base64
import json
import sys
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

issuer, algorithm, *bare = sys.argv[1:]
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}

if algorithm in CURVES:
    key, form = ec.generate_private_key(CURVES[algorithm]()), ECAlgorithm
elif algorithm in ("EdDSA", "Ed25519"):
    key, form = ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm
else:
    key, form = rsa.generate_private_key(65537, 2048), RSAAlgorithm

public = form.to_jwk(key.public_key(), as_dict=True) | {"kid": "of " + algorithm}
if not bare:
    public["alg"] = algorithm

now = int(time.time())
claims = {"iss": issuer, "aud": "api", "sub": "walter", "iat": now, "exp": now + 600}
if algorithm == "Ed25519":
    def encode(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    header = {"alg": algorithm, "typ": "JWT", "kid": public["kid"]}
    message = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    token = (message + b"." + encode(key.sign(message))).decode()
else:
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": public["kid"]})
print(json.dumps({"jwks": {"keys": [public]}, "token": token}))
