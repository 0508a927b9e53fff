#!/usr/bin/env python3
"""What a storm of logins does to proxied requests: their p99 with and without it, in alternating rounds.

  login_storm.py GATELATCH [--basic] [-r ROUNDS] [-d SECONDS] [--logins 200] [--cost 12] [--connections 16] [--workers 2]

Starts the gateway with one user, and nginx as its upstream, both on loopback; wrk asks with a token. In each storm
round so many clients at once send wrong passwords as fast as they are answered; most of them get 503, since the queue
for password checks is bounded. In the rounds between, the same clients send logins without a password, which are
refused (422) before anything is checked: the clients themselves, which share the machine, disturb both alike.
With --basic the wrong passwords come by HTTP Basic, each request with another one, and in the rounds between there is none
(401).
Each client comes from an address of its own (127.x.y.z), so that the limits for failed
logins, which are another defence, do not end the storm. Needs nginx and wrk, and takes 2 * ROUNDS * SECONDS seconds.
"""
import argparse, asyncio, base64, http.client, itertools, json, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

# `correct horse`, by cost
HASHES = {4: "$2b$04$N9qo8uLOickgx2ZMRZoMye7lwnnKjdKULIb0Soe6BjJXxCPR1R3dC"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on {port}")


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def start(args, folder):
    """the gateway and its upstream, and where the gateway listens"""
    port, upstream = free_port(), free_port()
    write(folder, "nginx.conf", f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}; proxy_temp_path {folder};
fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
server {{ listen 127.0.0.1:{upstream}; location / {{ return 200 "ok\\n"; }} }} }}
""")
    storm = HASHES[4].replace("$04$", f"${args.cost:02}$")
    write(folder, "users.yaml", f"users:\n  measured: {{ password: {HASHES[4]} }}\n  stormed: {{ password: {storm} }}\n")
    write(folder, "gateway.yaml", f"""server: {{ listen: ["127.0.0.1:{port}"], workers: {args.workers} }}
admin: {{ listen: off }}
log: {{ level: error, access: false }}
auth:
  login: {{ attempts: 1000 }}
  token: {{ secret: "of the benchmark, 0123456789abcdef0123456789" }}
services:
  app:
    upstream: "http://127.0.0.1:{upstream}"
    credentials: [bearer, cookie, basic]
    rules: [{{ path: /**, allow: authenticated }}]
""")
    nginx = subprocess.Popen(["nginx", "-c", f"{folder}/nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)
    log = open(os.path.join(folder, "gateway.log"), "w")
    gateway = subprocess.Popen([args.gateway, "run", "-c", f"{folder}/gateway.yaml"], stdout=log, stderr=log)
    try:
        wait_for(upstream)
        wait_for(port)
    except SystemExit:
        nginx.terminate()
        gateway.terminate()
        sys.stderr.write(open(log.name).read())
        raise
    return [gateway, nginx], port


def login(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"username": "measured", "password": "correct horse"})
    connection.request("POST", "/auth/login", body, {"Content-Type": "application/json"})
    return json.load(connection.getresponse())["access_token"]


def measure(port, token, args):
    """p50 and p99 in milliseconds, and requests a second"""
    command = ["wrk", "-t1", f"-c{args.connections}", f"-d{args.seconds}s", "--latency",
               "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}/small"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=args.seconds + 30).stdout
    if "Non-2xx" in said:
        sys.exit(said)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    def percentile(which):
        number, unit = re.search(which + r"%\s+([\d.]+)(us|ms|s)", said).groups()
        return float(number) * units[unit]
    return percentile("50"), percentile("99"), float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


BODIES = {"storm": b"username=stormed&password=wrong", "calm": b"username=stormed&passw0rd=wrong"}


def requests(kind, port, number):
    """what a client sends, one after the other"""
    for count in itertools.count():
        if kind in BODIES:
            body = BODIES[kind]
            yield (b"POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % port
                   + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            pair = base64.b64encode(b"stormed:wrong-%d-%d" % (number, count))
            field = b"Authorization: Basic %s\r\n" % pair if kind == "storm-basic" else b""
            yield b"GET /small HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n" % (port, field)


async def client(number, port, end, kind, answers):
    sent = requests(kind, port, number)
    own = f"127.{1 + number // 250}.0.{1 + number % 250}"
    while time.monotonic() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))
            while time.monotonic() < end:
                writer.write(next(sent))
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), max(0.1, end - time.monotonic()))
                length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
                await reader.readexactly(length)
                answers[head[9:12].decode()] = answers.get(head[9:12].decode(), 0) + 1
                await asyncio.sleep(0.1)  # as a client does that is told to come back later
            writer.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            await asyncio.sleep(0.1)


def storm(kind, port, clients, seconds):
    """sends logins for so long, and prints what was answered"""
    async def all_of_them():
        answers, end = {}, time.monotonic() + seconds
        await asyncio.gather(*(client(number, port, end, kind, answers) for number in range(clients)))
        print(json.dumps(answers))
    asyncio.run(all_of_them())


def compare(args):
    folder = tempfile.mkdtemp(prefix="login-storm-")
    processes = []
    try:
        processes, port = start(args, folder)
        token = login(port)
        measure(port, token, args)
        kinds = ("calm-basic", "storm-basic") if args.basic else ("calm", "storm")
        rounds, answers = {kind: [] for kind in kinds}, {kind: {} for kind in kinds}
        for _ in range(args.rounds):
            for kind in rounds:
                rounds[kind].append(measure_in(kind, port, token, args, answers[kind]))
        show(rounds, answers)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        shutil.rmtree(folder)


def measure_in(kind, port, token, args, answers):
    """one round, while logins of this kind arrive"""
    command = [sys.executable, os.path.abspath(__file__), "--storm", kind, *map(str, (port, args.logins, args.seconds + 2))]
    storming = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    measured = measure(port, token, args)
    for status, count in json.loads(storming.communicate(timeout=60)[0]).items():
        answers[status] = answers.get(status, 0) + count
    return measured


def show(rounds, answers):
    print("              p50 ms   p99 ms   requests/s   logins answered   (medians)")
    for kind, measured in rounds.items():
        p50, p99, rate = (statistics.median(column) for column in zip(*measured))
        logins = ", ".join(f"{status}: {count}" for status, count in sorted(answers[kind].items()))
        print(f"{kind:11} {p50:8.2f} {p99:8.2f} {rate:12.0f}   {logins}")
    ratios = sorted(after[1] / before[1] for before, after in zip(*rounds.values()))
    print(f"p99, storm to calm: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def main():
    if sys.argv[1:2] == ["--storm"]:
        return storm(sys.argv[2], *map(int, sys.argv[3:6]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gateway", help="the binary")
    parser.add_argument("--basic", action="store_true", help="passwords by HTTP Basic")
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("-d", "--seconds", type=int, default=5)
    parser.add_argument("--logins", type=int, default=200)
    parser.add_argument("--cost", type=int, default=12)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    compare(parser.parse_args())


if __name__ == "__main__":
    main()
