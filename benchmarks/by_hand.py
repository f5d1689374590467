"""The header work of the five rooms, by hand, for one request of the benchmarks alone: what is left if nothing else is.

Five layers, as short as the answer allows. They check no value, merge no Vary, answer no preflight, take no id from a
second layer, code nothing, and have no session that can be read.
"""

from __future__ import annotations

import os
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
_VARY = [(b"vary", b"Accept-Encoding, Origin")]


def five_by_hand(app: Any) -> App:
    """The layers, in the order of `wrap`."""
    return _request_ids(_timing(_cors(_compression(_sessions(app)))))


def _request_ids(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        request_id = _value(scope, b"x-request-id") or os.urandom(16).hex().encode()
        _request_id.set(request_id)
        scope["state"]["request_id"] = request_id
        await app(scope, receive, _adding(send, [(b"x-request-id", request_id)]))

    return layer


def _timing(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        def timed(message: Any, send: Any = send, started: int = perf_counter_ns()) -> Any:
            if message["type"] == "http.response.start":
                message = {**message}
                field = (b"server-timing", b"app;dur=%.1f" % ((perf_counter_ns() - started) / 1e6))
                message["headers"] = [*message["headers"], field]
            return send(message)

        await app(scope, receive, timed)

    return layer


def _cors(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, _adding(send, _CORS) if _value(scope, b"origin") == apps.ORIGIN else send)

    return layer


def _compression(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, _adding(send, _VARY))

    return layer


def _sessions(app: App) -> App:
    async def layer(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {}
        await app(scope, receive, send)

    return layer


def _value(scope: Any, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return value  # type: ignore[no-any-return]
    return None


def _adding(send: Any, fields: list[tuple[bytes, bytes]]) -> Any:
    def added(message: Any, send: Any = send, fields: list[tuple[bytes, bytes]] = fields) -> Any:
        if message["type"] == "http.response.start":
            message = {**message}
            message["headers"] = message["headers"] + fields
        return send(message)

    return added
