#!/usr/bin/env python3
"""What a storm of sign-ins with an OpenID provider does to proxied requests: their p99 with and without it, in alternating rounds.

  sign_ins.py GATELATCH [-r ROUNDS] [-d SECONDS] [--people 200] [--delay 0.1] [--connections 16] [--workers 2]

Starts a provider that answers its token endpoint after a while (--delay), nginx as upstream, and the gateway as a client of
the one and in front of the other, all on loopback; wrk asks with a token. In each storm round so many people go through a
whole sign-in at once, once a second: to the provider, back with a code, which the gateway redeems, and a session. In the
rounds between, the same people send as many requests to the gateway, which it refuses by their path (404), and redeem
their codes at the provider themselves: people and provider, who share the machine, disturb both alike.
Needs nginx, wrk and the Python package cryptography, and takes 2 * ROUNDS * SECONDS seconds and a little more.
"""
import argparse, asyncio, base64, json, os, re, shutil, signal, statistics, subprocess, sys, tempfile, time
import urllib.parse

from login_storm import HASHES, free_port, login, measure, wait_for, write


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def provider(port, delay):
    """an OpenID provider that knows everybody: a code is `code.` and the nonce of its sign-in"""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, issuer = Ed25519PrivateKey.generate(), f"http://127.0.0.1:{port}"
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    metadata = {
        "issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }
    keys = {"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "one", "x": base64url(public)}]}
    people = iter(range(10**9))

    def tokens(form):
        nonce = form["code"][0].removeprefix("code.")
        now, number = int(time.time()), next(people)
        claims = {
            "iss": issuer, "aud": "gateway", "sub": f"person-{number}", "iat": now, "exp": now + 300, "nonce": nonce,
            "name": f"Person {number}", "email": f"{number}@example.com", "email_verified": True, "groups": ["staff"],
        }
        head = {"alg": "EdDSA", "kid": "one"}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        token = f"{signed}.{base64url(key.sign(signed.encode()))}"
        return {"access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 300,
                "refresh_token": f"refresh-{number}", "id_token": token}

    async def serve(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length.group(1)) if length else 0)
                path = head.split(" ")[1]
                if path == "/token":
                    await asyncio.sleep(delay)
                    answer = tokens(urllib.parse.parse_qs(body.decode()))
                else:
                    answer = keys if path == "/keys" else metadata
                text = json.dumps(answer).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()
    asyncio.run(run())


def start(args, folder):
    """the provider, the upstream and the gateway, and where the gateway and the provider listen"""
    port, upstream, idp = free_port(), free_port(), free_port()
    write(folder, "nginx.conf", f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 "ok\\n"; }} }} }}
""")
    write(folder, "users.yaml", f"users:\n  measured: {{ password: {HASHES[4]} }}\n")
    write(folder, "gateway.yaml", f"""server: {{ listen: ["127.0.0.1:{port}"], workers: {args.workers} }}
admin: {{ listen: off }}
log: {{ level: error, access: false }}
auth:
  token: {{ secret: "of the benchmark, 0123456789abcdef0123456789" }}
  providers:
    - {{ name: corp, issuer: "http://127.0.0.1:{idp}", client_id: gateway, client_secret: of-the-benchmark-0123456789 }}
services:
  app: {{ upstream: "http://127.0.0.1:{upstream}", rules: [{{ path: /**, allow: authenticated }}] }}
""")
    log = open(os.path.join(folder, "log"), "w")
    own = [sys.executable, os.path.abspath(__file__), "--provider", str(idp), str(args.delay)]
    processes = [subprocess.Popen(own, stdout=log, stderr=log)]
    try:
        wait_for(idp)
        nginx = ["nginx", "-c", f"{folder}/nginx.conf", "-p", folder]
        processes.append(subprocess.Popen(nginx, stderr=subprocess.DEVNULL))
        processes.append(subprocess.Popen([args.gateway, "run", "-c", f"{folder}/gateway.yaml"], stdout=log, stderr=log))
        wait_for(upstream)
        wait_for(port)
    except SystemExit:
        end(processes)
        sys.stderr.write(open(log.name).read())
        raise
    return processes, port, idp


def end(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(60)


class Connection:
    """requests of one person, one after the other"""

    def __init__(self, port):
        self.port, self.streams = port, None

    async def ask(self, method, path, fields="", body=""):
        """status and head of the answer"""
        if not self.streams:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        if body:
            fields += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept: text/html\r\n{fields}\r\n{body}".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length.group(1)) if length else 0)
        return head[9:12], head


async def sign_in(gateway, idp, port):
    status, head = await gateway.ask("GET", "/auth/login/corp?next=/small")
    if status != "303":
        return f"not sent away: {status}"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(re.search(r"(?i)location: (\S+)", head).group(1)).query)
    cookie = re.search(r"(?i)set-cookie: ([^;]+)", head).group(1)
    answer = urllib.parse.urlencode({"code": "code." + query["nonce"][0], "state": query["state"][0]})
    status, head = await gateway.ask("GET", f"/auth/callback/corp?{answer}", f"Cookie: {cookie}\r\n")
    signed_in = status == "303" and re.search(r"(?i)set-cookie: gatelatch=ey", head)
    return "signed in" if signed_in else f"refused: {status}"


async def no_sign_in(gateway, idp, port):
    """as many requests, and as much work for the provider"""
    await gateway.ask("GET", "/auth/login/nobody?next=/small")
    await idp.ask("POST", "/token", body="grant_type=authorization_code&code=code.nonce")
    status, _ = await gateway.ask("GET", "/auth/callback/nobody?code=code.nonce&state=0123456789abcdefghijkl")
    return f"refused by path: {status}"


def storm(kind, port, idp_port, people, seconds):
    """signs in at the begin of each second, for so long, and prints what came of it"""
    come = sign_in if kind == "storm" else no_sign_in

    async def person(begin, outcomes):
        gateway, idp = Connection(port), Connection(idp_port)
        for second in range(seconds):
            await asyncio.sleep(max(0, begin + second - time.monotonic()))
            try:
                outcome = await come(gateway, idp, port)
            except (OSError, asyncio.IncompleteReadError) as error:
                gateway, idp, outcome = Connection(port), Connection(idp_port), type(error).__name__
            outcomes[outcome] = outcomes.get(outcome, 0) + 1

    async def all_of_them():
        outcomes, begin = {}, time.monotonic() + 0.5
        await asyncio.gather(*(person(begin, outcomes) for _ in range(people)))
        print(json.dumps(outcomes))
    asyncio.run(all_of_them())


def measure_in(kind, ports, token, args, outcomes):
    """one round, while people sign in or do not"""
    own = [sys.executable, os.path.abspath(__file__), "--storm", kind]
    storming = subprocess.Popen([*own, *map(str, (*ports, args.people, args.seconds + 2))], stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    measured = measure(ports[0], token, args)
    for outcome, count in json.loads(storming.communicate(timeout=120)[0]).items():
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return measured


def compare(args):
    folder = tempfile.mkdtemp(prefix="sign-ins-")
    processes = []
    try:
        processes, port, idp = start(args, folder)
        token = login(port)
        measure(port, token, args)
        rounds, outcomes = {"calm": [], "storm": []}, {"calm": {}, "storm": {}}
        for _ in range(args.rounds):
            for kind in rounds:
                rounds[kind].append(measure_in(kind, (port, idp), token, args, outcomes[kind]))
        show(rounds, outcomes)
    finally:
        end(processes)
        shutil.rmtree(folder)


def show(rounds, outcomes):
    print("           p50 ms   p99 ms   requests/s   sign-ins   (medians)")
    for kind, measured in rounds.items():
        p50, p99, rate = (statistics.median(column) for column in zip(*measured))
        came = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(outcomes[kind].items()))
        print(f"{kind:8} {p50:8.2f} {p99:8.2f} {rate:12.0f}   {came}")
    ratios = sorted(after[1] / before[1] for before, after in zip(rounds["calm"], rounds["storm"]))
    print(f"p99, storm to calm: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main():
    if sys.argv[1:2] == ["--provider"]:
        return provider(int(sys.argv[2]), float(sys.argv[3]))
    if sys.argv[1:2] == ["--storm"]:
        return storm(sys.argv[2], *map(int, sys.argv[3:7]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway", help="the binary")
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("-d", "--seconds", type=int, default=5)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--delay", type=float, default=0.1, help="seconds that the provider takes to redeem a code")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
