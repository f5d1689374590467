"""The ASGI shell of CORS: finds the fields of the request, asks the policy, and passes messages on."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar

from .._http.headers import add_at_start, request_values
from .._http.paths import route_path
from .._http.problem import problem
from ..asgi import AnyASGIApp, OrderRules, Receive, Scope, Send, entry
from .origins import same_host
from .policy import TWO_ORIGINS, Answer, CORSPolicy, CORSRules, Preflight, origin_refused

_logger = logging.getLogger("middlewares.cors")


class CORSMiddleware:
    """Cross-origin resource sharing, exact to the Fetch standard, and the Origin check of WebSockets.

    Every collection takes any iterable of `str`, read once, or the plain string `"*"`.

    Args:
        app: The application to wrap (ASGI 3, or an ASGI 2 double callable).
        allow_origins: Who may read answers: exact origins (`"https://app.example"`), patterns (one label or more:
            `"https://*.app.example"`; any port: `"http://localhost:*"`), `"null"`, or `"*"` for everyone, which
            excludes credentials. Default: nobody.
        allow_methods: Methods that a preflight may ask for; `"*"` for all. Default: GET. (GET, HEAD and POST need no
            preflight by themselves.)
        allow_headers: Request headers that a preflight may ask for; `"*"` for all, Authorization too. Accept,
            Accept-Language, Content-Language and Content-Type are always allowed. Default: no other.
        allow_credentials: Whether cookies and HTTP authentication may go along. The allowed origins then act with the
            user's session: name only origins that you trust. Default: False.
        allow_origin_regex: A regular expression, or compiled pattern, that must match the whole origin; stands beside
            `allow_origins`. A dot that is not escaped lets strangers in. It never matches `null`. None: no expression.
        allow_private_network: Answer `Access-Control-Request-Private-Network`. Browsers have given this header up
            (Local Network Access asks the user instead). Default: False.
        expose_headers: Response headers that scripts may read, beside the safelisted ones; `"*"` for all, with
            credentials too: then the names that the response has at this layer. Default: no other.
        max_age: Seconds that a browser may keep the answer to a preflight (they cap it: Chromium at 2 hours, Firefox at
            24); 0 forbids it; None sends no header, which browsers take for 5 seconds. Default: 600.
        allow_origin_func: Asked when list and expression said no: `(origin, scope) -> bool`, plain or async. What it
            raises goes up, and nothing is allowed. None: not asked.
        websockets: Check the Origin of WebSocket handshakes by the same rules; none, or one of the same host, passes
            (also written `wss://`, as some clients do that are no browsers). Browsers do not: without this check, any
            site can open a socket with the user's cookies. Default: True.
        overrides: Other rules for parts of the paths: `{"/public": {"allow_origins": "*"}, "/legacy": None}`. The
            longest prefix on segment borders wins; its keywords stand over the outer ones; None leaves CORS to the
            application. Paths are those below `root_path`.

    Raises:
        TypeError: A keyword has a value of the wrong type.
        ValueError: A keyword has a value that cannot work in browsers; the message says what to write instead.
        re.error: `allow_origin_regex` is no regular expression.

    Source: https://fetch.spec.whatwg.org/#http-cors-protocol, RFC 6455 10.2.
    """

    owns_starts = False
    asgi_order: ClassVar[OrderRules] = {
        "kinds": ("cors",),
        "outside": {
            "answers": "what that layer answers by itself has no CORS headers, so no page can read it",
            "errors": "the 500 of that layer has no CORS headers, so pages see a network error in its place",
        },
        "once": {"cors": "two policies decide about the same answers"},
    }

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        allow_origins: Iterable[str] = (),
        allow_methods: Iterable[str] = ("GET",),
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        allow_origin_regex: str | re.Pattern[str] | None = None,
        allow_private_network: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int | None = 600,
        allow_origin_func: Callable[[str, Scope], bool | Awaitable[bool]] | None = None,
        websockets: bool = True,
        overrides: Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> None:
        self.app = app
        self._app = entry(app)
        self._rules = CORSRules(
            overrides,
            allow_origins=allow_origins,
            allow_methods=allow_methods,
            allow_headers=allow_headers,
            allow_credentials=allow_credentials,
            allow_origin_regex=allow_origin_regex,
            allow_private_network=allow_private_network,
            expose_headers=expose_headers,
            max_age=max_age,
            allow_origin_func=allow_origin_func,
            websockets=websockets,
        )
        # Without overrides, the path of a request is not looked at.
        self._policy = None if self._rules.overrides else self._rules.outer
        self.owns_starts = self._policy is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application behind the policy of the request's path."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        policy = self._policy or self._rules.at(route_path(scope))
        if policy is None:
            await self._app(scope, receive, send)
            return
        origin: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value if origin is None else TWO_ORIGINS
        answer = policy.answers.get(origin)
        if answer is None:
            answer = await _decided(policy, origin, scope)
        if scope["method"] == "OPTIONS" and origin is not None and (request := _preflight(scope, origin)).methods:
            await _answer_preflight(policy, request, scope, send, allowed=answer is not policy.refused)
            return
        if answer is policy.refused and origin is not None and _logger.isEnabledFor(logging.DEBUG):
            _log_refused_page(scope, origin)
        await self._app(scope, receive, add_at_start(send, answer))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        policy = None
        if scope["type"] == "websocket":
            policy = self._policy or self._rules.at(route_path(scope))
        # A handshake without Origin comes from no browser, so from no page of another origin.
        if policy is not None and policy.websockets and (origins := request_values(scope, b"origin")):
            origin = origins[0] if len(origins) == 1 else TWO_ORIGINS
            if await _decided(policy, origin, scope) is policy.refused and not _is_same_host(scope, origin):
                _log_refusal(scope, [origin_refused(origin)])
                await _deny(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def explain(
        self, origin: str, method: str = "GET", headers: Iterable[str] = (), credentials: bool = False, path: str = "/"
    ) -> list[str]:
        """Say in words why a browser would refuse a fetch; empty if it would allow it.

        Args:
            origin: The origin of the page, as browsers send it: `"https://app.example"`, or `"null"`.
            method: As given to `fetch`: browsers put the six usual ones in capitals, others are compared as written.
            headers: Names of the headers that the page sets. Those that no page may set, such as Cookie, are left out,
                as browsers do. The values are not known here: Content-Type is taken for one that needs a preflight (as
                JSON does), Accept, Accept-Language and Content-Language for ones that do not.
            credentials: Whether the page sends cookies (`credentials: "include"`).
            path: The path asked for, below `root_path`, which `overrides` are about.

        Returns:
            One reason for each rule that refuses; for header names, of ten at most. Where `allow_origin_func` decides:
            "depends on allow_origin_func".

        Raises:
            TypeError: `headers` is one name alone.
        """
        policy = self._rules.at(path)
        if policy is None:
            return [f"no policy at {path!r}: overrides leave CORS there to the application"]
        return policy.explain(origin, method, headers, credentials=credentials)


async def _decided(policy: CORSPolicy, origin: bytes | None, scope: Scope) -> Answer:
    answer = policy.answer(origin)
    if answer is policy.refused and origin is not None and policy.allow_origin_func and policy.asks(origin):
        verdict = policy.allow_origin_func(origin.decode("ascii"), scope)
        if await verdict if inspect.isawaitable(verdict) else verdict:
            return policy.granted(origin)
    return answer


def _preflight(scope: Scope, origin: bytes) -> Preflight:
    request = Preflight(origin, [], [], [])
    for name, value in scope["headers"]:
        if name == b"access-control-request-method":
            request.methods.append(value)
        elif name == b"access-control-request-headers":
            request.headers.append(value)
        elif name == b"access-control-request-private-network":
            request.private_network.append(value)
    return request


async def _answer_preflight(policy: CORSPolicy, request: Preflight, scope: Scope, send: Send, *, allowed: bool) -> None:
    headers, reasons = policy.preflight(request, allowed=allowed)
    if reasons:
        _log_refusal(scope, reasons)
        messages = problem(scope, 403, "CORS preflight refused.", headers=headers)
    else:
        messages = (
            {"type": "http.response.start", "status": 204, "headers": headers},
            {"type": "http.response.body", "body": b"", "more_body": False},
        )
    for message in messages:
        await send(message)


async def _deny(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # the connect, which has to be taken before it is answered
    if "websocket.http.response" in (scope.get("extensions") or ()):
        for message in problem(scope, 403, "This origin may not open a WebSocket here.", prefix="websocket.http"):
            await send(message)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": ""})  # RFC 6455 7.4.1: policy violation


def _is_same_host(scope: Scope, origin: bytes) -> bool:
    hosts = request_values(scope, b"host")
    return len(hosts) == 1 and same_host(origin, hosts[0])


def _log_refused_page(scope: Scope, origin: bytes) -> None:
    # Browsers send Origin with the POST of a page of this very host, too.
    if not _is_same_host(scope, origin):
        _log_refusal(scope, [origin_refused(origin)])


def _log_refusal(scope: Scope, reasons: list[str]) -> None:
    if _logger.isEnabledFor(logging.DEBUG):
        _logger.debug("refused: %s (path %a)", "; ".join(reasons), scope["path"][:200])
