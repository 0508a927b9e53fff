"""Tokens and user lists for the benchmark."""

import base64
import hashlib
import hmac
import json
import random
import subprocess
import time

SECRET = "a secret that protects nothing but a benchmark"
VALID = 1000
BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def text64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def user(number):
    return f"user-{number:07d}"


def claims(number, role="user", life=86400, **more):
    now = int(time.time())
    return {"iss": "bench", "aud": "api", "sub": user(number), "role": role, "roles": [role, "reader"],
            "email": f"{user(number)}@example.com", "iat": now, "exp": now + life, **more}


def token(said, secret=SECRET, algorithm="HS256"):
    header = text64(json.dumps({"alg": algorithm, "typ": "JWT"}, separators=(",", ":")).encode())
    payload = text64(json.dumps(said, separators=(",", ":")).encode())
    signature = hmac.new(secret.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    return f"{header}.{payload}.{text64(signature)}"


def warm(users=VALID):
    """As many tokens as the gateway remembers easily, of people all over the list."""
    return [token(claims(number * (users // VALID))) for number in range(VALID)]


def cold(count=100_000):
    """Many more than any cache keeps: in a round robin each of them is verified anew."""
    return [token(claims(number % VALID, jti=f"{number:08x}")) for number in range(count)]


def samples():
    """One of each kind, for the check before the measuring: (what, token, path, expected status)."""
    none = token(claims(1), algorithm="none").rsplit(".", 1)[0] + "."
    return [
        ("no token", None, "/echo", 401),
        ("another secret", token(claims(1), secret="not the secret that the gateways know"), "/echo", 401),
        ("expired", token(claims(1, life=-3600)), "/echo", 401),
        ("alg none", none, "/echo", 401),
        ("another alg", token(claims(1), algorithm="HS512"), "/echo", 401),
        ("another role", token(claims(VALID + 1, role="guest")), "/echo", 403),
        ("a user at /admin/", token(claims(1)), "/admin/x", 403),
        ("an admin at /admin/", token(claims(VALID, role="admin")), "/admin/x", 404),
    ]


def write_users(path, count=VALID):
    """A list of `count` users, an admin and a guest. Nobody logs in: the hashes belong to no password."""
    chance = random.Random(1)
    roles = {VALID: "admin", VALID + 1: "guest"}
    with open(path, "w") as out:
        out.write("users:\n")
        for number in range(max(count, VALID + 2)):
            out.write(f"  {user(number)}: {{ password: \"{nobodys_hash(chance)}\", roles: [{roles.get(number, 'user')}, reader], "
                      f"email: {user(number)}@example.com }}\n")


def nobodys_hash(chance):
    """A well-formed bcrypt hash of cost 10: the last characters of salt and digest carry fewer bits than the others."""
    salt, digest = ("".join(chance.choices(BCRYPT, k=count)) for count in (21, 30))
    return f"$2b$10${salt}.{digest}."


def issued(binary, config, count):
    """Tokens that the gateway itself signs, for algorithms that Python cannot do without libraries."""
    command = [binary, "token", "issue", "--config", config, "--ttl", "1d", "--user"]
    return [subprocess.run([*command, user(number)], check=True, capture_output=True, text=True).stdout.strip()
            for number in range(count)]
