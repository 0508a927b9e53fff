#!/usr/bin/env bash
# A key published under the name `Ed25519` (RFC 9864) is not there for PyJWT, and no error says so.
#
# Packages   PyJWT 2.15.1 with cryptography 50.0.2, joserfc 1.8.0 (PyPI), seen on 30 November 2026, Python 3.11
# Behaviour  RFC 9864 (2025) gives the signature that JOSE called `EdDSA` the name `Ed25519`. joserfc signs and verifies under both.
#            PyJWT refuses a token of the new name, and PyJWKSet drops a key whose `alg` has it without a word: a set of
#            two keys becomes a set of one, and the token's `kid` is then "not found". The same key without `alg` loads.
#            joserfc, for its part, signs under neither name unless it is listed: both count as "not recommended".
# One would  expect an error for the key that cannot be used, or the one signature under both names; and that
#            the name which RFC 9864 introduces as the recommended one is allowed by default.
# So         publish keys as `EdDSA`, or without `alg`, as long as clients in Python verify them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pyjwt==2.15.1' 'cryptography==50.0.2' 'joserfc==1.8.0'

cat > "$folder/names.py" <<'PY'
import warnings

import jwt
from joserfc import jwt as jose
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import OKPKey

warnings.simplefilter("ignore")
key = OKPKey.generate_key("Ed25519")
public = key.as_dict(private=False)
for name in ("EdDSA", "Ed25519"):
    try:
        jose.encode({"alg": name}, {"sub": "a"}, key)
        print(f"joserfc signs {name} by default: yes")
    except UnsupportedAlgorithmError:
        print(f"joserfc signs {name} by default: no")
    token = jose.encode({"alg": name}, {"sub": "a"}, key, algorithms=[name])
    jose.decode(token, OKPKey.import_key(public), algorithms=[name])
    try:
        jwt.decode(token, jwt.PyJWK({**public, "alg": "EdDSA"}).key, algorithms=[name])
        print(f"PyJWT verifies {name}: yes")
    except jwt.InvalidAlgorithmError:
        print(f"PyJWT verifies {name}: no")
keys = [{**public, "kid": "new", "alg": "Ed25519"}, {**public, "kid": "plain"}]
print("keys of a set of two:", [one.key_id for one in jwt.PyJWKSet.from_dict({"keys": keys}).keys])
PY

expected="joserfc signs EdDSA by default: no
PyJWT verifies EdDSA: yes
joserfc signs Ed25519 by default: no
PyJWT verifies Ed25519: no
keys of a set of two: ['plain']"
seen=$("$folder/venv/bin/python" "$folder/names.py")
echo "$seen"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
