#!/usr/bin/env bash
# h2 of Python takes the first GOAWAY for the end of the connection: answers that are still on their way are errors.
#
# Packages   h2 4.4.1 with hyperframe and hpack as it requires them (PyPI), Python 3.11; seen on 1 December 2026
# Behaviour  A server that ends a connection gracefully sends GOAWAY with the last stream 2^31-1 and NO_ERROR, then PING, and
#            goes on with the answers to what it has taken: RFC 9113, 6.8 describes exactly this, and hyper, nginx and Envoy do it.
#            H2Connection.receive_data() raises ProtocolError for the PING and for the HEADERS of the answer ("Invalid input
#            ConnectionInputs.RECV_HEADERS in state ConnectionState.CLOSED"). A second GOAWAY is taken.
# One would  expect that streams up to the last one of the GOAWAY go on, and that a PING is answered.
# So         a client on this library loses what is in flight when a server drains, and has to send it again; a load test with it counts
#            failures that no other client sees.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'h2==4.4.1'
seen=$("$folder/venv/bin/python" - <<'PY'
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError
from hpack import Encoder
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame


def receive(*frames):
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    asked = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "a")]
    client.send_headers(1, asked, end_stream=True)
    client.receive_data(SettingsFrame(0).serialize())
    try:
        events = [event for frame in frames for event in client.receive_data(frame.serialize())]
    except ProtocolError as error:
        return str(error)
    return " ".join(type(event).__name__ for event in events)


drain = GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=0)
ping = PingFrame(0, opaque_data=b"12345678")
status = Encoder().encode([(":status", "200")])
answer = HeadersFrame(1, data=status, flags=["END_HEADERS", "END_STREAM"])
print("PING:", receive(ping))
print("GOAWAY, PING:", receive(drain, ping))
print("answer:", receive(answer))
print("GOAWAY, answer:", receive(drain, answer))
PY
)
echo "$seen"
grep -q '^PING: PingReceived' <<<"$seen"
grep -q '^answer: ResponseReceived StreamEnded' <<<"$seen"
grep -q '^GOAWAY, PING: .*RECV_PING in state ConnectionState.CLOSED' <<<"$seen"
grep -q '^GOAWAY, answer: .*RECV_HEADERS in state ConnectionState.CLOSED' <<<"$seen"
