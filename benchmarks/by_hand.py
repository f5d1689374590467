"""The best case: the header work of the five rooms by hand, for the requests of the benchmarks alone, and nothing else.

No value is checked, neither of the client nor of the application; no Vary is merged, no preflight answered, nothing is
coded, and no session can be read. No library can be as fast: what is between is what those checks cost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter_ns
from typing import Any

from . import apps
from .harness import App

_request_id: ContextVar[bytes | None] = ContextVar("by_hand", default=None)

_CORS = [
    (b"access-control-allow-origin", apps.ORIGIN),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"x-request-id"),
]
_VARY = (b"vary", b"Accept-Encoding, Origin")


def five_by_hand(app: Any) -> App:
    """The layers, in the order of `wrap`."""
    return _request_ids(_timing(_cors(_compression(_sessions(app)))))


def _request_ids(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        request_id = _value(scope, b"x-request-id") or os.urandom(16).hex().encode()
        _request_id.set(request_id)
        scope["state"]["request_id"] = request_id
        await app(scope, receive, _adding(send, lambda: [(b"x-request-id", request_id)]))

    return layer


def _timing(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        started = perf_counter_ns()

        def field() -> list[tuple[bytes, bytes]]:
            return [(b"server-timing", b"app;dur=%.1f" % ((perf_counter_ns() - started) / 1e6))]

        await app(scope, receive, _adding(send, field))

    return layer


def _cors(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        granted = _value(scope, b"origin") == apps.ORIGIN
        await app(scope, receive, _adding(send, lambda: _CORS) if granted else send)

    return layer


def _compression(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        _value(scope, b"accept-encoding")
        await app(scope, receive, _adding(send, lambda: [_VARY]))

    return layer


def _sessions(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {}

        def passed(message: Any) -> Any:
            return send(message)

        await app(scope, receive, passed)

    return layer


def _value(scope: Any, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return value  # type: ignore[no-any-return]
    return None


def _adding(send: Any, fields: Callable[[], list[tuple[bytes, bytes]]]) -> Any:
    def added(message: Any) -> Any:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *fields()]}
        return send(message)

    return added
