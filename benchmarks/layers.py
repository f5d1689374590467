"""What is measured: the scenarios, the layers of each, what they must do there, and how fast ours should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from asgi_request_id import RequestIdMiddleware
from starlette.middleware import cors as starlette_cors
from starlette.middleware import errors as starlette_errors

from middlewares.cors import CORSMiddleware
from middlewares.request_id import RequestIDMiddleware
from middlewares.server_errors import ServerErrorMiddleware
from middlewares.testing import Recorder, run

from . import apps
from .harness import App

Check = Callable[[Callable[[App], App], dict[str, Any]], bool]
"""Whether what a layer makes of an application does its work for a scope."""


@dataclass(frozen=True)
class Goal:
    """How much of what another layer costs, or of so many nanoseconds, a layer may cost, and how much it would best."""

    peer: str | int
    must: float | None = None
    aim: float | None = None


@dataclass(frozen=True)
class Layer:
    """A way to wrap an application, with the check that it works before it is timed."""

    name: str
    wrap: Callable[[App], App]
    check: Check
    goal: Goal | tuple[Goal, ...] | None = None
    scope: dict[str, Any] | None = None
    """A request of its own, where the scenario's would say nothing to it: a session is in the cookie of who made it."""


@dataclass(frozen=True)
class Scenario:
    """One request, and the layers that are timed under it."""

    title: str
    scope: dict[str, Any]
    layers: list[Layer]
    bare: App = apps.bare


def answers(*required: tuple[bytes, bytes | None]) -> Check:
    """The answer of the bare application arrives, with these headers added (None: any value that is not empty)."""

    def check(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
        start, *bodies = run(wrap(apps.bare), scope)
        body = b"".join(message.get("body", b"") for message in bodies)
        return start["status"] == 200 and body == apps.BODY and _has(start, required)

    return check


def answers_itself(*required: tuple[bytes, bytes | None]) -> Check:
    """The layer answers with success and these headers, and the application is not asked."""

    def check(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
        start, *_ = run(wrap(apps.failing), scope)
        return start["status"] in (200, 204) and _has(start, required)

    return check


def answers_500(*required: tuple[bytes, bytes | None]) -> Check:
    """An exception gives a 500 with these headers, and goes up; an answer passes, with the same headers."""

    def check(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
        async def recorded(_scope: Any, _receive: Any, send: Any) -> None:
            recorder = Recorder(scope)
            try:
                await wrap(apps.failing)(scope, recorder.receive, recorder.send)
            except ZeroDivisionError:
                for message in recorder.sent:
                    await send(message)

        sent = run(recorded, scope)
        return bool(sent) and sent[0]["status"] == 500 and _has(sent[0], required) and answers(*required)(wrap, scope)

    return check


def _has(start: dict[str, Any], required: tuple[tuple[bytes, bytes | None], ...]) -> bool:
    """Whether each header is there, once, and the value, if one is asked for, is among its members."""
    return all(
        len(values) == 1 and bool(values[0] if wanted is None else wanted.lower() in values[0].lower().split(b", "))
        for name, wanted in required
        for values in [[value for key, value in start["headers"] if key.lower() == name]]
    )


REQUEST_ID = (b"x-request-id", None)
ADOPTED = (b"x-request-id", apps.REQUEST_ID)
ALLOWED = (b"access-control-allow-origin", apps.ORIGIN)
WITH_COOKIES = (b"access-control-allow-credentials", b"true")
EXPOSED = (b"access-control-expose-headers", b"X-Request-ID")
METHODS = (b"access-control-allow-methods", None)
HEADERS = (b"access-control-allow-headers", None)
VARY = (b"vary", b"Origin")

# The same keywords for both: the least that says anything, and an application with cookies, as in the manual page.
_ORIGINS: dict[str, Any] = {"allow_origins": [apps.ORIGIN.decode(), "https://admin.example"]}
COOKIES: dict[str, Any] = {
    **_ORIGINS,
    "allow_methods": ["GET", "POST", "PUT", "DELETE"],
    "allow_headers": ["Content-Type", "X-Requested-With"],
    "allow_credentials": True,
    "expose_headers": ["X-Request-ID"],
}


def _request_id(check: Check, must: float | None = 0.30, aim: float | None = 0.20) -> list[Layer]:
    names: dict[str, Any] = {"incoming_request_id_header": "x-request-id", "outgoing_request_id_header": "x-request-id"}
    return [
        Layer("asgi-correlation-id", CorrelationIdMiddleware, check),
        Layer("asgi-request-id", partial(RequestIdMiddleware, **names), check),
        Layer("our RequestIDMiddleware", RequestIDMiddleware, check, Goal("asgi-correlation-id", must, aim)),
    ]


def _cors(
    check: Check,
    keywords: dict[str, Any] = COOKIES,
    note: str = "",
    must: float | None = 0.25,
    aim: float | None = 0.18,
) -> list[Layer]:
    peer = f"Starlette CORSMiddleware{note}"
    return [
        Layer(peer, partial(starlette_cors.CORSMiddleware, **keywords), check),
        Layer(f"our CORSMiddleware{note}", partial(CORSMiddleware, **keywords), check, Goal(peer, must, aim)),
    ]


def _peer_stack(app: App) -> App:
    return CorrelationIdMiddleware(
        starlette_cors.CORSMiddleware(starlette_errors.ServerErrorMiddleware(app), **COOKIES)
    )


def _our_stack(app: App) -> App:
    return RequestIDMiddleware(CORSMiddleware(ServerErrorMiddleware(app), **COOKIES))


_READABLE = (ALLOWED, WITH_COOKIES, EXPOSED, VARY)

SCENARIOS = [
    Scenario(
        "GET from another origin, 12 request headers, 100 bytes of JSON",
        apps.CROSS_ORIGIN,
        [
            Layer("pass-through layer", apps.pass_through, answers()),
            Layer("3 pass-through layers", partial(apps.pass_through, layers=3), answers()),
            *_request_id(answers(REQUEST_ID)),
            *_cors(answers(*_READABLE)),
            *_cors(answers(ALLOWED, VARY), _ORIGINS, ", origins alone"),
            Layer("Starlette ServerErrorMiddleware", starlette_errors.ServerErrorMiddleware, answers_500()),
            Layer("our ServerErrorMiddleware", ServerErrorMiddleware, answers_500(), Goal("pass-through layer", 1.5)),
            Layer("peers' stack of three", _peer_stack, answers(REQUEST_ID, *_READABLE)),
            Layer("our stack of three", _our_stack, answers_500(REQUEST_ID, *_READABLE), Goal("peers' stack of three")),
        ],
    ),
    Scenario("GET from the same origin, without Origin", apps.SAME_ORIGIN, _cors(answers(VARY))),
    # No goal: it is about the requests of browsers, which bring no id, so that every layer makes one.
    Scenario("GET with a request id", apps.WITH_ID, _request_id(answers(ADOPTED), must=None, aim=None)),
    Scenario(
        "preflight, the whole answer",
        apps.PREFLIGHT,
        # No goal: the goals are about the cost over an application, and browsers keep the answer for max_age.
        _cors(answers_itself(ALLOWED, WITH_COOKIES, METHODS, HEADERS), must=None, aim=None),
        bare=apps.silent,
    ),
]
