#!/usr/bin/env bash
# skopeo takes the realm of a Bearer challenge for the URL of a token service, and reads the first challenge only.
#
# Packages   skopeo 1.9.3+ds1-1+b10 with libgpgme11 (Debian 12), Python 3.11, seen on 30 November 2026
# Behaviour  A registry answers 401 with two challenges that RFC 9110, 11.6.1 lets a client choose from: `Bearer realm="registry"` (RFC 6750,
#            where the realm is a name) and `Basic realm="registry"`. skopeo has a name and a password, and still follows Bearer: it asks
#            `GET registry?account=rita` and fails with "unsupported protocol scheme". With the Basic challenge first it sends Basic and
#            goes on, whatever stands after it.
# One would  expect a client that holds a password to choose Basic where the other challenge cannot be followed, and a realm without
#            `://` not to be asked for (the token protocol of registries, which gave the realm that meaning, is one use of Bearer of many).
# So         a gateway in front of a registry sends the Basic challenge first, in a field line of its own.
set -euo pipefail

folder=$(mktemp -d)
service=''
finish() {
  if [[ -n $service ]]; then kill "$service" 2>/dev/null && wait "$service" || true; fi
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
apt-get download -q=2 skopeo=1.9.3+ds1-1+b10 libgpgme11 libassuan0 2>/dev/null
for one in *.deb; do dpkg -x "$one" root; done

cat > registry.py <<'PY'
import http.server
import sys

challenges = {"bearer": 'Bearer realm="registry"', "basic": 'Basic realm="registry"'}
first, second = (challenges[name] for name in sys.argv[1:])


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers.get("authorization", "-").split()[0], flush=True)
        self.send_response(404 if "authorization" in self.headers else 401)
        self.send_header("WWW-Authenticate", first)
        self.send_header("WWW-Authenticate", second)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
print(server.server_address[1], flush=True)
server.serve_forever()
PY

try() {
  rm -f log
  python3 registry.py "$@" > log &
  service=$!
  until [[ -s log ]]; do sleep 0.1; done
  LD_LIBRARY_PATH=$folder/root/usr/lib/$(uname -m)-linux-gnu root/usr/bin/skopeo inspect --tls-verify=false --creds rita:password \
    "docker://127.0.0.1:$(head -1 log)/jobs:1" > error 2>&1 || true
  kill "$service"; wait "$service" || true
  service=''
  echo "$1 first: requests $(tail -n +2 log | tr '\n' ',')"
  grep -o 'unsupported protocol scheme' error || true
}
seen=$(try bearer basic; try basic bearer)
echo "$seen"
expected="bearer first: requests /v2/ -,
unsupported protocol scheme
basic first: requests /v2/ -,/v2/jobs/manifests/1 Basic,"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
