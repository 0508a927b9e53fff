"""The processes of a run: two replicas of the gateway, their Redis, an OpenID provider, two servers of the
service. Only these are ended."""

import asyncio
import json
import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from .provider import CLIENT, CLIENT_SECRET
from .truth import PROMOTED, SWAPPED, USERS, Version
from .wire import Connection

PASSWORD = "correct horse battery staple"
SECRET = "0123456789abcdef0123456789ABCDEF-chaos"


def free_port() -> int:
    """A port of loopback that nobody listens on now, below those that the kernel gives to connections and to port 0: a program
    that is started again finds it free."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
            except OSError:
                continue
            return probe.getsockname()[1]


class Program:
    """A process that can be killed, frozen and started again."""

    def __init__(self, name: str, command: list[str], log: Path, environment: dict[str, str] | None = None):
        self.name, self.command, self.log = name, command, log
        self.environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it, its output in its log."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )

    def send(self, number: int) -> None:
        """Signals it, where it runs."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def stop(self, number: int = signal.SIGKILL) -> int | None:
        """Ends it and waits; its exit code."""
        if not self.process:
            return None
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            return self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self.process.wait()

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def usage(self) -> dict[str, int]:
        """What it holds: memory in KiB, descriptors, threads."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        of = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
        descriptors = len(os.listdir(f"/proc/{self.pid}/fd"))
        return {"memory": int(of["VmRSS"]), "descriptors": descriptors, "threads": int(of["Threads"])}

    def limit_descriptors(self, more: int | None) -> None:
        """Leaves it so many descriptors more than it has; `None`: as many as before."""
        if self.process.poll() is None:
            hard = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[1]
            soft = hard if more is None else self.usage()["descriptors"] + more
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (soft, hard))


class Cluster:
    """All of them, in a folder."""

    def __init__(self, folder: Path, binary: Path, over_tls: bool, sentinel: bool):
        self.folder, self.binary = folder.resolve(), binary
        folder = self.folder
        self.certificate = make_certificate(folder) if over_tls else None
        self.disks = [mount_disk(folder / f"disk{index}") for index in range(2)]
        self.clock = fake_clock()
        self.redis_port = free_port()
        self.ports = [free_port(), free_port()]
        self.admins = [free_port(), free_port()]
        self.upstream_ports = [free_port(), free_port()]
        self.version = Version(0, True, False, False)
        self.hashes = self.hash_passwords()
        self.store = Sentinels(folder) if sentinel else None
        redis = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        # what it has answered it must not forget, or no logout could hold
        redis += ["--appendonly", "yes", "--appendfsync", "always"]
        self.redis = Program("redis", redis, folder / "redis.log")
        self.upstreams = [self.module(f"upstream{index}", "upstream", str(port)) for index, port in enumerate(self.upstream_ports)]
        keys = [str(make_key(folder / f"provider{index}.pem")) for index in range(2)]
        self.provider_port = free_port()
        self.provider = self.module("provider", "provider", str(self.provider_port), str(folder / "ended"), *keys)
        self.gateways = [
            Program(
                f"gateway{index}",
                [str(binary), "run", "--config", str(folder / str(index) / "gateway.yaml")],
                folder / f"gateway{index}.log",
                {"GATELATCH_SECRET": SECRET, **self.clock_of(index)},
            )
            for index in range(2)
        ]

    def module(self, name: str, module: str, *arguments: str) -> Program:
        """A program of this package."""
        command = [sys.executable, "-m", f"chaos.{module}", *arguments]
        return Program(name, command, self.folder / f"{name}.log", {"PYTHONPATH": str(Path(__file__).parent.parent)})

    def clock_of(self, index: int) -> dict[str, str]:
        """The environment that shows a replica a clock of its own, where the library for it is there."""
        if self.clock is None:
            return {}
        self.set_clock(index, 0)
        return {
            "LD_PRELOAD": str(self.clock),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / f"clock{index}"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_clock(self, index: int, ahead: int) -> None:
        """Sets the wall clock of a replica to so many seconds ahead."""
        replace(self.folder / f"clock{index}", f"{ahead:+}")

    async def connect(self, index: int, alpn: str = "http/1.1") -> Connection:
        """A connection to a replica."""
        if self.certificate is None:
            return await Connection.open(self.ports[index])
        context = ssl.create_default_context(cafile=self.certificate[0])
        context.set_alpn_protocols([alpn])
        return await Connection.open(self.ports[index], context)

    def hash_passwords(self) -> dict[str, str]:
        """The hash of each user's password, which is the common one and the name."""
        hashes = {}
        for name in [*USERS, SWAPPED, PROMOTED]:
            command = [str(self.binary), "hash", "--cost", "4"]
            made = subprocess.run(command, input=f"{PASSWORD} {name}", capture_output=True, text=True, check=True)
            hashes[name] = made.stdout.strip()
        return hashes

    def gateway_yaml(self, index: int, version: Version) -> str:
        """The configuration of a replica."""
        flip = "anyone" if version.is_flipped else "{ roles: [admin] }"
        tls, audit, state = "", "", f"redis://127.0.0.1:{self.redis_port}"
        if self.certificate:
            tls = f"tls: {{ certificate: {self.certificate[0]}, private_key: {self.certificate[1]} }}"
        if self.disks[index]:
            audit = f", audit: {self.disks[index]}/audit.log"
        if self.store:
            state = self.store.url()
        servers = ", ".join(f'"http://127.0.0.1:{port}"' for port in self.upstream_ports)
        return f"""server:
  listen: ["127.0.0.1:{self.ports[index]}"]
  workers: 2
  trusted_proxies: ["127.0.0.0/8"]
  timeouts: {{ drain: 5s }}
  {tls}
admin: {{ listen: "127.0.0.1:{self.admins[index]}" }}
log: {{ access: false, level: warn{audit} }}
state: {state}
auth:
  users_file: users.yaml
  token: {{ secret: "${{GATELATCH_SECRET}}" }}
  login: {{ attempts: 1000, window: 5s, lockout: 1s }}
  credentials: [bearer, cookie, basic]
  providers:
    - name: corp
      issuer: "http://127.0.0.1:{self.provider_port}"
      client_id: {CLIENT}
      client_secret: "{CLIENT_SECRET}"
      refresh: 6s
services:
  app:
    upstream:
      servers: [{servers}]
      health: {{ path: /public/health, interval: 1s, timeout: 1s, unhealthy_after: 2, healthy_after: 1 }}
      timeouts: {{ connect: 1s, response: 3s }}
    rules:
      - {{ path: /public/**, allow: anyone }}
      - {{ path: /app/**, allow: authenticated }}
      - {{ path: "/u/{{id}}/**", allow: {{ user: "{{id}}" }} }}
      - {{ path: /admin/**, allow: {{ roles: [admin] }} }}
      - {{ path: /flip/**, allow: {flip} }}
      - {{ path: /never/**, allow: nobody }}
"""

    def users_yaml(self, version: Version) -> str:
        """The users file of all replicas."""
        lines = [
            f'  {name}: {{ password: "{self.hashes[name]}", roles: [{", ".join(roles)}] }}'
            for name, roles in version.users().items()
        ]
        return "users:\n" + "\n".join(lines) + "\n"

    def write(self, version: Version) -> None:
        """Exchanges the files of all replicas, each as a whole."""
        self.version = version
        for index in range(2):
            folder = self.folder / str(index)
            folder.mkdir(exist_ok=True)
            replace(folder / "users.yaml", self.users_yaml(version))
            replace(folder / "gateway.yaml", self.gateway_yaml(index, version))

    def spoil(self) -> None:
        """Makes the configuration of all replicas a bad one."""
        for index in range(2):
            replace(self.folder / str(index) / "gateway.yaml", "services: { app: { upstream: 1 } }\nrules: [\n")

    async def start(self) -> None:
        """Starts everything and waits until it is there."""
        self.write(self.version)
        if self.store:
            await self.store.start()
        else:
            self.redis.start()
        for program in [*self.upstreams, self.provider]:
            program.start()
        await self.listens(self.provider_port)
        for gateway in self.gateways:
            gateway.start()
        for index in range(2):
            if not await self.ready(index, 300):
                raise RuntimeError(self.gateways[index].log.read_text())
            await self.serves(index)

    async def listens(self, port: int) -> None:
        """Waits until somebody listens there."""
        for _ in range(300):
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return
            except OSError:
                await asyncio.sleep(0.1)
        raise RuntimeError(f"nobody listens at {port}")

    async def serves(self, index: int) -> None:
        """Waits until a replica has found a server of the service: it may have looked before they listened."""
        for _ in range(300):
            connection = await self.connect(index)
            try:
                if (await connection.request("GET", "/public/begin", {})).status == 200:
                    return
            finally:
                connection.close()
            await asyncio.sleep(0.1)
        raise RuntimeError(f"replica {index} finds no server")

    async def ready(self, index: int, seconds: float) -> bool:
        """Waits until a replica is ready; whether it is."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, _ = await get(self.admins[index], "/readyz")
            if status == 200:
                return True
            await asyncio.sleep(0.1)
        return False

    async def metric(self, index: int, name: str) -> float | None:
        """A number of a replica's metrics."""
        status, body = await get(self.admins[index], "/metrics")
        for line in body.splitlines() if status == 200 else []:
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return None

    def stop(self) -> list[str]:
        """Ends everything; what did not end well."""
        codes = [(gateway.name, gateway.stop(signal.SIGTERM)) for gateway in self.gateways]
        for program in [*self.upstreams, self.provider, self.redis, *(self.store.programs() if self.store else [])]:
            program.stop()
        for disk in filter(None, self.disks):
            subprocess.run(["umount", str(disk)], check=False)
        return [f"{name} ended with {code}" for name, code in codes if code != 0]


def replace(path: Path, text: str) -> None:
    """Exchanges a file as a whole."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


async def get(port: int, path: str) -> tuple[int, str]:
    """A request to an admin listener; 0 where it does not answer."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)
    except (OSError, asyncio.TimeoutError):
        return 0, ""
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
        raw = await asyncio.wait_for(reader.read(-1), 2)
        return int(raw.split(b" ", 2)[1]), raw.decode("latin-1")
    except (OSError, asyncio.TimeoutError, IndexError, ValueError):
        return 0, ""
    finally:
        writer.transport.abort()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for `localhost`, and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def make_key(path: Path) -> Path:
    """An RSA key."""
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(path), "2048"], check=True, capture_output=True)
    return path


def mount_disk(folder: Path) -> Path | None:
    """A small disk for an audit stream; `None` where this process may not mount one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0755", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    return folder if done.returncode == 0 else None


def fake_clock() -> Path | None:
    """The library for programs with threads; `None` where it is not installed, or the binary is static."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


class Sentinels:
    """A primary, a replica of it, and three sentinels that choose another primary when one is away."""

    NAME = "chaos"

    def __init__(self, folder: Path):
        self.ports = [free_port(), free_port()]
        self.sentinel_ports = [free_port() for _ in range(3)]
        common = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self.servers, self.sentinels = [], []
        for index, port in enumerate(self.ports):
            place = folder / f"redis{index}"
            place.mkdir(exist_ok=True)
            # a write counts once the other has it too: what is answered must survive a failover
            more = ["--min-replicas-to-write", "0", "--repl-diskless-sync-delay", "0"]
            more += ["--replicaof", f"127.0.0.1 {self.ports[0]}"] if index else []
            command = ["redis-server", "--port", str(port), "--dir", str(place), *common, *more]
            self.servers.append(Program(f"redis{index}", command, folder / f"redis{index}.log"))
        for index, port in enumerate(self.sentinel_ports):
            path = folder / f"sentinel{index}.conf"
            path.write_text(
                f"port {port}\nbind 127.0.0.1\nsentinel monitor {self.NAME} 127.0.0.1 {self.ports[0]} 2\n"
                f"sentinel down-after-milliseconds {self.NAME} 1000\nsentinel failover-timeout {self.NAME} 4000\n"
            )
            command = ["redis-server", str(path), "--sentinel"]
            self.sentinels.append(Program(f"sentinel{index}", command, folder / f"sentinel{index}.log"))

    def programs(self) -> list[Program]:
        """All of them."""
        return [*self.sentinels, *self.servers]

    def url(self) -> str:
        """`state`."""
        nodes = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return f"redis-sentinel://{nodes}/{self.NAME}"

    async def start(self) -> None:
        """Starts all, and waits until the sentinels know the replica."""
        for program in [*self.servers, *self.sentinels]:
            program.start()
        for port in self.sentinel_ports:
            while b"slaves=1" not in (info := await command_of(port, "INFO sentinel")) or b"sentinels=3" not in info:
                await asyncio.sleep(0.1)

    async def primary(self) -> int | None:
        """Which of the two the sentinels name, once it takes writes."""
        answer = await command_of(self.sentinel_ports[0], f"SENTINEL get-master-addr-by-name {self.NAME}")
        for index, port in enumerate(self.ports):
            if f"\r\n{port}\r\n".encode() in answer:
                role = await command_of(port, "ROLE")
                return index if b"master" in role else None
        return None


async def command_of(port: int, line: str) -> bytes:
    """The answer of a Redis or a sentinel; empty where there is none."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 1)
        writer.write(f"{line}\r\n".encode())
        answer = await asyncio.wait_for(reader.read(65536), 1)
        writer.close()
        return answer
    except (OSError, asyncio.TimeoutError):
        return b""


def dump(value) -> str:
    """For the report."""
    return json.dumps(value, indent=1, sort_keys=True)
