#!/usr/bin/env bash
# A complete answer over HTTP/2 that is followed by RST_STREAM(NO_ERROR) is an error for curl while it still uploads.
#
# Packages   curl 7.88.1-10+deb12u15 with libcurl4 and nghttp2 1.52.0 (Debian 12); the server is h2 4.4.1 (PyPI), Python 3.11;
#            seen on 30 November 2026
# Behaviour  A server that does not want the rest of an upload sends its whole answer (HEADERS, DATA with END_STREAM) and then
#            RST_STREAM with NO_ERROR. RFC 9113, 8.1 defines exactly this: "Clients MUST NOT discard responses as a result of
#            receiving such a RST_STREAM". Where answer and reset arrive in one segment, curl exits with 92 ("Stream error in the HTTP/2
#            framing layer"), prints no body and reports the status as 000. Where the reset comes some
#            milliseconds later, it prints the same 413.
# One would  expect the same answer in both cases: the frames are the same, in the same order.
# So         a server or proxy that refuses an upload early over HTTP/2 sends the reset some time after the answer.
set -euo pipefail

folder=$(mktemp -d)
server=''
finish() {
  if [[ -n $server ]]; then kill "$server" 2>/dev/null && wait "$server" || true; fi
  rm -rf "$folder"
}
trap finish EXIT
(cd "$folder" && apt-get download -q=2 curl=7.88.1-10+deb12u15 libcurl4=7.88.1-10+deb12u15 2>/dev/null && for one in *.deb; do dpkg -x "$one" root; done)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'h2==4.4.1'
head -c 2000000 /dev/zero > "$folder/upload"

cat > "$folder/server.py" <<'PY'
import socket
import time

import h2.config
import h2.connection
import h2.errors
import h2.events

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
for pause in (0.2, 0.0):
    peer, _ = listener.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    peer.sendall(connection.data_to_send())
    while True:
        try:
            data = peer.recv(65536)
        except ConnectionResetError:
            break
        if not data:
            break
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                connection.send_headers(event.stream_id, [(":status", "413"), ("content-type", "text/plain")])
                connection.send_data(event.stream_id, b"too large\n", end_stream=True)
                if pause:
                    peer.sendall(connection.data_to_send())
                    time.sleep(pause)
                connection.reset_stream(event.stream_id, h2.errors.ErrorCodes.NO_ERROR)
        peer.sendall(connection.data_to_send())
    peer.close()
PY
"$folder/venv/bin/python" "$folder/server.py" > "$folder/port" &
server=$!
until [[ -s $folder/port ]]; do sleep 0.1; done
port=$(<"$folder/port")

seen=$(for reset in "after 200 ms" "in the same segment"; do
  status=0
  answer=$(LD_LIBRARY_PATH="$folder/root/usr/lib/$(uname -m)-linux-gnu" "$folder/root/usr/bin/curl" -sS --max-time 10 --http2-prior-knowledge \
    -T "$folder/upload" -w '%{http_code}' "http://127.0.0.1:$port/upload" 2>"$folder/error") || status=$?
  echo "reset $reset: exit $status, ${answer//$'\n'/ }"
  cat "$folder/error" >&2
done)
echo "$seen"
expected="reset after 200 ms: exit 0, too large 413
reset in the same segment: exit 92, 000"
[[ $seen == "$expected" ]] || { echo "this has changed; expected:"; echo "$expected"; exit 1; }
