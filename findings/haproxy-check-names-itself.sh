#!/usr/bin/env bash
# A health check of HAProxy with `send-proxy` calls HAProxy itself the client; with `send-proxy-v2` the same check says LOCAL.
#
# Packages   haproxy 2.6.12-1+deb12u4 (Debian 12), Python 3.11; seen on 1 December 2026
# Behaviour  Two servers with the plain `check`, one with `send-proxy` and one with `send-proxy-v2`. The check of the second begins with the
#            command LOCAL and no addresses. The check of the first begins with `PROXY TCP4`, and names the two ends of the check's own
#            connection: source address and port are those of HAProxy's own socket.
# One would  expect `PROXY UNKNOWN`: the protocol's text (section 2.1) has that word for connections that nobody relays, and names health
#            checks as the reason of LOCAL in version 2.
# So         whoever counts, logs or refuses clients by the first line of version 1 meets the checks there as a client with the balancer's own
#            address; a check can be told by source address and port that are the peer's own.
set -euo pipefail

folder=$(mktemp -d)
listener='' haproxy=''
finish() {
  for one in $haproxy $listener; do kill "$one" 2>/dev/null && wait "$one" || true; done
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
apt-get download -q=2 haproxy=2.6.12-1+deb12u4 liblua5.3-0 libpcre2-posix3 2>/dev/null
for one in *.deb; do dpkg -x "$one" root; done

cat > listener.py <<'PY'
import socket

first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
print(first.getsockname()[1], second.getsockname()[1], flush=True)
peer, address = first.accept()
word, family, source, destination, port, own = peer.recv(256).split(b"\r\n")[0].decode().split()[:6]
print("version 1:", word, family, "source is the socket's own:", (source, int(port)) == address, flush=True)
peer, _ = second.accept()
head = peer.recv(256)
print("version 2:", {0: "LOCAL", 1: "PROXY"}[head[12] & 15], "bytes of addresses:", head[14] * 256 + head[15], flush=True)
PY
python3 listener.py > seen.log &
listener=$!
until [[ -s seen.log ]]; do sleep 0.1; done
read -r one two < seen.log
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
cat > haproxy.cfg <<CONF
defaults
  mode tcp
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  timeout check 2s
frontend clients
  bind 127.0.0.1:$port
  default_backend servers
backend servers
  server one 127.0.0.1:$one check send-proxy
  server two 127.0.0.1:$two check send-proxy-v2
CONF
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu root/usr/sbin/haproxy -db -q -f haproxy.cfg 2>/dev/null &
haproxy=$!
wait "$listener"
listener=''

seen=$(tail -n +2 seen.log)
echo "$seen"
expected="version 1: PROXY TCP4 source is the socket's own: True
version 2: LOCAL bytes of addresses: 0"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
