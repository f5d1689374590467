"""Drive an ASGI application with raw messages, without a server, and keep every message that it sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio
import anyio.lowlevel

from ..asgi import AnyASGIApp, Message, Scope, single_callable

_FINAL = {"websocket.close", "lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"}


def http_scope(method: str = "GET", path: str = "/", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> Scope:
    """A complete `http` scope; `more` adds keys or replaces them."""
    return _scope("http", path, headers, {"method": method, "scheme": "http", **more})


def websocket_scope(path: str = "/", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any) -> Scope:
    """A complete `websocket` scope, with the denial extension; `more` adds keys or replaces them."""
    defaults = {"scheme": "ws", "subprotocols": [], "extensions": {"websocket.http.response": {}}}
    return _scope("websocket", path, headers, {**defaults, **more})


def _scope(kind: str, path: str, headers: Iterable[tuple[bytes, bytes]], more: dict[str, Any]) -> Scope:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
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

    Without messages it feeds an empty request body (HTTP) or a connect (WebSocket). When the messages are used up,
    `receive` waits for the end of the response, and then gives the disconnect, as servers do.
    """

    def __init__(self, scope: Scope, *incoming: Message) -> None:
        kind = scope["type"]
        default = {
            "http": {"type": "http.request", "body": b"", "more_body": False},
            "websocket": {"type": "websocket.connect"},
        }
        self.sent: list[Message] = []
        self._incoming = list(incoming) or ([default[kind]] if kind in default else [])
        self._disconnect = (
            {"type": "websocket.disconnect", "code": 1006} if kind == "websocket" else {"type": f"{kind}.disconnect"}
        )
        self._ended = anyio.Event()

    async def receive(self) -> Message:
        """The next message of the client."""
        await anyio.lowlevel.checkpoint()
        if self._incoming:
            return self._incoming.pop(0)
        await self._ended.wait()
        return self._disconnect

    async def send(self, message: Message) -> None:
        """Keep a message of the application."""
        await anyio.lowlevel.checkpoint()
        self.sent.append(message)
        kind = message["type"]
        if kind in _FINAL or (kind.endswith("response.body") and not message.get("more_body", False)):
            self._ended.set()


async def record(app: AnyASGIApp, scope: Scope, *incoming: Message) -> list[Message]:
    """Run `app` once and return what it sent, in order; its exceptions pass through (then use a `Recorder`)."""
    recorder = Recorder(scope, *incoming)
    await single_callable(app)(scope, recorder.receive, recorder.send)
    return recorder.sent


def run(app: AnyASGIApp, scope: Scope, *incoming: Message, backend: str = "asyncio") -> list[Message]:
    """`record` from synchronous code, in an event loop of its own: `backend` is "asyncio" or "trio"."""
    return anyio.run(record, app, scope, *incoming, backend=backend)
