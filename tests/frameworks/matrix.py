"""The matrix of applications and checks: how each is made and wrapped, and what it cannot do by itself."""
# ruff: noqa: PLW0108 - a module of a framework is imported when its application is made, not here

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    DecompressionMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    SessionMiddleware,
    TimingMiddleware,
    wrap,
)

from ..required import require
from .apps import digest, terminated

ORIGIN = "https://app.example"
KEY = "a key of at least thirty-two bytes, for tests"
CORS = {
    "allow_origins": [ORIGIN],
    "allow_credentials": True,
    "allow_methods": ["GET", "POST"],
    "expose_headers": ["x-request-id"],
}
SIZE = 400_000
"""How many bytes an upload may have, decoded."""

# Outermost first, as `wrap` has them.
LAYERS: list[tuple[Any, dict[str, Any]]] = [
    (RequestIDMiddleware, {}),
    (TimingMiddleware, {}),
    (CORSMiddleware, CORS),
    (ServerErrorMiddleware, {}),
    (CompressionMiddleware, {}),
    (DecompressionMiddleware, {"max_size": SIZE}),
    (SessionMiddleware, {"secret_key": KEY}),
]


def around(app: Any) -> Any:
    """The whole stack around an application."""
    return wrap(
        app,
        request_id=True,
        timing=True,
        cors=CORS,
        server_errors=True,
        compression=True,
        decompression={"max_size": SIZE},
        sessions={"secret_key": KEY},
    )


def _load(module: str, name: str = "application", needs: str = "") -> Any:
    require(needs or module.partition("_")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks about themselves
        return getattr(importlib.import_module(f"tests.frameworks.apps.{module}"), name)


# ---- The framework's own place for middleware


def _added(module: str) -> Any:
    """`app.add_middleware`: the one added last stands outermost."""
    app = _load(module)()
    for layer, keywords in reversed(LAYERS):
        app.add_middleware(layer, **keywords)
    return app


def _starlette_list() -> Any:
    """`Starlette(middleware=[...])`."""
    require("starlette")
    from starlette.middleware import Middleware

    return _load("starlette_app")([Middleware(layer, **keywords) for layer, keywords in LAYERS])


def _quart_own() -> Any:
    """`app.asgi_app = ...`, which leaves the application itself, with `run` and `test_client`, as it is."""
    app = _load("quart_app")()
    app.asgi_app = around(app.asgi_app)
    return app


def _litestar_own() -> Any:
    """`Litestar(middleware=[DefineMiddleware(...)])`."""
    require("litestar")
    from litestar.middleware import DefineMiddleware

    return _load("litestar_app")([DefineMiddleware(layer, **keywords) for layer, keywords in LAYERS])


# ---- Bridges


def _a2wsgi(app: Any) -> Any:
    return require("a2wsgi").WSGIMiddleware(app)


def _asgiref(app: Any) -> Any:
    require("asgiref")
    from asgiref.wsgi import WsgiToAsgi

    return WsgiToAsgi(app)


def _uvicorn(app: Any) -> Any:
    require("uvicorn")
    from uvicorn.middleware.wsgi import _WSGIMiddleware

    return _WSGIMiddleware(app)


def _hypercorn(app: Any) -> Any:
    require("hypercorn")
    from hypercorn.middleware import AsyncioWSGIMiddleware

    return AsyncioWSGIMiddleware(app, max_body_size=SIZE)


BRIDGES = {"a2wsgi": _a2wsgi, "asgiref": _asgiref, "uvicorn's bridge": _uvicorn, "hypercorn's bridge": _hypercorn}

WSGI: dict[str, Callable[[], Any]] = {
    "bare WSGI": lambda: _load("wsgi", "hello_world", "a2wsgi"),
    "Flask": lambda: _load("flask_app")(),
    "Django, WSGI": lambda: _load("django_app", "wsgi")(),
    "Falcon, WSGI": lambda: _load("falcon_wsgi_app")(),
    "Pyramid": lambda: _load("pyramid_app")(),
    "Bottle": lambda: _load("bottle_app")(),
}


@dataclass(frozen=True)
class Row:
    """An application: how it is made bare, and how behind our stack."""

    bare: Callable[[], Any]
    wrapped: Callable[[], Any]


def _around(bare: Callable[[], Any]) -> Row:
    return Row(bare, lambda: around(bare()))


def _bridged(wsgi: str, bridge: str) -> Row:
    return _around(lambda: BRIDGES[bridge](terminated(WSGI[wsgi]())))


_ASGI: dict[str, Callable[[], Any]] = {
    "bare ASGI 3": lambda: _load("asgi", "asgi3", "asgiref"),
    "bare ASGI 2": lambda: _load("asgi", "ASGI2", "asgiref"),
    "Starlette": lambda: _load("starlette_app")(),
    "FastAPI": lambda: _load("fastapi_app")(),
    "Quart": lambda: _load("quart_app")(),
    "Litestar": lambda: _load("litestar_app")(),
    "Falcon": lambda: _load("falcon_app")(),
    "Sanic": lambda: _load("sanic_app")(),
    "BlackSheep": lambda: _load("blacksheep_app")(),
    "Django": lambda: _load("django_app")(),
    "Channels": lambda: _load("django_app", "channels", "channels")(),
}

ROWS: dict[str, Row] = {
    **{name: _around(bare) for name, bare in _ASGI.items()},
    "Starlette, add_middleware": Row(_ASGI["Starlette"], lambda: _added("starlette_app")),
    "Starlette, middleware=": Row(_ASGI["Starlette"], _starlette_list),
    "FastAPI, add_middleware": Row(_ASGI["FastAPI"], lambda: _added("fastapi_app")),
    "Quart, asgi_app": Row(_ASGI["Quart"], _quart_own),
    "Litestar, middleware=": Row(_ASGI["Litestar"], _litestar_own),
    **{f"{wsgi}, {bridge}": _bridged(wsgi, bridge) for wsgi in WSGI for bridge in BRIDGES},
}
"""The title of a row -> what it is."""

_NO_SCOPE = (
    "The bridge does not hand the ASGI scope on: of ours, a WSGI application sees the id, as a request header."
    " [a2wsgi](guides/bridges.md) does."
)
_NO_SOCKETS = "It has no WebSockets ([Channels](guides/django.md) gives them to Django)."
_NO_LENGTH = (
    "It reads no body without Content-Length, and what a decoded body will come to is not known before its end"
    " (PEP 3333 knows of no other way; Werkzeug, WebOb and Falcon read to the end when"
    " [they are told](guides/bridges.md#bodies-without-a-length) that there is one)."
)
_NOTHING = (
    "The bridge sends its response with the first piece of the body: where there is none, it sends nothing."
    " [Other bridges](guides/bridges.md) do."
)
_PER_ROUTE = (
    "The framework runs its middleware for routes alone: stand [around the application](guides/litestar.md) instead."
)

SEEN = {
    _NO_SCOPE: "AssertionError: .*Internal Server Error",
    _NO_SOCKETS: r"ValueError: (Django can only|WSGI wrapper received)|AssertionError: (\['websocket.close'\]|\Z)",
    _NO_LENGTH: f"AssertionError: {digest(b'')}",
    _NOTHING: r"AssertionError: \Z",  # httpx's, of a response that has not started
    _PER_ROUTE: r"AssertionError: \('x-request-id'",
}
"""Why a check fails -> a pattern of the exception by which it does."""

EMPTY = {"bare WSGI": ["HEAD"], "Flask": ["HEAD"], "Falcon, WSGI": ["HEAD", "cookies"], "Pyramid": ["HEAD"]}
EMPTY["Bottle"] = EMPTY["Falcon, WSGI"]


def _gaps() -> dict[str, dict[str, str]]:
    gaps: dict[str, dict[str, str]] = {name: {} for name in ROWS}
    for wsgi in WSGI:
        for bridge in BRIDGES:
            found = gaps[f"{wsgi}, {bridge}"]
            found["WebSocket"] = _NO_SOCKETS
            if bridge != "a2wsgi":
                found["session"] = _NO_SCOPE
            if bridge == "hypercorn's bridge":
                found |= dict.fromkeys(EMPTY.get(wsgi, []), _NOTHING)
            if wsgi in ("Django, WSGI", "Bottle"):
                found["upload in gzip"] = _NO_LENGTH
    gaps["Django"]["WebSocket"] = _NO_SOCKETS
    gaps["Litestar, middleware="]["404"] = _PER_ROUTE
    return gaps


GAPS = _gaps()
"""Row -> check -> why it fails there, by the fault of the application, its framework or its bridge."""


def table() -> str:
    """The matrix as Markdown, with the gaps as numbered notes below."""
    from .checks import CHECKS

    notes = list(dict.fromkeys(note for gaps in GAPS.values() for note in gaps.values()))
    lines = [
        "| | " + " | ".join(CHECKS) + " |",
        "|---" * (len(CHECKS) + 1) + "|",
        *(
            f"| {row} | "
            + " | ".join(f"[{notes.index(GAPS[row][check]) + 1}]" if check in GAPS[row] else "yes" for check in CHECKS)
            + " |"
            for row in ROWS
        ),
        "",
        *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
    ]
    return "\n".join(lines) + "\n"
