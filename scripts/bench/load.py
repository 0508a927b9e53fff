"""Load: wrk for HTTP/1.1, h2load for HTTP/2. Both share the service's core."""

import re
import subprocess

from machine import Failed, pin

HOST = "api.example.com"

SCRIPT = """
local tokens, made, at = {}, {}, 0
for line in io.lines("@TOKENS@") do tokens[#tokens + 1] = line end
local head, tail
local function around(padding)
  head = "@METHOD@ " .. wrk.path .. " HTTP/1.1\\r\\nHost: @HOST@\\r\\nAuthorization: Bearer "
  tail = "\\r\\nAccept: application/json\\r\\nAccept-Encoding: gzip\\r\\nUser-Agent: bench/1.0" .. padding .. "\\r\\n"
  if @CLOSE@ then tail = tail .. "Connection: close\\r\\n" end
  if @BODY@ > 0 then tail = tail .. "Content-Length: @BODY@\\r\\n" end
  tail = tail .. "\\r\\n" .. string.rep("x", @BODY@)
end
function init()
  around("")
  if #tokens <= 2000 then
    for i = 1, #tokens do made[i] = head .. tokens[i] .. tail end
    return
  end
  -- many tokens: put together as they go, or the ready requests would fill the memory. LuaJIT tells long strings apart by
  -- four bytes at their start, quarter, middle and end: without random ones, of a signature, in the middle, most
  -- requests would look alike to it, and wrk would be busy comparing them
  local signature = #head + tokens[1]:match("^.*()%.")
  local missing = 2 * (signature + 20) - #head - #tokens[1] - #tail
  around(string.rep("x", math.max(0, missing)))
end
function request()
  at = at % #tokens + 1
  return made[at] or (head .. tokens[at] .. tail)
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


class Sample:
    """What one run has shown."""

    def __init__(self, requests, seconds, cpu, p50=0, p99=0, bad=0):
        self.requests, self.bad = requests, bad
        self.figures = {"cpu_us": cpu * 1e6 / max(1, requests), "rps": requests / seconds, "p50_us": p50, "p99_us": p99}


class Wrk:
    """Requests in a closed loop, with tokens from a list in turn. With a `body` of so many bytes they are POST."""

    def __init__(self, scratch, name, tokens, path="/small", connections=64, close=False, body=0, scheme="http"):
        listed, self.script = f"{scratch}/{name}.tokens", f"{scratch}/{name}.lua"
        with open(listed, "w") as out:
            out.write("\n".join(tokens) + "\n")
        text = SCRIPT.replace("@TOKENS@", listed).replace("@HOST@", HOST).replace("@CLOSE@", str(close).lower())
        text = text.replace("@METHOD@", "POST" if body else "GET").replace("@BODY@", str(body))
        with open(self.script, "w") as out:
            out.write(text)
        self.path, self.connections, self.scheme = path, connections, scheme

    def run(self, peer, seconds):
        before = peer.process.cpu()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", self.script,
             f"{self.scheme}://127.0.0.1:{peer.port}{self.path}"],
            capture_output=True, text=True, timeout=seconds + 60, preexec_fn=pin("load"))
        cpu = peer.process.cpu() - before
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
        if not found:
            raise Failed(f"wrk failed at {peer.name}: {done.stdout}{done.stderr}")
        requests, duration, p50, p99, bad = map(int, found.groups())
        peer.process.forget_log()
        return Sample(requests, duration / 1e6, cpu, p50, p99, bad)


class H2load:
    """HTTP/2, in the clear with prior knowledge; eight streams a connection, one token."""

    def __init__(self, token, path="/small", connections=64, scheme="http"):
        self.token, self.path, self.connections, self.scheme = token, path, connections, scheme

    def run(self, peer, seconds):
        before = peer.process.cpu()
        done = subprocess.run(
            ["h2load", "-t1", f"-c{self.connections}", "-m8", f"--duration={seconds}",
             "-H", f"Authorization: Bearer {self.token}", f"{self.scheme}://127.0.0.1:{peer.port}{self.path}"],
            capture_output=True, text=True, timeout=seconds + 60, preexec_fn=pin("load"))
        cpu = peer.process.cpu() - before
        good = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
        if not good or not int(good.group(1)):
            raise Failed(f"h2load failed at {peer.name}: {done.stdout}{done.stderr}")
        peer.process.forget_log()
        return Sample(int(good.group(1)), seconds, cpu, bad=sum(int(good.group(n)) for n in (2, 3, 4)))


class Paced:
    """HTTP/1.1 at a fixed rate, over 64 connections."""

    def __init__(self, token, rate, connections=64):
        self.token, self.rate, self.connections = token, rate, connections

    def run(self, peer, seconds):
        before, requests = peer.process.cpu(), self.rate * seconds
        done = subprocess.run(
            ["h2load", "--h1", "-t1", f"-c{self.connections}", f"-n{requests}", f"--rps={self.rate // self.connections}",
             "-H", f"Authorization: Bearer {self.token}", f"http://127.0.0.1:{peer.port}/small"],
            capture_output=True, text=True, timeout=seconds * 5 + 60, preexec_fn=pin("load"))
        cpu = peer.process.cpu() - before
        taken = re.search(r"finished in ([\d.]+)(ms|s),", done.stdout)
        good = re.search(r"status codes: (\d+) 2xx", done.stdout)
        if not taken or not good:
            raise Failed(f"h2load failed at {peer.name}: {done.stdout}{done.stderr}")
        peer.process.forget_log()
        duration, answered = float(taken.group(1)) / (1000 if taken.group(2) == "ms" else 1), int(good.group(1))
        return Sample(answered, duration, cpu, bad=requests - answered)


def exactly(peer, token, requests, connections=16):
    """So many requests and no more; returns how many were answered with 2xx."""
    done = subprocess.run(
        ["h2load", "--h1", "-t1", f"-c{connections}", f"-n{requests}", "-H", f"Authorization: Bearer {token}",
         "-H", "Accept: application/json", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{peer.port}/small"],
        capture_output=True, text=True, timeout=300, preexec_fn=pin("load"))
    found = re.search(r"status codes: (\d+) 2xx", done.stdout)
    return int(found.group(1)) if found else 0
