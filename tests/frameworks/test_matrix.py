"""Every application behind the whole stack, in this process; what one cannot do is reproduced without us."""

from __future__ import annotations

import asyncio
import re
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from middlewares.testing import http_scope, run, websocket_scope

from .apps import digest
from .checks import CHECKS, client
from .matrix import BRIDGES, EMPTY, GAPS, ROWS, SEEN, WSGI, table

# What frameworks and bridges warn of is their own affair: asgiref of `send` that is no coroutine function, uvicorn of its
# bridge, Django of iterators that it has to drain.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
BEGIN, END = "<!-- frameworks: written by `python -m tests.frameworks` -->\n\n", "\n<!-- frameworks: end -->"
CELLS = [(row, check) for row in ROWS for check in CHECKS if check not in GAPS[row]]


@pytest.mark.parametrize(("row", "check"), CELLS)
def test_check(row: str, check: str) -> None:
    """The application passes the check behind all rooms, wherever our middleware stands."""

    async def main() -> None:
        async with client(ROWS[row].wrapped()) as asking:
            await CHECKS[check](asking)

    anyio.run(main)


@pytest.mark.parametrize(("row", "check"), [(row, check) for row, gaps in GAPS.items() for check in gaps])
def test_gap_is_one(row: str, check: str) -> None:
    """A gap that is listed is there, as it is described: one that a new version closes has to leave the list."""

    async def main() -> None:
        async with client(ROWS[row].wrapped()) as asking:
            await CHECKS[check](asking)

    with pytest.raises(BaseExceptionGroup) as raised:
        anyio.run(main)
    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert re.match(SEEN[GAPS[row][check]], f"{type(error).__name__}: {error}")


# ---- The gaps, without us


@pytest.mark.parametrize("bridge", BRIDGES)
def test_which_bridge_hands_the_scope_on(bridge: str) -> None:
    """Bare: of the bridges, a2wsgi alone gives the application the ASGI scope."""
    seen: dict[str, Any] = {}

    def app(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [])
        return [b"x"]

    run(BRIDGES[bridge](app), http_scope())
    assert ("asgi.scope" in seen) is (bridge == "a2wsgi")


@pytest.mark.parametrize(
    ("bridge", "error", "message"),
    [("asgiref", ValueError, "WSGI wrapper received a non-HTTP scope"), ("uvicorn's bridge", AssertionError, r"\A\Z")],
)
def test_bridges_that_raise_for_websockets(bridge: str, error: type[Exception], message: str) -> None:
    """Bare: two bridges raise for a WebSocket, uvicorn's by an assertion without a word."""
    app = BRIDGES[bridge](lambda environ, start_response: [b""])
    with pytest.raises(error, match=message):
        run(app, websocket_scope(), {"type": "websocket.connect"})


@pytest.mark.parametrize("bridge", ["a2wsgi", "hypercorn's bridge"])
def test_bridges_that_close_websockets(bridge: str) -> None:
    """Bare: the other two close it."""
    app = BRIDGES[bridge](lambda environ, start_response: [b""])
    sent = run(app, websocket_scope(), {"type": "websocket.connect"})
    assert [message["type"] for message in sent] == ["websocket.close"]


def test_django_has_no_websockets() -> None:
    """Bare: Django raises for a WebSocket, as its documentation says."""
    with pytest.raises(ValueError, match="only handle ASGI/HTTP"):
        run(ROWS["Django"].bare(), websocket_scope(), {"type": "websocket.connect"})


@pytest.mark.parametrize("wsgi", ["Django, WSGI", "Bottle"])
@pytest.mark.parametrize("bridge", BRIDGES)
def test_no_body_without_a_length(wsgi: str, bridge: str) -> None:
    """Bare: a body without Content-Length, as over HTTP/2, is empty for the application (PEP 3333, "input and error")."""
    app = BRIDGES[bridge](WSGI[wsgi]())
    _, *bodies = run(app, http_scope("POST", "/upload"), {"type": "http.request", "body": b"tea"})
    assert b"".join(message.get("body", b"") for message in bodies) == digest(b"").encode()


@pytest.mark.parametrize(("wsgi", "check"), [(wsgi, check) for wsgi, checks in EMPTY.items() for check in checks])
def test_hypercorn_s_bridge_sends_no_empty_body(wsgi: str, check: str) -> None:
    """Bare: the response starts with the first piece of its body, and never without one."""
    scope = http_scope("HEAD", "/large") if check == "HEAD" else http_scope("GET", "/cookies")
    sent = run(BRIDGES["hypercorn's bridge"](WSGI[wsgi]()), scope)
    assert [message["type"] for message in sent] == ["http.response.body"]


@pytest.mark.parametrize("bridge", ["asgiref", "a2wsgi"])
def test_a_request_in_the_context_of_another_s_end(bridge: str) -> None:
    """Bare: behind asgiref's bridge such a request fails, as uvicorn's and daphne's are on open connections (asgiref#491)."""
    app = BRIDGES[bridge](WSGI["bare WSGI"]())
    seen: list[Context] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        seen.append(copy_context())

    async def main() -> None:
        await app(http_scope(), receive, send)
        following = asyncio.create_task(app(http_scope(), receive, send), context=seen[-1])
        if bridge == "asgiref":
            with pytest.raises(RuntimeError, match="CurrentThreadExecutor already quit"):
                await following
        else:
            await following

    asyncio.run(main())


def test_litestar_runs_middleware_for_routes_alone() -> None:
    """Bare: a layer given to Litestar does not see a request that no route takes."""
    from litestar.middleware import DefineMiddleware

    from .apps.litestar_app import application

    seen: list[str] = []

    class Layer:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await self.app(scope, receive, send)

    app = application([DefineMiddleware(Layer)])

    async def main() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            return [(await http.get(path)).status_code for path in ("/large", "/nothing")]

    assert anyio.run(main) == [200, 404]
    assert seen == ["/large"]


def test_documented() -> None:
    """The table of the docs is that of these checks and gaps; `python -m tests.frameworks` writes it."""
    assert PAGE.read_text().partition(BEGIN)[2].partition(END)[0] == table()
