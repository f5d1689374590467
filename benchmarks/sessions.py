"""The scenarios of sessions: a request that brings one and leaves it alone, reads it, or writes to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from http.cookies import SimpleCookie
from itertools import cycle
from typing import Any

import asgi_sessions
import starsessions
from starlette.middleware.sessions import SessionMiddleware as StarletteSessionMiddleware

from middlewares.sessions import MemoryStore, SessionMiddleware
from middlewares.testing import run

from . import apps
from .harness import App
from .layers import Check, Goal, Layer, Scenario

KEY = "0kVx3qfHk7cVtXb0yR1xw2mJ4ZsN8uQeYd6LgTaPoIc"
DATA = {"user": 4711, "role": "editor", "csrf": "c5b1f0a29d8e4763", "count": 0}
UNKNOWN = ", no visitor twice"
"""Added to the name of a layer that is measured with the cookies of many visitors, where it knows those that came."""

_LIFETIME = 14 * 24 * 60 * 60

# ---- Applications. Without a layer they have a dict of their own, so that what is measured over them is the layer.

_plain: dict[str, Any] = {**DATA}


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """Reads the session, and raises where it is not the one that was begun."""
    session = scope.get("session", _plain)
    if hasattr(session, "mark_accessed"):  # as Starlette's `request.session` does, from which it knows of reads
        session.mark_accessed()
    if session.get("user") != DATA["user"]:
        raise LookupError("this is not the session")
    await apps.bare(scope, receive, send)


async def writing(scope: Any, receive: Any, send: Any) -> None:
    """Reads the session, and changes it."""
    session = scope.get("session", _plain)
    session["count"] = session["count"] + 1
    await apps.bare(scope, receive, send)


async def _beginning(scope: Any, receive: Any, send: Any) -> None:
    session = scope["session"]
    for name, value in DATA.items():  # asgi-sessions does not see `update`
        session[name] = value
    await apps.bare(scope, receive, send)


# ---- Layers. Each store is made once: the cookie of the scenario is that of a session in it.

_store = MemoryStore()
_their_store = starsessions.InMemoryStore()


def ours(app: Any) -> App:
    """Our room, with the session in a signed cookie."""
    return SessionMiddleware(app, secret_key=KEY)


def _ours_encrypted(app: Any) -> App:
    return SessionMiddleware(app, secret_key=KEY, encrypted=True)


def _ours_stored(app: Any) -> App:
    return SessionMiddleware(app, store=_store)


def _starlette(app: Any) -> App:
    return StarletteSessionMiddleware(app, secret_key=KEY)


def _starsessions(app: Any, store: Any) -> App:
    loaded = starsessions.SessionAutoloadMiddleware(app)
    return starsessions.SessionMiddleware(loaded, store, lifetime=_LIFETIME, rolling=True, cookie_https_only=False)


def _starsessions_cookie(app: Any) -> App:
    return _starsessions(app, starsessions.CookieStore(KEY))


def _starsessions_stored(app: Any) -> App:
    return _starsessions(app, _their_store)


def _asgi_sessions(app: Any) -> App:
    return asgi_sessions.SessionMiddleware(app, KEY)


def _asgi_sessions_fernet(app: Any) -> App:
    return asgi_sessions.SessionMiddleware(app, KEY[:32], session_type="fernet")  # longer ones break it


# ---- Requests and checks


def _cookie(sent: list[dict[str, Any]]) -> bytes | None:
    """The session that a response sets, as the next request brings it."""
    lines = [value.decode("latin-1") for name, value in sent[0]["headers"] if name.lower() == b"set-cookie"]
    return b"session=" + SimpleCookie(lines[0])["session"].value.encode() if lines else None


def _with_cookies(*cookies: bytes, request: dict[str, Any] = apps.SAME_ORIGIN) -> dict[str, Any]:
    """A request of a browser which brings these, and no others."""
    headers = [(name, value) for name, value in request["headers"] if name != b"cookie"]
    return {**request, "headers": [*headers, *((b"cookie", cookie) for cookie in cookies)]}


def begun(wrap: Callable[[Any], App], request: dict[str, Any], beginning: App = _beginning) -> dict[str, Any]:
    """The request with a session that the layers themselves have begun."""
    cookie = _cookie(run(wrap(beginning), _with_cookies(request=request)))
    if cookie is None:
        raise RuntimeError(f"{wrap!r} begins no session")
    return _with_cookies(cookie, request=request)


class _Visitors(list[tuple[bytes, bytes]]):
    """The headers of a request. Each copy, one for each request, has the cookie of another visitor."""

    def __init__(self, requests: list[list[tuple[bytes, bytes]]]) -> None:
        super().__init__(requests[0])
        self._next = cycle(requests).__next__

    def __deepcopy__(self, memo: object) -> _Visitors:
        return self  # itertools are not copied from Python 3.14 on

    def copy(self) -> list[tuple[bytes, bytes]]:
        return self._next().copy()


def visited(wrap: Callable[[Any], App], request: dict[str, Any]) -> dict[str, Any]:
    """The request of so many visitors in turn that none is known any more when he comes again."""
    numbers = iter(range(1100))

    async def begin(scope: Any, receive: Any, send: Any) -> None:
        scope["session"].update(DATA, csrf=f"{next(numbers):016x}")
        await apps.bare(scope, receive, send)

    first, *others = [begun(wrap, request, begin) for _ in range(1100)]
    return {**first, "headers": _Visitors([first["headers"], *(other["headers"] for other in others)])}


@cache
def _scope(wrap: Callable[[Any], App]) -> dict[str, Any]:
    return begun(wrap, apps.SAME_ORIGIN)


def session_of(wrap: Callable[[App], App], scope: dict[str, Any]) -> dict[str, Any]:
    """What an application that reads it has for a session."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["session"])
        await apps.bare(scope, receive, send)

    run(wrap(app), scope)
    return seen


def _finds(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    """The answer of the application arrives, and it would have the session that was begun."""
    return run(wrap(apps.bare), scope)[1]["body"] == apps.BODY and session_of(wrap, scope)["user"] == DATA["user"]


def _reads(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    """The answer arrives; the application raises where it has not the session."""
    return run(wrap(reading), scope)[1]["body"] == apps.BODY


def _stores(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    """The next request has what this one has written."""
    before = session_of(wrap, scope)["count"]
    cookie = _cookie(run(wrap(writing), scope))
    return cookie is not None and session_of(wrap, _with_cookies(cookie))["count"] == before + 1


def _scenario(title: str, app: App, check: Check, *, must: float | None = None, aim: float | None = None) -> Scenario:
    starlette = "Starlette SessionMiddleware"
    goal = None if must is None else Goal(starlette, must, aim)
    layers: list[tuple[str, Callable[[Any], App], Goal | None]] = [
        (starlette, _starlette, None),
        ("starsessions, CookieStore", _starsessions_cookie, None),
        ("asgi-sessions, not signed", _asgi_sessions, None),
        ("our SessionMiddleware", ours, goal),
        ("asgi-sessions, encrypted", _asgi_sessions_fernet, None),
        ("our SessionMiddleware, encrypted", _ours_encrypted, None),
        ("starsessions, InMemoryStore", _starsessions_stored, None),
        ("our SessionMiddleware, MemoryStore", _ours_stored, None),
    ]
    timed = [Layer(name, wrap, check, goal, _scope(wrap)) for name, wrap, goal in layers]
    if app is reading:
        timed.append(Layer(f"our SessionMiddleware{UNKNOWN}", ours, check, None, visited(ours, apps.SAME_ORIGIN)))
    return Scenario(title, apps.SAME_ORIGIN, timed, bare=app)


SCENARIOS = [
    _scenario("a session that is not touched", apps.bare, _finds, must=0.15, aim=0.12),
    _scenario("a session that is read", reading, _reads, must=0.65, aim=0.55),
    _scenario("a session that is written", writing, _stores),
]
