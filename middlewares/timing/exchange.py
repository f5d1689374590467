"""One request from start to end, told by its messages: counts, and knows which message is the last. No clock."""

from __future__ import annotations

from typing import Any

from ..asgi import Message, Scope
from .records import TimingRecord, route_template, state_value
from .spans import Span, Timed

LAST = {
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
    "http.response.trailers": "more_trailers",
}
"""The messages that can be the last one of a response -> the key that says that more come."""


class Exchange:
    """What is known so far. `ended` is set by the last message, before it is sent; `done` when the record is made."""

    __slots__ = (
        "aborted",
        "done",
        "ended",
        "method",
        "path",
        "receive_wait",
        "request_bytes",
        "response_bytes",
        "root_path",
        "scope",
        "send_wait",
        "status",
        "trailing",
        "ttfb",
    )

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        # As they came: applications change them in place (Litestar takes root_path off the path, mounts add to it).
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.root_path: str = scope.get("root_path") or ""
        self.status: int | None = None
        self.ttfb: float | None = None
        self.request_bytes = self.response_bytes = 0
        self.receive_wait = self.send_wait = 0.0
        self.aborted = self.trailing = self.ended = self.done = False

    def received(self, message: Message, waited: float) -> bool:
        """A message of the client; whether it ended a connection."""
        kind = message["type"]
        if self.done:
            return False
        if kind == "http.request":
            self.receive_wait += waited
            self.request_bytes += _size(message.get("body"))
        elif kind == "websocket.receive":
            self.receive_wait += waited
            self.request_bytes += _text_size(message)
        elif kind == "http.disconnect":
            # After the last message was handed over, servers give it to everyone who still listens.
            self.aborted = self.aborted or not self.ended
        elif kind == "websocket.disconnect":
            # RFC 6455 7.1.5: 1006 is a connection that was lost without a closing handshake.
            self.aborted = self.aborted or message.get("code", 1005) == 1006 or self.status is None
            self.ended = True
            return True
        return False

    def handed(self, message: Message, elapsed: float) -> None:
        """A message of the application, before it is sent."""
        kind = message["type"]
        if kind == "http.response.start":
            self._start(message["status"], elapsed)
            self.trailing = bool(message.get("trailers", False))
        elif kind in LAST:
            is_trailers = kind == "http.response.trailers"
            if not is_trailers:
                self.response_bytes += self._body_size(kind, message)
            self.ended = not message.get(LAST[kind], False) and (is_trailers or not self.trailing)
        elif kind == "websocket.send":
            self.response_bytes += _text_size(message)
        elif kind == "websocket.accept":
            self._start(101, elapsed)
        elif kind == "websocket.close":
            if self.status is None:
                self._start(403, elapsed)  # ASGI: a close before the accept rejects the handshake with 403
            self.ended = True
        elif kind == "websocket.http.response.start":
            self._start(message["status"], elapsed)
        elif kind == "websocket.http.response.body":
            self.response_bytes += _size(message.get("body"))
            self.ended = not message.get("more_body", False)

    def _start(self, status: Any, elapsed: float) -> None:
        self.status = int(status)
        self.ttfb = elapsed

    def _body_size(self, kind: str, message: Message) -> int:
        if self.method == "HEAD":
            return 0  # RFC 9110 9.3.2: servers send none of it
        if kind == "http.response.body":
            return _size(message.get("body"))
        return message.get("count") or 0  # zerocopysend; the size of a whole file is not known here

    def record(self, duration: float, error: Exception | None, spans: list[Timed]) -> TimingRecord:
        """The record, made once."""
        self.done = True
        scope = self.scope
        if error is not None and self.status is None:
            self.status = 500
        # By position, which takes half the time.
        return TimingRecord(
            scope["type"],
            self.method,
            self.path,
            route_template(scope),
            scope.get("scheme"),
            scope.get("http_version"),
            self.status,
            self.ttfb,
            duration,
            self.request_bytes,
            self.response_bytes,
            self.aborted,
            error,
            tuple([Span(*timed) for timed in spans]) if spans else (),
            state_value(scope, "request_id"),
            self.receive_wait,
            self.send_wait,
            self.root_path,
            scope,
        )


def _size(body: Any) -> int:
    if isinstance(body, bytes | bytearray):
        return len(body)
    return body.nbytes if isinstance(body, memoryview) else 0


def _text_size(message: Message) -> int:
    text: str | None = message.get("text")
    return _size(message.get("bytes")) if text is None else len(text.encode("utf-8", "surrogatepass"))
