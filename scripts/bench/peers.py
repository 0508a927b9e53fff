"""What is compared: HAProxy with the same work, HAProxy and nginx without any, and the gateway."""

import os
import pathlib
import subprocess
import sys

import tokens
from machine import Process, free_ports

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = ('{"ok":true,"id":4711,"title":"a small answer","tags":["alpha","beta","gamma"],"price":12.5,"stock":42,'
         '"created":"2026-01-01T00:00:00Z","text":"about as long as the answers of an interface usually are"}')
BODIES = {"1k": 1 << 10, "10k": 10 << 10, "100k": 100 << 10, "1m": 1 << 20}
HS256 = f'algorithm: HS256, secret: "{tokens.SECRET}"'


def passes_on():
    """The proxy of `benches/passes_on.rs`, as last built; `None` where it is not."""
    built = [file for file in (ROOT / "target/release/deps").glob("passes_on-*") if not file.suffix]
    return max(built, key=lambda file: file.stat().st_mtime, default=None)


class Peer:
    """A running gateway."""

    def __init__(self, name, port, process, command, admin=None):
        self.name, self.port, self.process, self.command, self.admin = name, port, process, command, admin


class Stage:
    """The service, and the peers in front of it. Leaving it ends whatever it has started."""

    def __init__(self, scratch, binary, open_files):
        self.scratch, self.binary, self.open_files = scratch, binary, open_files
        self.upstream, self.running = None, []
        os.makedirs(f"{scratch}/www", exist_ok=True)
        for name, size in BODIES.items():
            with open(f"{scratch}/www/{name}", "w") as out:
                out.write("x" * size)
        tokens.write_users(f"{scratch}/users.yaml")

    def __enter__(self):
        self.upstream, other = free_ports(2)
        config = self.render("upstream.conf", "upstream.conf", PORT=self.upstream, OTHER=other, SMALL=SMALL)
        self.launch(["nginx", "-p", self.scratch, "-c", config], "load", "upstream").wait_for(self.upstream)
        return self

    def silent_service(self):
        """A service that answers nothing, or only the begin: its port and its process."""
        [port] = free_ports(1)
        process = self.launch([sys.executable, str(HERE / "silent.py"), str(port)], "load", "silent")
        process.wait_for(port)
        return port, process

    def certificate(self):
        """Makes a certificate for the loopback address, once; returns the files of the chain, the key, and both in one."""
        chain, key, both = (f"{self.scratch}/tls.{name}" for name in ("crt", "key", "pem"))
        if not os.path.exists(both):
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7",
                    "-keyout", key, "-out", chain, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
            subprocess.run(make, check=True, capture_output=True)
            pathlib.Path(both).write_text(pathlib.Path(chain).read_text() + pathlib.Path(key).read_text())
        return chain, key, both

    def __exit__(self, *_):
        self.stop(self.running)

    def stop(self, processes):
        for process in reversed(list(processes)):
            process.stop()
            self.running.remove(process)

    def launch(self, command, role, name):
        process = Process(command, role, f"{self.scratch}/{name}.log")
        self.running.append(process)
        return process

    def render(self, template, name, **values):
        text = (HERE / "conf" / template).read_text()
        # nginx takes two files a request, and some for itself
        values = {"SCRATCH": self.scratch, "UPSTREAM": self.upstream, "TLS": "", "FILES": self.open_files} | values
        values |= {"CONNECTIONS": self.open_files * 4 // 5, "MAXCONN": self.open_files // 2 - 100,
                   "SECRET": tokens.SECRET}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = f"{self.scratch}/{name}"
        with open(path, "w") as out:
            out.write(text)
        return path

    def start(self, name, wrapper=(), **options):
        """A peer by its name: haproxy-jwt, haproxy-plain, nginx-plain, passes-on or gatelatch. The first and the last take
        `tls` and `upstream` (the port of another service), the gateway the other options of `gateway_config` as well."""
        port, admin, other = free_ports(3)
        if name.startswith("haproxy"):
            values = {"JWT_PORT": port, "PLAIN_PORT": other} if name == "haproxy-jwt" else {"JWT_PORT": other, "PLAIN_PORT": port}
            if options.get("tls"):
                values["TLS"] = f" ssl crt {self.certificate()[2]} alpn h2,http/1.1"
            values["UPSTREAM"] = options.get("upstream", self.upstream)
            command = ["haproxy", "-db", "-f", self.render("haproxy.cfg", f"{name}.cfg", **values)]
        elif name == "passes-on":
            command = [str(passes_on()), f"127.0.0.1:{port}", f"127.0.0.1:{self.upstream}"]
        elif name == "nginx-plain":
            command = ["nginx", "-p", self.scratch, "-c", self.render("nginx.conf", "nginx.conf", PORT=port)]
        else:
            label = options.pop("label", name)
            command = [self.binary, "run", "--config", self.gateway_config(label, port, admin, **options)]
            name = label
        process = self.launch([*wrapper, *command], "gateway", name)
        process.wait_for(port)
        return Peer(name, port, process, command, admin)

    def gateway_config(self, name, port=0, admin=0, key=HS256, users="users.yaml", rules=(), tls=False, upstream=None):
        chain, private, _ = self.certificate() if tls else ("", "", "")
        values = {"TLS": f"tls: {{ certificate: {chain}, private_key: {private} }}, "} if tls else {}
        values["UPSTREAM"] = upstream or self.upstream
        path = self.render("gateway.yaml", f"{name}.yaml", PORT=port, ADMIN=admin, KEY=key, USERS=users, **values)
        with open(path, "a") as out:
            out.writelines(f"      - {rule}\n" for rule in rules)
        return path


def rules(count):
    """About `count` rules as an interface of many resources has them, besides the two that are always there."""
    for number in range(max(1, count // 5)):
        base = f"/api/resource-{number}"
        yield f"{{ path: {base}, methods: [GET], allow: authenticated }}"
        yield f"{{ path: {base}, methods: [POST], allow: {{ roles: [admin] }} }}"
        yield f"{{ path: \"{base}/{{id}}\", allow: [ {{ roles: [user] }}, {{ user: \"{{id}}\" }} ] }}"
        yield f"{{ path: \"{base}/{{id}}/parts/{{part}}\", methods: [GET], allow: {{ roles: [user] }} }}"
        yield f"{{ path: {base}/public/**, allow: anyone }}"
