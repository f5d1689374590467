"""Real clients of one server for HTTP/1.1, HTTP/2 and HTTP/3, of one shape, each with a deadline on whatever it waits for.

`fetch` and `stream` are httpx, and aioquic for HTTP/3. `exchange` shows what httpx hides: hints, pushes and trailers. It
is h11, h2 and aioquic.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from ..conftest import require

DEADLINE = 30  # seconds for any one answer, on a busy machine
Headers = list[tuple[str, str]]


@dataclass
class Answer:
    """A response, and what came beside it."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    hints: list[Headers] = field(default_factory=list)
    pushed: dict[str, bytes] = field(default_factory=dict)

    def all(self, name: str) -> list[str]:
        """The values of each line with this name."""
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        """The value of the only line with this name."""
        values = self.all(name)
        assert len(values) == 1, f"{name}: {values}"
        return values[0]

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """A client that keeps its connections; HTTP/1.1 and HTTP/2 by httpx."""

    def __init__(
        self, host: str, port: int, context: ssl.SSLContext | None, *, http2: bool, patience: float = DEADLINE
    ) -> None:
        self.host, self.port, self.context, self.http2 = host, port, context, http2
        self.patience = patience
        # Without TLS, HTTP/2 is spoken at once, by prior knowledge (RFC 9113 3.3).
        self._httpx = httpx.Client(
            base_url=f"http{'s' if context else ''}://{host}:{port}",
            http1=not http2,
            http2=http2,
            verify=context or ssl.create_default_context(),
            timeout=DEADLINE,
            trust_env=False,
            headers={"accept-encoding": "identity"},
        )
        self.cookies = self._httpx.cookies

    def close(self) -> None:
        """Close all connections."""
        self._httpx.close()

    def fetch(self, path: str, *, method: str = "GET", headers: Any = (), content: bytes | None = None) -> Answer:
        """One request, its response with the body as it was sent."""
        with self.stream(path, method=method, headers=headers, content=content) as (answer, chunks):
            answer.body = b"".join(chunks)
        return answer

    @contextmanager
    def stream(
        self, path: str, *, method: str = "GET", headers: Any = (), content: bytes | None = None
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """One request, its response without the body, and the body as it comes."""
        with self._httpx.stream(method, path, headers=list(dict(headers).items()), content=content) as response:
            assert response.http_version == ("HTTP/2" if self.http2 else "HTTP/1.1")
            yield Answer(response.status_code, response.headers.multi_items()), response.iter_raw()

    @contextmanager
    def abandoned(self, path: str) -> Iterator[bytes]:
        """The first bytes of a response that is broken off at the end of the block."""
        with self._socket(b"h2" if self.http2 else b"http/1.1") as connection:
            exchange = (_HTTP2 if self.http2 else _HTTP1)(connection, self.authority, path, {})
            while not exchange.answer.body:
                exchange.read()
            yield exchange.answer.body
            exchange.abandon()

    def unread(self, path: str, content: bytes) -> Answer:
        """The answer to a POST, which may come before all of the body is sent."""
        if not self.http2:
            return self.fetch(path, method="POST", content=content)
        with self._socket(b"h2") as connection:  # httpx takes the reset behind such an answer for an error
            exchange = _HTTP2(connection, self.authority, path, {}, method="POST")
            exchange.send(content, last=True)
            while not exchange.ended:
                exchange.read()
            return exchange.answer

    def exchange(self, path: str, headers: Any = ()) -> Answer:
        """One GET request, and all that comes for it."""
        with self._socket(b"h2" if self.http2 else b"http/1.1") as connection:
            exchange = (_HTTP2 if self.http2 else _HTTP1)(connection, self.authority, path, dict(headers))
            while not exchange.ended:
                exchange.read()
            return exchange.answer

    @property
    def authority(self) -> str:
        """The host and the port."""
        return f"{self.host}:{self.port}"

    @contextmanager
    def _socket(self, protocol: bytes) -> Iterator[socket.socket]:
        with ExitStack() as closing:
            connection = closing.enter_context(socket.create_connection((self.host, self.port), timeout=DEADLINE))
            if self.context is not None:
                connection = closing.enter_context(self.context.wrap_socket(connection, server_hostname=self.host))
                assert connection.selected_alpn_protocol() == protocol.decode()
            yield connection

    @contextmanager
    def websocket(self, path: str, *, origin: str | None = None, headers: Any = ()) -> Iterator[Any]:
        """A socket: `websockets` over HTTP/1.1; over HTTP/2 in a stream, by RFC 8441."""
        if self.http2:
            with self._socket(b"h2") as connection:
                fields = _handshake(origin, headers)
                with _WebSocketStream(_HTTP2(connection, self.authority, path, fields, protocol="websocket")) as opened:
                    yield opened
            return
        client = require("websockets.sync.client")
        exceptions = require("websockets.exceptions")
        url = f"ws{'s' if self.context else ''}://{self.authority}{path}"
        try:
            opened = client.connect(
                url,
                origin=origin,
                additional_headers=dict(headers),
                ssl=self.context,
                proxy=None,
                open_timeout=DEADLINE,
            )
        except exceptions.InvalidStatus as refused:
            response = refused.response
            lines = [(name.lower(), value) for name, value in response.headers.raw_items()]
            raise Refused(Answer(response.status_code, lines, bytes(response.body or b""))) from None
        with opened as connection:
            yield _WebSocket(connection)


class Refused(Exception):  # noqa: N818 - not an error of the client
    """A handshake was answered with something else than a socket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.body!r}")
        self.answer = answer


class _WebSocket:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        headers = connection.response.headers.raw_items()
        self.handshake = Answer(connection.response.status_code, [(name.lower(), value) for name, value in headers])

    def ask(self, message: str | bytes) -> str | bytes:
        self._connection.send(message)
        answer: str | bytes = self._connection.recv(timeout=DEADLINE)
        return answer


class _HTTP1:
    """One request by h11, on a connection of its own."""

    def __init__(self, connection: socket.socket, authority: str, path: str, headers: dict[str, str]) -> None:
        h11 = require("h11")
        self._socket, self._h11 = connection, h11.Connection(h11.CLIENT)
        self.answer, self.ended = Answer(), False
        request = h11.Request(method="GET", target=path, headers=[("host", authority), *headers.items()])
        connection.sendall(self._h11.send(request) + self._h11.send(h11.EndOfMessage()))

    def read(self) -> None:
        h11 = require("h11")
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(self._socket.recv(65536))
        if isinstance(event, h11.InformationalResponse):
            self.answer.hints.append(_text(event.headers))
        elif isinstance(event, h11.Response):
            self.answer.status, self.answer.headers = event.status_code, _text(event.headers)
        elif isinstance(event, h11.Data):
            self.answer.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            self.answer.trailers, self.ended = _text(event.headers), True
        else:
            raise AssertionError(event)

    def abandon(self) -> None:
        """The connection is closed by the caller: HTTP/1.1 has nothing else."""


class _HTTP2:
    """One request by h2, on a connection of its own."""

    def __init__(
        self,
        connection: socket.socket,
        authority: str,
        path: str,
        headers: dict[str, str],
        *,
        method: str = "GET",
        protocol: str = "",
    ) -> None:
        h2 = require("h2.connection")
        config = require("h2.config").H2Configuration(header_encoding="utf-8")
        self._socket, self._h2 = connection, h2.H2Connection(config)
        self._h2.initiate_connection()
        self.answer, self.ended = Answer(), False
        self._pushes: dict[int, str] = {}
        self._open = {1}
        self._flush()
        self._settings = self._unwanted = False
        if protocol:  # the server says in its first frame whether it knows WebSockets in streams (RFC 8441 3)
            while not self._settings:
                self.read()
            assert self._h2.remote_settings.enable_connect_protocol, "no WebSockets over HTTP/2"
        head = [(":method", "CONNECT"), (":protocol", protocol)] if protocol else [(":method", method)]
        scheme = "https" if isinstance(connection, ssl.SSLSocket) else "http"
        head += [(":scheme", scheme), (":authority", authority), (":path", path), *headers.items()]
        self._h2.send_headers(1, head, end_stream=method == "GET" and not protocol)
        self._flush()

    def _flush(self) -> None:
        try:
            self._socket.sendall(self._h2.data_to_send())
        except (ConnectionError, ssl.SSLError) as error:
            raise AssertionError("the connection was closed") from error

    def send(self, data: bytes, *, last: bool = False) -> None:
        while data and not self._unwanted:
            size = min(self._h2.local_flow_control_window(1), self._h2.max_outbound_frame_size)
            if size:
                self._h2.send_data(1, data[:size], end_stream=last and len(data) <= size)
                self._flush()
                data = data[size:]
            else:
                self.read()

    def read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        assert data, "the connection was closed"
        for event in self._h2.receive_data(data):
            self._take(type(event).__name__, event)
        self._flush()

    def _take(self, kind: str, event: Any) -> None:
        stream = getattr(event, "stream_id", 0)
        if kind == "InformationalResponseReceived":
            self.answer.hints.append(_text(event.headers))
        elif kind == "ResponseReceived" and stream == 1:
            self.answer.headers = [pair for pair in _text(event.headers) if pair[0] != ":status"]
            self.answer.status = int(dict(_text(event.headers))[":status"])
        elif kind == "DataReceived":
            self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
            if stream == 1:
                self.answer.body += event.data
            else:
                self.answer.pushed[self._pushes[stream]] += event.data
        elif kind == "PushedStreamReceived":
            path = dict(_text(event.headers))[":path"]
            self._pushes[event.pushed_stream_id] = path
            self._open.add(event.pushed_stream_id)
            self.answer.pushed[path] = b""
        elif kind == "RemoteSettingsChanged":
            self._settings = True
        elif kind == "TrailersReceived":
            self.answer.trailers = _text(event.headers)
        elif kind == "StreamEnded":
            self._open.discard(stream)
            self.ended = not self._open
        elif kind == "StreamReset" and stream not in self._open and event.error_code == 0:
            self._unwanted = True  # NO_ERROR behind a whole answer: what is left of the body (RFC 9113 8.1)
        elif kind in ("StreamReset", "ConnectionTerminated"):
            raise AssertionError(event)

    def abandon(self) -> None:
        """Reset the stream, as a browser does; the connection lives on."""
        self._h2.reset_stream(1, error_code=8)  # CANCEL
        self._flush()


class _WebSocketStream:
    """A WebSocket in a stream of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220)."""

    def __init__(self, http: _HTTP2 | _HTTP3) -> None:
        wsproto = require("wsproto.connection")
        self._frames = wsproto.Connection(wsproto.ConnectionType.CLIENT)
        self._http = http
        while not http.answer.status:
            http.read()
        self.handshake = http.answer
        if self.handshake.status != 200:
            while not http.ended:
                http.read()
            raise Refused(self.handshake)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.send(self._frames.send(require("wsproto.events").CloseConnection(code=1000)))

    def ask(self, message: str | bytes) -> str | bytes:
        events = require("wsproto.events")
        self._http.send(self._frames.send(events.Message(data=message)))
        pieces: list[Any] = []
        while True:
            for event in self._frames.events():
                assert isinstance(event, events.TextMessage | events.BytesMessage), event
                pieces.append(event.data)
                if event.message_finished:
                    return "".join(pieces) if isinstance(event.data, str) else b"".join(pieces)
            while not self._http.answer.body:
                self._http.read()
            self._frames.receive_data(self._http.answer.body)
            self._http.answer.body = b""


def _handshake(origin: str | None, headers: Any) -> dict[str, str]:
    return {"sec-websocket-version": "13", **({"origin": origin} if origin else {}), **dict(headers)}


def _text(headers: Any) -> Headers:
    def text(value: str | bytes) -> str:
        return value if isinstance(value, str) else bytes(value).decode()

    return [(text(name).lower(), text(value)) for name, value in headers]


class QUICClient:
    """A client for HTTP/3, with one connection, which an event loop in a thread keeps alive."""

    def __init__(
        self, host: str, port: int, authorities: str, *, patience: float = DEADLINE, opening: float = DEADLINE
    ) -> None:
        self.host, self.port, self.patience = host, port, patience
        self.cookies = httpx.Cookies()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._opened = self._call(self._open(authorities), opening)
        except BaseException:
            self.close()
            raise

    def _call(self, awaitable: Any, seconds: float = DEADLINE) -> Any:
        future = asyncio.run_coroutine_threadsafe(awaitable, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise

    async def _open(self, authorities: str) -> Any:
        configuration = require("aioquic.quic.configuration").QuicConfiguration(
            is_client=True, alpn_protocols=["h3"], server_name="localhost"
        )
        configuration.load_verify_locations(authorities)
        connect = require("aioquic.asyncio.client").connect
        self._context = connect(self.host, self.port, configuration=configuration, create_protocol=_quic_protocol())
        return await self._context.__aenter__()

    def close(self) -> None:
        """Close the connection, and end the thread."""
        if self._loop.is_closed():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(DEADLINE)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE)
            self._loop.close()

    async def _end(self) -> None:
        if hasattr(self, "_opened"):
            await self._context.__aexit__(None, None, None)
        # A connection that was not opened in time closes its socket at the end of its task, which `_call` cancelled.
        if unfinished := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(unfinished)

    @property
    def authority(self) -> str:
        """The host and the port."""
        return f"{self.host}:{self.port}"

    def fetch(self, path: str, *, method: str = "GET", headers: Any = (), content: bytes | None = None) -> Answer:
        """One request, and its response."""
        http = self._request(method, path, headers, content)
        while not http.ended:
            http.read()
        return http.answer

    @contextmanager
    def stream(
        self, path: str, *, method: str = "GET", headers: Any = (), content: bytes | None = None
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """One request, its response without the body, and the body as it comes."""
        http = self._request(method, path, headers, content)
        while not http.answer.status:
            http.read()

        def chunks() -> Iterator[bytes]:
            while not http.ended:
                if http.answer.body:
                    yield http.answer.body
                    http.answer.body = b""
                http.read()

        yield http.answer, chunks()

    def _request(self, method: str, path: str, headers: Any, content: bytes | None) -> _HTTP3:
        head = {":method": method, ":scheme": "https", ":authority": self.authority, ":path": path}
        return _HTTP3(self, {**head, **self._with(headers)}, content, ended=True)

    def _with(self, headers: Any) -> dict[str, str]:
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies.jar)
        return {"accept-encoding": "identity", **({"cookie": cookies} if cookies else {}), **dict(headers)}

    def unread(self, path: str, content: bytes) -> Answer:
        """The answer to a POST, which may come before all of the body is sent."""
        return self.fetch(path, method="POST", content=content)

    def exchange(self, path: str, headers: Any = ()) -> Answer:
        """One GET request, and all that comes for it."""
        return self.fetch(path, headers=headers)

    @contextmanager
    def abandoned(self, path: str) -> Iterator[bytes]:
        """The first bytes of a response that is broken off at the end of the block: by the end of the connection."""
        with self.stream(path) as (_, chunks):
            yield next(chunks)
            self.close()

    @contextmanager
    def websocket(self, path: str, *, origin: str | None = None, headers: Any = ()) -> Iterator[Any]:
        """A socket in a stream."""
        head = {":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":authority": self.authority}
        head |= {":path": path, **_handshake(origin, headers)}
        with _WebSocketStream(_HTTP3(self, head, None, ended=False)) as opened:
            yield opened


class _HTTP3:
    """One request by aioquic."""

    def __init__(self, client: QUICClient, head: dict[str, str], content: bytes | None, *, ended: bool) -> None:
        self._client = client
        self.answer, self.ended = Answer(), False
        self._stream, self._events = client._call(client._opened.request(head, content, ended))

    def send(self, data: bytes) -> None:
        self._client._call(self._client._opened.send(self._stream, data))

    def read(self) -> None:
        pushed, event = self._client._call(self._events.get(), self._client.patience)
        answer, kind = self.answer, type(event).__name__
        if event is None:
            self.ended = True
            assert answer.status, f"the connection ended: {self._client._opened.reason}"
        elif kind == "PushPromiseReceived":
            answer.pushed[pushed] = b""
        elif pushed is not None:
            answer.pushed[pushed] += event.data if kind == "DataReceived" else b""
        elif kind == "DataReceived":
            answer.body += event.data
        elif answer.status:
            answer.trailers = _text(event.headers)
        elif (status := int(dict(_text(event.headers))[":status"])) < 200:
            answer.hints.append(_text(event.headers))
        else:
            answer.status = status
            answer.headers = [pair for pair in _text(event.headers) if pair[0] != ":status"]
            for line in answer.all("set-cookie"):
                name, _, value = line.partition(";")[0].partition("=")
                self._client.cookies.set(name, value)


def _quic_protocol() -> Any:
    protocol = require("aioquic.asyncio.protocol").QuicConnectionProtocol
    terminated = require("aioquic.quic.events").ConnectionTerminated
    http3 = require("aioquic.h3.connection").H3Connection

    class Protocol(protocol):  # type: ignore[misc, valid-type]
        """Gives each request a queue of events, those of its pushes with their path, and (None, None) as the end."""

        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self._http = http3(self._quic)
            self.reason = ""
            self._queues: dict[int, asyncio.Queue[Any]] = {}
            self._open: dict[int, int] = {}
            self._pushes: dict[int, tuple[int, str]] = {}
            self._early: list[Any] = []

        async def request(self, head: dict[str, str], content: bytes | None, ended: bool) -> Any:
            stream = self._quic.get_next_available_stream_id()
            self._queues[stream], self._open[stream] = asyncio.Queue(), 1
            lines = [(name.encode(), value.encode()) for name, value in head.items()]
            self._http.send_headers(stream, lines, end_stream=ended and content is None)
            if content is not None:
                self._http.send_data(stream, content, end_stream=ended)
            self.transmit()
            return stream, self._queues[stream]

        async def send(self, stream: int, data: bytes) -> None:
            self._http.send_data(stream, data, end_stream=False)
            self.transmit()

        def quic_event_received(self, event: Any) -> None:
            for received in self._http.handle_event(event):
                self._take(received)
            if isinstance(event, terminated):
                self.reason = event.reason_phrase
                for queue in self._queues.values():
                    queue.put_nowait((None, None))

        def _take(self, event: Any) -> None:
            stream, path = event.stream_id, None
            promise = type(event).__name__ == "PushPromiseReceived"
            if promise:
                path = dict(_text(event.headers))[":path"]
                self._pushes[event.push_id] = stream, path
                self._open[stream] += 1
            elif event.push_id is not None:
                if event.push_id not in self._pushes:  # streams overtake each other
                    self._early.append(event)
                    return
                stream, path = self._pushes[event.push_id]
            self._queues[stream].put_nowait((path, event))
            if getattr(event, "stream_ended", False):
                self._open[stream] -= 1
                if not self._open[stream]:
                    self._queues[stream].put_nowait((None, None))
            if promise:
                early, self._early = self._early, []
                for waiting in early:
                    self._take(waiting)

    return Protocol


def eventually(question: Any, *, seconds: float = DEADLINE) -> Any:
    """The first true answer to a question that is asked until then; the last false one when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer
