"""A browser in front of an ASGI application: would it let this fetch through? The rules are in `fetch` and `caches`."""

from __future__ import annotations

from typing import Literal, cast
from urllib.parse import quote, unquote, urlsplit

from .._http.headers import pairs
from ..asgi import AnyASGIApp, Scope, single_callable
from .caches import HTTPCache, PreflightCache, Response
from .fetch import FetchResult, Headers, Outgoing, Request, absolute_url, fetch, normalized_method, request_headers
from .recorder import Recorder, http_scope


class Browser:
    """A browser that has an ASGI application for a network, with its preflight cache and its HTTP cache.

    Every host leads to the application, so that redirects between hosts can be played, too. An application that raises
    before its response has begun is answered for as servers do: a 500 without any header. An AssertionError, such as
    `LintError`, is the test's own and passes.

    Args:
        app: The ASGI application.
        base: The origin that a path is looked for at. Default `http://testserver`.
        cookie: The Cookie header of requests with credentials. Default: none.
        max_age_cap: The seconds at most for which a preflight holds. Default 7200, as in Chromium; Firefox has 86400.
        private_network: The application is in a private network, the pages are not: each cross-origin fetch asks for
            `Access-Control-Allow-Private-Network` first. Default False.
        http_cache: Keep responses that may be cached, and use them again. Default True.

    Attributes:
        now: The time of the browser's caches in seconds. It starts at 0.0 and stands still until the test moves it.

    Source: WHATWG Fetch, RFC 9111, Private Network Access.
    """

    def __init__(
        self,
        app: AnyASGIApp,
        *,
        base: str = "http://testserver",
        cookie: str = "",
        max_age_cap: float = 7200,
        private_network: bool = False,
        http_cache: bool = True,
    ) -> None:
        self.app = app
        self.now = 0.0
        self._app = single_callable(app)
        self._base = base.rstrip("/")
        self._cookie = cookie.encode("latin-1")
        self._max_age_cap = max_age_cap
        self._private_network = private_network
        self._preflights = PreflightCache()
        self._responses = HTTPCache() if http_cache else None

    async def fetch(
        self,
        url: str,
        *,
        origin: str | None = None,
        method: str = "GET",
        headers: Headers = (),
        credentials: Literal["omit", "same-origin", "include"] = "same-origin",
        body: bytes = b"",
    ) -> FetchResult:
        """`fetch(url, {method, headers, credentials, body})`, called by a script of a page at `origin`.

        Args:
            url: A path at `base`, or an http or https URL.
            origin: The page's origin, such as `https://app.example`, or `null`. None is a navigation: nobody's script
                reads the response, no check is made, and what may be cached is.
            method: As the script wrote it: `put` is sent as PUT, `patch` as patch.
            headers: A mapping, or pairs. Those that no script may set, such as Cookie, are left out, as browsers do.
            credentials: Whether cookies go along: never, to the page's own origin, or always. Default `same-origin`.
            body: The request body.

        Raises:
            ValueError: what `fetch()` in a browser would reject before it sends anything.
        """
        if credentials not in ("omit", "same-origin", "include"):
            raise ValueError(f"credentials must be 'omit', 'same-origin' or 'include' (got {credentials!r})")
        request = Request(
            absolute_url(url, self._base),
            None if origin is None else origin.encode("latin-1"),
            normalized_method(method),
            request_headers(headers),
            "include" if origin is None else credentials,
            body,
        )
        if body and request.method in (b"GET", b"HEAD"):
            raise ValueError(f"body must be empty for GET and HEAD (got {body!r})")
        steps = fetch(
            request,
            self._preflights,
            self._responses,
            now=self.now,
            cookie=self._cookie,
            max_age_cap=self._max_age_cap,
            private_network=self._private_network,
        )
        try:
            outgoing = next(steps)
            while True:
                outgoing = steps.send(await self._answer(outgoing))
        except StopIteration as end:
            result: FetchResult = end.value
            return result

    async def _answer(self, outgoing: Outgoing) -> Response:
        """The application's response, as a server would put it on the wire."""
        scope = _scope(outgoing)
        recorder = Recorder(scope, {"type": "http.request", "body": outgoing.body, "more_body": False})
        note = ""
        try:
            await self._app(scope, recorder.receive, recorder.send)
        except Exception as exc:
            if isinstance(exc, AssertionError) or _holds_assertion(exc):
                raise
            note = f" (the application raised {exc!r})"
        response: Response | None = None
        for message in recorder.sent:
            if message["type"] == "http.response.start":
                headers = [(name.lower(), value.strip(b" \t")) for name, value in pairs(message.get("headers"))]
                response = Response(message["status"], headers)
            elif message["type"] == "http.response.body" and response is not None:
                response = response._replace(body=response.body + bytes(message.get("body", b"")))
                if not message.get("more_body", False):
                    return response._replace(body=b"") if outgoing.method == b"HEAD" else response
        if response is not None:
            return Response(0, [], note=f"the response has no end{note}")
        return Response(500, [], b"Internal Server Error", note)


async def browser_allows(
    app: AnyASGIApp,
    origin: str | None,
    method: str = "GET",
    headers: Headers = (),
    credentials: bool = False,
    path: str = "/",
    *,
    private_network: bool = False,
) -> FetchResult:
    """Whether a browser that has seen nothing yet lets a page at `origin` fetch this; `.reason` says why not.

    `credentials` stands for `credentials: "include"`. All else is as in `Browser.fetch`. In synchronous tests:
    `anyio.run(browser_allows, app, "https://app.example", "PUT")`.
    """
    browser = Browser(app, private_network=private_network)
    return await browser.fetch(
        path, origin=origin, method=method, headers=headers, credentials="include" if credentials else "same-origin"
    )


def _holds_assertion(exc: Exception) -> bool:
    return (
        isinstance(exc, ExceptionGroup) and cast("ExceptionGroup[Exception]", exc).subgroup(AssertionError) is not None
    )


def _scope(outgoing: Outgoing) -> Scope:
    parts = urlsplit(outgoing.url)
    raw_path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    return http_scope(
        outgoing.method.decode("ascii").upper(),  # "method: the HTTP method name, uppercased"
        unquote(raw_path),
        [(b"host", parts.netloc.encode("ascii")), *outgoing.headers],
        scheme=parts.scheme,
        raw_path=raw_path.encode("ascii"),
        query_string=quote(parts.query, safe="/%:@!$&'()*+,;=~-._?").encode("ascii"),
        server=(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)),
    )
