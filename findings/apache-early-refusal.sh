#!/usr/bin/env bash
# Behind Apache a final answer in place of `100 Continue` becomes 500, unless the service says `Connection: close`.
#
# Packages   apache2-bin 2.4.71-1~deb12u1 (Debian 12), curl, Python 3.11; seen on 30 November 2026
# Behaviour  curl asks with `Expect: 100-continue` for a large upload, mod_proxy_http passes that on, and the service answers 401 with a
#            complete body instead of reading. With `Connection: close` in the answer, curl gets the 401. Without the field, where the service then
#            closes the connection, Apache logs "read less bytes of request body than expected" and gives the client a 500.
# One would  expect the 401 both times: it arrived whole before anything else happened, and `Connection: close` is a SHOULD there
#            (RFC 9110, 10.1.1), not what makes the answer one.
# So         a service that refuses without reading says `Connection: close`.
set -euo pipefail

folder=$(mktemp -d)
apache='' service=''
finish() {
  for one in $apache $service; do kill "$one" 2>/dev/null && wait "$one" || true; done
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
apt-get download -q=2 apache2-bin=2.4.71-1~deb12u1 libapr1 libaprutil1 2>/dev/null
for one in *.deb; do dpkg -x "$one" root; done
head -c 2000000 /dev/zero > upload

cat > service.py <<'PY'
import socket

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for close in (b"connection: close\r\n", b""):
    peer, _ = listener.accept()
    head = b""
    while b"\r\n\r\n" not in head:
        head += peer.recv(65536)
    print("expects 100-continue:", b"100-continue" in head.lower(), flush=True)
    peer.sendall(b"HTTP/1.1 401 Unauthorized\r\n" + close + b"content-length: 3\r\n\r\nno\n")
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass
    peer.close()
PY
python3 service.py > service.log &
service=$!
until [[ -s service.log ]]; do sleep 0.1; done

port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
modules=root/usr/lib/apache2/modules
cat > httpd.conf <<CONF
ServerRoot $folder
ServerName localhost
Listen 127.0.0.1:$port
PidFile pid
ErrorLog error.log
User nobody
Group nogroup
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule proxy_module $modules/mod_proxy.so
LoadModule proxy_http_module $modules/mod_proxy_http.so
ProxyPass / http://127.0.0.1:$(head -1 service.log)/
CONF
LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu root/usr/sbin/apache2 -f "$folder/httpd.conf" -DFOREGROUND &
apache=$!
until (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done

seen=$(for answer in "with Connection: close" "without it"; do
  echo "$answer: $(curl -s -o /dev/null -w '%{http_code}' --max-time 20 -T upload "http://127.0.0.1:$port/upload")"
done
tail -n +2 service.log
grep -o 'read less bytes of request body than expected' error.log)
echo "$seen"
expected="with Connection: close: 401
without it: 500
expects 100-continue: True
expects 100-continue: True
read less bytes of request body than expected"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
