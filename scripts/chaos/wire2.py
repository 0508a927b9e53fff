"""A client of HTTP/2 that asks many things at once on one connection; needs the package `h2`."""

import asyncio

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .wire import PATIENCE, Answer, Connection, Cut, Malformed


class Http2:
    """One connection with prior knowledge, or over TLS with ALPN."""

    def __init__(self, connection: Connection):
        self.connection = connection
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self.state = h2.connection.H2Connection(config)
        self.state.initiate_connection()

    async def ask(self, heads: list[list[tuple[str, str]]]) -> list[Answer | None]:
        """The answers to all of these heads, each sent before the first answer; `None` where the stream was reset."""
        answers: dict[int, Answer] = {}
        streams = []
        try:
            for head in heads:
                stream = self.state.get_next_available_stream_id()
                self.state.send_headers(stream, head, end_stream=True)
                streams.append(stream)
            pending = set(streams)
            while pending:
                await self.connection.send(self.state.data_to_send())
                piece = await asyncio.wait_for(self.connection.reader.read(65536), PATIENCE)
                if not piece:
                    raise Cut("HTTP/2 ended")
                for event in self.state.receive_data(piece):
                    self.take(event, answers, pending)
            await self.connection.send(self.state.data_to_send())
        except h2.exceptions.H2Error as error:
            # the library takes GOAWAY for the end; what follows a graceful one (RFC 9113, section 6.8) is an error to it
            if self.state.state_machine.state is h2.connection.ConnectionState.CLOSED:
                raise Cut("GOAWAY") from None
            raise Malformed(f"HTTP/2: {error!r}") from None
        except (OSError, asyncio.TimeoutError) as error:
            raise Cut(f"HTTP/2: {error!r}") from None
        return [answers.get(stream) for stream in streams]

    def take(self, event, answers: dict[int, Answer], pending: set[int]) -> None:
        """One event of the connection."""
        match event:
            case h2.events.ResponseReceived():
                fields: dict[str, list[str]] = {}
                for name, value in event.headers:
                    fields.setdefault(name, []).append(value)
                answers[event.stream_id] = Answer(int(fields[":status"][0]), fields)
            case h2.events.DataReceived():
                answers[event.stream_id].body += event.data
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                pending.discard(event.stream_id)
            case h2.events.StreamReset():
                answers.pop(event.stream_id, None)
                pending.discard(event.stream_id)
            case h2.events.ConnectionTerminated():
                if pending:
                    raise Cut("GOAWAY")
