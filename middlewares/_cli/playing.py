"""A fetch of a page, played by the browser's algorithm on the real messages of a CORS layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..testing import Browser, FetchResult

_BASE = "https://server.invalid"
"""Where the layer is asked: no page has this origin (RFC 2606 2), so that each one is of another."""

_SHOWN = ("origin", "access-control-")


class Exchange(NamedTuple):
    """A request as it went over the network, and the answer, as far as they are about CORS."""

    request: list[str]
    response: list[str]


@dataclass(frozen=True)
class Answer:
    """What a browser would do.

    Attributes:
        result: What became of the fetch.
        exchanges: What went over the network, in order.
        reasons: What in the configuration stands against it.
    """

    result: FetchResult
    exchanges: list[Exchange]
    reasons: list[str]


async def play(
    layer: Callable[[ASGIApp], Any],
    *,
    origin: str,
    method: str,
    headers: Iterable[tuple[str, str]],
    credentials: bool,
    path: str,
) -> Answer:
    """Play a fetch of a page at `origin`.

    Args:
        layer: What puts a `CORSMiddleware` in front of an application.
        origin: The origin of the page, as browsers send it.
        method: As the page gives it to `fetch()`.
        headers: What the page sets.
        credentials: Whether the page sends cookies.
        path: What the page asks for; with a query, if need be.

    Raises:
        ValueError: No browser begins such a fetch.
    """
    asked = path
    exchanges: list[Exchange] = []
    pairs = list(headers)
    cors = layer(_answering)

    async def network(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked = scope["path"]  # the layer knows neither query nor escapes nor dots

        async def send_shown(message: Message) -> None:
            if message["type"] == "http.response.start":
                request = [f"{scope['method']} {scope['path']}", *_shown(scope["headers"])]
                exchanges.append(Exchange(request, [str(message["status"]), *_shown(message["headers"])]))
            await send(message)

        await cors(scope, receive, send_shown)

    result = await Browser(network, base=_BASE).fetch(
        path, origin=origin, method=method, headers=pairs, credentials="include" if credentials else "same-origin"
    )
    reasons: list[str] = cors.explain(origin, method, [name for name, _ in pairs], credentials, asked)
    return Answer(result, exchanges, [] if result else reasons)


async def _answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Stands for an application that answers everything, and says nothing of CORS."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"tea"})


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    lines = [f"{name.decode('latin-1').lower()}: {value.decode('latin-1')}" for name, value in headers]
    return [line for line in lines if line.startswith(_SHOWN)]
