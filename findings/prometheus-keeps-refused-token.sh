#!/usr/bin/env bash
# Prometheus keeps an OAuth token that its target refuses, until the clock ends it.
#
# Package    prometheus 2.42.0+ds-5+deb12u1 (Debian 12), Python 3.11 as token endpoint and target, seen on 30 November 2026
# Behaviour  A scrape job with `oauth2` gets a token for an hour. The target answers the first scrapes with 200 and then, as after a revocation or an
#            exchanged key, each with 401 and `error="invalid_token"`. Prometheus shows the same token at every scrape and does not ask its
#            token endpoint again: the target is down until `expires_in` is over, or until Prometheus restarts.
# One would  expect a new token after a 401 that calls the present one invalid (RFC 6750, 3.1: "The client MAY request a new access token and
#            retry the protected resource request").
# So         tokens for scrape jobs live a few minutes only, or the job uses a key that does not rotate.
set -euo pipefail

folder=$(mktemp -d)
prometheus='' service=''
finish() {
  for one in $prometheus $service; do kill "$one" 2>/dev/null && wait "$one" || true; done
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
apt-get download -q=2 prometheus=2.42.0+ds-5+deb12u1 2>/dev/null
dpkg -x prometheus_*.deb root

cat > service.py <<'PY'
import http.server
import json

tokens, scrapes = 0, 0


class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global tokens
        tokens += 1
        self.rfile.read(int(self.headers["content-length"]))
        answer = {"access_token": f"token-{tokens}", "token_type": "bearer", "expires_in": 3600}
        self.answer(200, json.dumps(answer), ("Content-Type", "application/json"))
        print("token issued", flush=True)

    def do_GET(self):
        global scrapes
        scrapes += 1
        challenge = ("WWW-Authenticate", 'Bearer realm="metrics", error="invalid_token"')
        self.answer(*((200, "up 1\n") if scrapes < 3 else (401, "")), challenge)
        print("scrape", scrapes, "with", self.headers["authorization"], flush=True)

    def answer(self, status, body, field):
        self.send_response(status)
        self.send_header(*field)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 service.py > log &
service=$!
until [[ -s log ]]; do sleep 0.1; done
cat > prometheus.yml <<YAML
scrape_configs:
  - job_name: metrics
    scrape_interval: 1s
    oauth2: { client_id: prometheus, client_secret: secret, token_url: "http://127.0.0.1:$(head -1 log)/token" }
    static_configs: [{ targets: ["127.0.0.1:$(head -1 log)"] }]
YAML
root/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:0 2> errors &
prometheus=$!
for _ in {1..300}; do
  if grep -q '^scrape 12 ' log; then break; fi
  sleep 0.2
done
seen=$(grep -c '^token issued' log || true; sed -n 's/^scrape \([0-9]*\) with/\1/p' log | head -12 | awk '{ print ($1 < 3 ? "accepted: " : "refused: ") $3 }' | sort | uniq -c | tr -s ' ')
echo "$seen"
expected="1
 2 accepted: token-1
 10 refused: token-1"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; tail -5 errors; exit 1; }
