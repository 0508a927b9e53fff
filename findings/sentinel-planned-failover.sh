#!/usr/bin/env bash
# After `SENTINEL FAILOVER` the old primary acknowledges writes for ten more seconds, and every one of them is lost.
#
# Packages   redis-server and redis-tools 5:7.0.15-1~deb12u10 (Debian 12), redis 8.1.0 (PyPI), Python 3.11, seen on 30 November 2026
# Behaviour  All servers are healthy and the failover is asked for by the operator. The sentinel promotes the replica and announces
#            `+switch-master` at once. It reconfigures the old primary only about ten seconds later, and until then that one stays
#            a primary: who is still connected to it writes, gets OK, and loses it when the old primary resynchronises.
# One would  expect a planned change to pause or refuse writes on the old primary, as `FAILOVER` of Redis itself does
#            (CLIENT PAUSE, then the replica takes over at the same offset), so that nothing acknowledged is lost.
# So         a client follows `+switch-master` and leaves the old primary's connections then, not when they break; or the
#            operator sets `min-replicas-to-write`, which limits the time as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -q=2 redis-server=5:7.0.15-1~deb12u10 redis-tools=5:7.0.15-1~deb12u10 libatomic1 libjemalloc2 liblzf1 2>/dev/null
for one in *.deb; do dpkg -x "$one" root; done
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'redis==8.1.0'

cat > failover.py <<'PY'
import socket
import subprocess
import sys
import time

import redis


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def client(port):
    return redis.Redis(port=port, decode_responses=True)


def until(condition):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        time.sleep(0.1)
    sys.exit("gave up after a minute")


def failover(start):
    first, second, third = free_port(), free_port(), free_port()
    start("--port", str(first), "--save", "", "--dbfilename", "first.rdb")
    start("--port", str(second), "--save", "", "--dbfilename", "second.rdb", "--replicaof", "127.0.0.1", str(first))
    with open("sentinel.conf", "w") as file:
        file.write(f"port {third}\nsentinel monitor service 127.0.0.1 {first} 1\n")
    start("sentinel.conf", "--sentinel")
    old, new, sentinel = client(first), client(second), client(third)
    until(lambda: new.info("replication")["master_link_status"] == "up")
    until(lambda: old.set("before", 1) and new.exists("before"))
    until(lambda: sentinel.execute_command("SENTINEL REPLICAS", "service"))
    events = sentinel.pubsub(ignore_subscribe_messages=True)
    events.subscribe("+switch-master")
    until(lambda: sentinel.execute_command("SENTINEL FAILOVER", "service"))
    until(lambda: events.get_message())
    announced, acknowledged = time.monotonic(), 0
    try:
        while time.monotonic() < announced + 60:
            acknowledged += bool(old.set(f"after:{acknowledged}", 1))
            duration = time.monotonic() - announced
            time.sleep(0.05)
    except redis.RedisError:
        pass
    until(lambda: old.info("replication").get("master_link_status") == "up")
    kept = sum(new.exists(f"after:{one}") for one in range(acknowledged))
    print(f"after the announcement: {acknowledged} writes acknowledged in {duration:.1f} s, {kept} kept", file=sys.stderr)
    print("writes acknowledged for more than five seconds:", duration > 5)
    print("kept of them:", kept)
    print("what was written before the failover is kept:", bool(new.exists("before")))


processes = []


def start(*options):
    processes.append(subprocess.Popen(["root/usr/bin/redis-server", *options], stdout=subprocess.DEVNULL))


try:
    failover(start)
finally:
    for process in processes:
        process.kill()
        process.wait()
PY

expected="writes acknowledged for more than five seconds: True
kept of them: 0
what was written before the failover is kept: True"
export LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu
seen=$(venv/bin/python failover.py)
echo "$seen"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
