"""An OpenID provider that signs everybody in at once: `python -m chaos.provider PORT ENDED KEY...`.

Its codes and refresh tokens hold what they stand for, so that they outlive it; the sessions that it has ended stand in the file ENDED. Each
start signs with the next KEY and publishes that one alone, as a provider does that has exchanged its keys.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from .truth import PEOPLE
from .upstream import body

CLIENT, CLIENT_SECRET = "gateway", "the secret of the gateway as a client"
SEAL = b"what nobody else can make"
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 in a signature (RFC 8017, section 9.2)."""


def encoded(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The reverse."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sealed(value: dict) -> str:
    """A text that nobody else can make."""
    text = encoded(json.dumps(value).encode())
    return f"{text}.{encoded(hmac.digest(SEAL, text.encode(), 'sha256'))}"


def opened(text: str) -> dict:
    """What was sealed; `ValueError` where nothing was."""
    payload, _, seal = text.partition(".")
    if not hmac.compare_digest(decoded(seal), hmac.digest(SEAL, payload.encode(), "sha256")):
        raise ValueError("not sealed here")
    return json.loads(decoded(payload))


class Key:
    """An RSA key of 2048 bits, with signatures of the standard library alone."""

    def __init__(self, path: str):
        command = ["openssl", "rsa", "-in", path, "-traditional", "-outform", "DER"]
        der = subprocess.run(command, check=True, capture_output=True).stdout
        # RSAPrivateKey (RFC 8017, appendix A.1.2): a sequence of integers; version, modulus and both exponents come first
        at, self.numbers = 4, []
        while len(self.numbers) < 4:
            length, at = der[at + 1], at + 2
            if length > 0x80:
                more = length & 0x7F
                length, at = int.from_bytes(der[at : at + more], "big"), at + more
            self.numbers.append(int.from_bytes(der[at : at + length], "big"))
            at += length
        self.name = Path(path).stem

    def published(self) -> dict:
        """As a member of a key set."""
        _, modulus, exponent, _ = self.numbers
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.name,
                "n": encoded(modulus.to_bytes(256, "big")), "e": encoded(exponent.to_bytes(3, "big"))}

    def sign(self, kind: str, claims: dict) -> str:
        """A token."""
        head = {"alg": "RS256", "kid": self.name, "typ": kind}
        text = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}"
        digest = DIGEST_INFO + hashlib.sha256(text.encode()).digest()
        padded = b"\0\1" + b"\xff" * (256 - 3 - len(digest)) + b"\0" + digest
        _, modulus, _, private = self.numbers
        signature = pow(int.from_bytes(padded, "big"), private, modulus)
        return f"{text}.{encoded(signature.to_bytes(256, 'big'))}"


class Provider:
    """Its endpoints."""

    def __init__(self, port: int, ended: Path, keys: list[str]):
        self.issuer, self.ended = f"http://127.0.0.1:{port}", ended
        # the file has a line for each start, and one for each session that was ended
        with open(ended, "a") as file:
            file.write("started\n")
        lines = ended.read_text().splitlines()
        self.key = Key(keys[lines.count("started") % len(keys)])
        self.over, self.used = set(lines), set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
                _, target, _ = head[0].split(" ")
                fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:])}
                content = b"".join([piece async for piece in body(reader, fields)])
                url = urlsplit(target)
                asked = {name: values[0] for name, values in parse_qs(content.decode() or url.query).items()}
                status, more, said = self.answer(url.path, asked, fields)
                text = json.dumps(said).encode()
                head = f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n{more}\r\n"
                writer.write(head.encode() + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, path: str, asked: dict[str, str], fields: dict[str, str]) -> tuple[int, str, dict]:
        """Status, further fields and body."""
        match path:
            case "/.well-known/openid-configuration":
                return 200, "", self.metadata()
            case "/keys":
                return 200, "", {"keys": [self.key.published()]}
            case "/authorize":
                return self.authorize(asked)
            case "/token":
                return self.token(asked, fields)
            case "/end":
                return self.end(asked)
        return 404, "", {}

    def metadata(self) -> dict:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def authorize(self, asked: dict[str, str]) -> tuple[int, str, dict]:
        """Signs `who` in as the session `sid`, which the load adds, and sends the browser back."""
        kept = ("who", "sid", "nonce", "code_challenge", "redirect_uri", "client_id")
        code = sealed({"kind": "code", **{name: asked[name] for name in kept}})
        query = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return 303, f"location: {asked['redirect_uri']}?{query}\r\n", {}

    def token(self, asked: dict[str, str], fields: dict[str, str]) -> tuple[int, str, dict]:
        """Exchanges a code or a refresh token, for the right client only."""
        name, _, secret = base64.b64decode(fields.get("authorization", "").removeprefix("Basic ")).decode().partition(":")
        if parse_qs(f"n={name}&s={secret}") != {"n": [CLIENT], "s": [CLIENT_SECRET]}:
            return 401, "", {"error": "invalid_client"}
        try:
            is_code = asked["grant_type"] == "authorization_code"
            held = opened(asked["code" if is_code else "refresh_token"])
            if is_code:
                self.check_code(held, asked)
            if held["sid"] in self.over or held["kind"] != ("code" if is_code else "refresh"):
                raise ValueError("ended")
        except (KeyError, ValueError) as error:
            return 400, "", {"error": "invalid_grant", "error_description": str(error)}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": held["who"], "sid": held["sid"], "iat": now, "exp": now + 300,
                  "groups": PEOPLE[held["who"]]}
        if is_code:
            claims["nonce"] = held["nonce"]
        refresh = sealed({"kind": "refresh", "who": held["who"], "sid": held["sid"], "at": time.time()})
        return 200, "", {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": refresh,
                         "id_token": self.key.sign("JWT", claims)}

    def check_code(self, held: dict, asked: dict[str, str]) -> None:
        """Good once, for the request that it was given out for (RFC 7636, section 4.6)."""
        challenge = encoded(hashlib.sha256(asked["code_verifier"].encode()).digest())
        if asked["code"] in self.used or challenge != held["code_challenge"] or asked["redirect_uri"] != held["redirect_uri"]:
            raise ValueError("not this request's code, or no longer")
        self.used.add(asked["code"])

    def end(self, asked: dict[str, str]) -> tuple[int, str, dict]:
        """Ends a session here, for whoever asks, and gives the logout token about it."""
        sid, now = asked["sid"], int(time.time())
        self.over.add(sid)
        with open(self.ended, "a") as file:
            file.write(f"{sid}\n")
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": f"end of {sid}", "sid": sid,
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        return 200, "", {"logout_token": self.key.sign("logout+jwt", claims)}


async def main() -> None:
    """Listens until it is killed."""
    port = int(sys.argv[1])
    provider = Provider(port, Path(sys.argv[2]), sys.argv[3:])
    server = await asyncio.start_server(provider.serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
