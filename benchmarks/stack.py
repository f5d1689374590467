"""The scenarios of whole stacks: our five rooms, the five packages they replace, and five layers that do nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import asgi_sessions
from asgi_correlation_id import CorrelationIdMiddleware
from asgi_request_id import RequestIdMiddleware
from starlette.middleware import cors as starlette_cors
from starlette.middleware import sessions as starlette_sessions
from starlette_compress import CompressMiddleware
from timing_asgi import TimingMiddleware as TimingASGIMiddleware

from middlewares import wrap
from middlewares.testing import http_scope, run

from . import apps
from .bodies import body
from .by_hand import five_by_hand
from .compression import serving
from .harness import App
from .layers import ALLOWED, COOKIES, REQUEST_ID, Check, Goal, Layer, Scenario, answers
from .sessions import DATA, KEY, UNKNOWN, begun, reading, session_of, visited
from .timing import Client


def five_peers(app: Any) -> App:
    """What users stitch together today."""
    app = starlette_sessions.SessionMiddleware(app, secret_key=KEY)
    app = CompressMiddleware(app)
    app = starlette_cors.CORSMiddleware(app, **COOKIES)
    app = TimingASGIMiddleware(app, client=Client())
    return CorrelationIdMiddleware(app)


def five_cheapest(app: Any) -> App:
    """The cheapest package for each work, by the other tables; its session is not signed."""
    app = asgi_sessions.SessionMiddleware(app, KEY)
    app = CompressMiddleware(app)
    app = starlette_cors.CORSMiddleware(app, **COOKIES)
    app = TimingASGIMiddleware(app, client=Client())
    return RequestIdMiddleware(
        app, incoming_request_id_header="x-request-id", outgoing_request_id_header="x-request-id"
    )


def our_five(app: Any) -> App:
    """The rooms that do the same, at their defaults."""
    return wrap(app, request_id=True, timing=True, cors=COOKIES, compression=True, sessions={"secret_key": KEY})


def our_all(app: Any) -> App:
    """Every room of `wrap`."""
    return wrap(
        app,
        request_id=True,
        timing=True,
        cors=COOKIES,
        server_errors=True,
        compression=True,
        decompression=True,
        sessions={"secret_key": KEY},
    )


five_passing = partial(apps.pass_through, layers=5)

PEERS, CHEAPEST, OURS, ALL, PASSING = (
    *("five peers", "five cheapest peers", "our five", "all our seven", "5 pass-through layers"),
)
BY_HAND = "five by hand, headers alone"
STACKS: dict[str, Callable[[Any], App]] = {
    PASSING: five_passing,
    PEERS: five_peers,
    CHEAPEST: five_cheapest,
    OURS: our_five,
    ALL: our_all,
}
"""Name -> what wraps an application."""

_TEXT = body("HTML", 1_500)


async def _text(_scope: Any, _receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_TEXT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _TEXT, "more_body": False})


async def not_modified(_scope: Any, _receive: Any, send: Any) -> None:
    """The client's copy is good."""
    await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", b'"v1"')]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _works(app: App, status: int = 200) -> Check:
    """The answer arrives with an id and the permission; the layers find the session, and code what is worth it."""

    def check(stack: Callable[[App], App], scope: dict[str, Any]) -> bool:
        start = run(stack(app), scope)[0]
        names = {name.lower(): value for name, value in start["headers"]}
        coded = run(stack(serving("JSON", body("JSON", 10_000))), {**scope, "headers": _TAKES_ZSTD})
        return (
            start["status"] == status
            and bool(names.get(REQUEST_ID[0]))
            and names.get(ALLOWED[0]) == ALLOWED[1]
            and session_of(stack, scope)["user"] == DATA["user"]
            and (b"content-encoding", b"zstd") in coded[0]["headers"]
        )

    return check


def _answers_preflight(stack: Callable[[App], App], scope: dict[str, Any]) -> bool:
    start = run(stack(apps.failing), scope)[0]
    names = {name.lower() for name, _ in start["headers"]}
    return start["status"] in (200, 204) and {ALLOWED[0], REQUEST_ID[0]} <= names


def _passes(_stack: Callable[[App], App], _scope: dict[str, Any]) -> bool:
    return True


_TAKES_ZSTD = [(b"accept-encoding", b"zstd")]
_WITHOUT_CODINGS = http_scope(
    "GET", "/orders/4711", [pair for pair in apps.CROSS_ORIGIN["headers"] if pair[0] != b"accept-encoding"]
)
WITH_TAG = http_scope("GET", "/orders/4711", [*apps.CROSS_ORIGIN["headers"], (b"if-none-match", b'"v1"')])


def _scenario(
    title: str, app: App, request: dict[str, Any], *goals: Goal, status: int = 200, names: tuple[str, ...] = ()
) -> Scenario:
    chosen = names or tuple(STACKS)
    return Scenario(
        title,
        request,
        [
            Layer(
                name,
                STACKS[name],
                _passes if name == PASSING else _works(app, status),
                goals if name == OURS and goals else None,
                None if name == PASSING else begun(STACKS[name], request),
            )
            for name in chosen
        ],
        bare=app,
    )


def scenarios() -> list[Scenario]:
    """What a browser asks of a whole stack, with a session that is there."""
    untouched = _scenario(
        "100 bytes of JSON, the session is not touched",
        apps.bare,
        apps.CROSS_ORIGIN,
        *(Goal(PEERS, 0.20, 0.15), Goal(PASSING, 4.0, 3.0), Goal(BY_HAND)),
    )
    untouched.layers.insert(1, Layer(BY_HAND, five_by_hand, answers(REQUEST_ID, ALLOWED)))
    read = _scenario("100 bytes of JSON, the session is read", reading, apps.CROSS_ORIGIN, Goal(PEERS, 0.40, 0.30))
    strangers = visited(our_five, apps.CROSS_ORIGIN)
    read.layers.append(Layer(f"{OURS}{UNKNOWN}", our_five, _works(reading), Goal(PEERS), strangers))
    return [
        untouched,
        read,
        _scenario("1.5 KB of text, no Accept-Encoding", _text, _WITHOUT_CODINGS, Goal(PEERS, 0.20, 0.15)),
        _scenario("304 without a body", not_modified, WITH_TAG, Goal(PEERS), status=304),
        Scenario(
            "preflight, the whole answer",
            apps.PREFLIGHT,
            [
                Layer(name, STACKS[name], _answers_preflight, Goal(PEERS) if name == OURS else None)
                for name in (PEERS, CHEAPEST, OURS, ALL)
            ],
            bare=apps.silent,
        ),
    ]
