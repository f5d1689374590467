"""A WSGI application that reads its input, behind each bridge: bare, and with the guide's adapter for granian."""

from __future__ import annotations

import runpy
from typing import Any

from hypercorn.middleware import TrioWSGIMiddleware

from ..servers.harness import ROOT
from .matrix import BRIDGES, SIZE


def _length(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d bytes" % len(environ["wsgi.input"].read())]


_with_coroutines = runpy.run_path(str(ROOT / "examples" / "guides" / "granian_wsgi.py"))["with_coroutines"]
APPS = {name: bridge(_length) for name, bridge in BRIDGES.items()}
APPS |= {f"{name}, adapted": _with_coroutines(app) for name, app in APPS.items()}
APPS["hypercorn's bridge for trio"] = TrioWSGIMiddleware(_length, max_body_size=SIZE)


async def app(scope: Any, receive: Any, send: Any) -> None:
    await APPS[scope["path"].removeprefix("/")](scope, receive, send)  # none for the lifespan: servers go on without
