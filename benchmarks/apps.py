"""What is asked and who answers: requests as browsers send them, the bare application, and layers that do nothing."""

from __future__ import annotations

from typing import Any

from middlewares.testing import http_scope

from .harness import App

ORIGIN = b"https://app.example"
REQUEST_ID = b"5f3c8a90e1d24b7fa6c05d9e83b1f472"
BODY = b'{"id": 4711, "name": "a realistic answer", "tags": ["small", "json", "hundred bytes"], "next": null}'

_HOST = (b"host", b"api.example")
_USER_AGENT = (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
_LANGUAGE = (b"accept-language", b"en-GB,en;q=0.7,de;q=0.3")
_ENCODING = (b"accept-encoding", b"gzip, deflate, br, zstd")
_REFERER = (b"referer", b"https://app.example/orders")
_ORIGIN = (b"origin", ORIGIN)
_CONNECTION = (b"connection", b"keep-alive")
_FETCH = [(b"sec-fetch-dest", b"empty"), (b"sec-fetch-mode", b"cors"), (b"sec-fetch-site", b"same-site")]
_COOKIE = (b"cookie", b"session=eyJ1c2VyIjogNDcxMX0.aSRb1g.Zk1oXn0bqWm0XG8E2oHjJ5yVx2c")

# Twelve request headers each, in Firefox's order.
_COMMON = [_HOST, _USER_AGENT, (b"accept", b"application/json"), _LANGUAGE, _ENCODING, _REFERER]
CROSS_ORIGIN = http_scope("GET", "/orders/4711", [*_COMMON, _ORIGIN, _CONNECTION, _COOKIE, *_FETCH])
SAME_ORIGIN = http_scope("GET", "/orders/4711", [*_COMMON, _CONNECTION, _COOKIE, *_FETCH, (b"priority", b"u=4")])
WITH_ID = http_scope("GET", "/orders/4711", [*_COMMON, _CONNECTION, _COOKIE, *_FETCH, (b"x-request-id", REQUEST_ID)])
PREFLIGHT = http_scope(
    "OPTIONS",
    "/orders/4711",
    [
        *[_HOST, _USER_AGENT, (b"accept", b"*/*"), _LANGUAGE, _ENCODING],
        (b"access-control-request-method", b"PUT"),
        (b"access-control-request-headers", b"content-type,x-requested-with"),
        *[_REFERER, _ORIGIN, *_FETCH],
    ],
)


async def bare(_scope: Any, _receive: Any, send: Any) -> None:
    """The application of every series: 100 bytes of JSON."""
    length = b"%d" % len(BODY)
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY, "more_body": False})


async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that raises before it answers."""
    raise ZeroDivisionError


async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
    """No answer at all: what the whole of an answer is measured over, where the layer itself makes it."""


def pass_through(app: App, layers: int = 1) -> App:
    """`app` behind layers that wrap `send`, as any that adds a header must, and hand everything on."""
    return app if layers == 0 else pass_through(_passing(app), layers - 1)


def _passing(app: App) -> App:
    async def passing(scope: Any, receive: Any, send: Any) -> None:
        async def passed(message: Any) -> None:
            await send(message)

        await app(scope, receive, passed)

    return passing
