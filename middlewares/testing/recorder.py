"""Drive an ASGI application with raw messages, without a server, and keep every message that it sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import anyio
import anyio.lowlevel

from ..asgi import AnyASGIApp, Message, Scope, single_callable

# What ends a response or a connection: always, or unless the message says that more comes.
_FINAL = {"websocket.close", "lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"}
_BODIES = {
    "http.response.body",
    "http.response.zerocopysend",
    "http.response.pathsend",
    "websocket.http.response.body",
}


def http_scope(method: str = "GET", path: str = "/", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> Scope:
    """A complete `http` scope; `more` adds keys or replaces them."""
    return _scope("http", path, headers, {"method": method, "scheme": "http", **more})


def websocket_scope(path: str = "/", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> Scope:
    """A complete `websocket` scope, with the denial extension; `more` adds keys or replaces them."""
    defaults: dict[str, Any] = {"scheme": "ws", "subprotocols": [], "extensions": {"websocket.http.response": {}}}
    return _scope("websocket", path, headers, {**defaults, **more})


def lifespan_scope(**more: Any) -> Scope:
    """A complete `lifespan` scope; `more` adds keys or replaces them."""
    return {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}, **more}


def _scope(kind: str, path: str, headers: Iterable[tuple[bytes, bytes]], more: dict[str, Any]) -> Scope:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": quote(path, safe="/:@!$&'()*+,;=~").encode("ascii"),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
        **more,
    }


class Recorder:
    """`receive` and `send` for one scope: `receive` feeds the given messages, `sent` keeps what the application sent.

    Without messages it feeds an empty request body (HTTP), a connect (WebSocket), a startup and a shutdown (lifespan).
    When the messages are used up, `receive` waits for the end of the response, and then gives the disconnect, as
    servers do. Give `{"type": "http.disconnect"}` or `{"type": "websocket.disconnect", "code": 1001}` as a message for
    a client that leaves earlier; every later `receive` gives it again.
    """

    def __init__(self, scope: Scope, *incoming: Message) -> None:
        kind = scope["type"]
        defaults: dict[str, list[Message]] = {
            "http": [{"type": "http.request", "body": b"", "more_body": False}],
            "websocket": [{"type": "websocket.connect"}],
            "lifespan": [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}],
        }
        self.sent: list[Message] = []
        self._incoming = list(incoming) or defaults.get(kind, [])
        self._disconnect = (
            {"type": "websocket.disconnect", "code": 1006} if kind == "websocket" else {"type": f"{kind}.disconnect"}
        )
        self._trailers = False
        self._ended = anyio.Event()

    async def receive(self) -> Message:
        """The next message of the client."""
        await anyio.lowlevel.checkpoint()
        if not self._incoming:
            await self._ended.wait()
            return self._disconnect
        message = self._incoming.pop(0)
        if message["type"] == self._disconnect["type"]:
            self._disconnect = message
            self._ended.set()
        return message

    async def send(self, message: Message) -> None:
        """Keep a message of the application."""
        await anyio.lowlevel.checkpoint()
        self.sent.append(message)
        kind = message["type"]
        if kind == "http.response.start":
            self._trailers = message.get("trailers", False)
        elif (
            kind in _FINAL
            or (kind in _BODIES and not message.get("more_body", False) and not self._trailers)
            or (kind == "http.response.trailers" and not message.get("more_trailers", False))
        ):
            self._ended.set()


async def record(app: AnyASGIApp, scope: Scope, *incoming: Message) -> list[Message]:
    """Run `app` once and return what it sent, in order; its exceptions pass through (then use a `Recorder`)."""
    recorder = Recorder(scope, *incoming)
    await single_callable(app)(scope, recorder.receive, recorder.send)
    return recorder.sent


def run(app: AnyASGIApp, scope: Scope, *incoming: Message, backend: str = "asyncio") -> list[Message]:
    """`record` from synchronous code, in an event loop of its own: `backend` is "asyncio" or "trio"."""
    return anyio.run(record, app, scope, *incoming, backend=backend)
