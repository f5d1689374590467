"""The claims of the manual page about Starlette, whose own layer for errors is outermost in every application."""

import pytest

from middlewares.server_errors import ServerErrorMiddleware
from middlewares.testing import Recorder, http_scope
from tests.conftest import require

anyio = require("anyio")
require("starlette")

from starlette.applications import Starlette  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.routing import Route  # noqa: E402


def responses(app):
    """Content types of the responses that were started, and the exception that went up."""

    async def main():
        scope = http_scope()
        recorder = Recorder(scope)
        with pytest.raises(ZeroDivisionError):
            await app(scope, recorder.receive, recorder.send)
        return [dict(message["headers"])[b"content-type"] for message in recorder.sent if "status" in message]

    return anyio.run(main)


async def fail(request):
    return 1 / 0


def test_around_starlette():
    """Starlette answers itself and raises on: the layer around sees an exception after the start, and adds nothing."""
    assert responses(ServerErrorMiddleware(Starlette(routes=[Route("/", fail)]))) == [b"text/plain; charset=utf-8"]


def test_inside_starlette():
    """Among Starlette's middlewares the layer answers first, and Starlette's own one only raises on."""
    app = Starlette(routes=[Route("/", fail)], middleware=[Middleware(ServerErrorMiddleware)])
    assert responses(app) == [b"application/problem+json"]
