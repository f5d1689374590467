"""The browser in front of applications: preflights, caches, redirects, and applications that break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from middlewares.testing import Browser, FetchResult, Lint, browser_allows

A, B = "https://a.example", "https://b.example"
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
ACAO, METHODS = b"access-control-allow-origin", b"access-control-allow-methods"


class App:
    """Answers with what `answer(scope)` returns, (status, headers) or (status, headers, body), and keeps the scopes."""

    def __init__(self, answer: Callable[[Any], tuple[Any, ...]]) -> None:
        self._answer = answer
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive())["body"])
        status, headers, *body = self._answer(scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body[0] if body else b""})

    @property
    def requests(self) -> list[str]:
        return [f"{scope['method']} {scope['path']}" for scope in self.scopes]


def header(scope: Any, name: bytes) -> bytes | None:
    return dict(scope["headers"]).get(name)


def reflecting(scope: Any) -> tuple[Any, ...]:
    """Allows every origin by its name, PUT and x-a."""
    more = [(METHODS, b"PUT"), (b"access-control-allow-headers", b"x-a")] if scope["method"] == "OPTIONS" else []
    return 200, [(ACAO, header(scope, b"origin") or b"*"), (b"vary", b"origin"), *more]


def fetches(app: Any, *steps: Any, backend: str = "asyncio", **options: Any) -> list[FetchResult]:
    """The results of one browser: a dict is a fetch, a number the seconds to wait before the next."""
    results: list[FetchResult] = []

    async def play() -> None:
        browser = Browser(app, **options)
        for step in steps:
            if isinstance(step, dict):
                results.append(await browser.fetch(**{"url": "/", **step}))
            else:
                browser.now += step

    anyio.run(play, backend=backend)
    return results


@BACKENDS
def test_scope(backend):
    """The application gets a scope that a server could have made, and the body."""
    app = App(lambda scope: (200, [(ACAO, b"*")]))
    url = "https://api.test:8443/a%20b/ü?q=ü%20x#top"
    fetch = {"url": url, "origin": A, "method": "POST", "headers": {"Accept": "a/b"}, "body": b"data"}
    assert fetches(Lint(app), fetch, backend=backend)[0]
    scope = app.scopes[0]
    assert {key: scope[key] for key in ("method", "scheme", "path", "raw_path", "query_string", "server")} == {
        "method": "POST",
        "scheme": "https",
        "path": "/a b/ü",
        "raw_path": b"/a%20b/%C3%BC",
        "query_string": b"q=%C3%BC%20x",
        "server": ("api.test", 8443),
    }
    assert scope["headers"] == [
        (b"host", b"api.test:8443"),
        (b"accept", b"a/b"),
        (b"content-length", b"4"),
        (b"origin", A.encode()),
    ]
    assert app.bodies == [b"data"]


def test_host_beyond_ascii():
    """The host goes over the network in ASCII (WHATWG URL, "domain to ASCII")."""
    app = App(lambda scope: (200, []))
    fetches(app, {"url": "http://münchen.test/"})
    assert app.scopes[0]["server"] == ("xn--mnchen-3ya.test", 80)
    assert (b"host", b"xn--mnchen-3ya.test") in app.scopes[0]["headers"]


@pytest.mark.parametrize(("url", "port"), [("http://x.test/", 80), ("https://x.test/", 443)])
def test_default_ports(url, port):
    """The port of the server is that of the scheme where the URL has none."""
    app = App(lambda scope: (200, []))
    fetches(app, {"url": url})
    assert app.scopes[0]["server"] == ("x.test", port)


def test_method_in_the_scope():
    """Methods are upper-cased in a scope, as the ASGI specification says; the preflight has what the page wrote."""
    app = App(lambda scope: (200, [(ACAO, b"*"), (METHODS, b"patch")]))
    assert fetches(Lint(app), {"origin": A, "method": "patch"})[0]
    assert [scope["method"] for scope in app.scopes] == ["OPTIONS", "PATCH"]
    assert header(app.scopes[0], b"access-control-request-method") == b"patch"


@BACKENDS
def test_browser_allows(backend):
    """The one-call form takes its arguments by position, so that `anyio.run` can call it."""
    app = App(lambda scope: (200, [*reflecting(scope)[1], (b"access-control-allow-credentials", b"true")]))
    allowed = anyio.run(browser_allows, app, A, "put", {"X-A": "1"}, True, "/x", backend=backend)
    assert allowed == FetchResult(allowed=True, status=200, preflighted=True)
    assert app.requests == ["OPTIONS /x", "PUT /x"]
    refused = anyio.run(browser_allows, app, A, "DELETE", backend=backend)
    assert not refused
    assert refused.reason == "preflight: method DELETE is not in Access-Control-Allow-Methods"
    assert app.requests[2:] == ["OPTIONS /"]


def test_asgi2():
    """An ASGI 2 application is asked, too, and `.app` is what was passed."""

    class App2:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await App(reflecting)(self.scope, receive, send)

    assert anyio.run(browser_allows, App2, A)
    assert Browser(App2).app is App2


@pytest.mark.parametrize(
    ("origin", "url", "allowed"),
    [
        pytest.param("http://testserver", "/", True, id="same origin"),
        pytest.param("http://testserver", "http://TESTSERVER:80/", True, id="same origin, written differently"),
        pytest.param("https://testserver", "/", False, id="other scheme"),
        pytest.param("http://testserver:8000", "/", False, id="other port"),
        pytest.param("null", "/", False, id="opaque"),
        pytest.param(None, "/", True, id="navigation"),
    ],
)
def test_origins(origin, url, allowed):
    """An application without CORS serves its own pages and visitors, and no other page."""
    app = App(lambda scope: (200, [(b"x-own", b"1"), (b"set-cookie", b"a=1")], b"hello"))
    result = fetches(app, {"origin": origin, "url": url, "method": "GET"})[0]
    assert result.allowed is allowed
    assert result.headers == ([(b"x-own", b"1")] if allowed else [])
    assert result.body == (b"hello" if allowed else b"")


def test_credentials():
    """Cookies go to the page's own origin, or wherever the page includes them; never with a preflight."""
    allow = [(ACAO, A.encode()), (b"access-control-allow-credentials", b"true"), (METHODS, b"PUT")]
    app = App(lambda scope: (200, allow))
    steps = [{"origin": A, "method": "PUT", "credentials": mode} for mode in ("omit", "same-origin", "include")]
    assert all(fetches(app, *steps, {"origin": "http://testserver"}, cookie="sid=1"))
    cookies = [(scope["method"], header(scope, b"cookie")) for scope in app.scopes]
    # The permission that was got without credentials does not hold for a request with them.
    expected = [
        ("OPTIONS", None),
        ("PUT", None),
        ("PUT", None),
        ("OPTIONS", None),
        ("PUT", b"sid=1"),
        ("GET", b"sid=1"),
    ]
    assert cookies == expected


def test_exposed_headers():
    """A page of another origin reads what is exposed to it."""
    own = [(b"X-Own", b"1"), (b"Content-Type", b" text/plain\t")]
    app = App(lambda scope: (200, [(ACAO, b"*"), (b"access-control-expose-headers", b"X-Own"), *own]))
    assert fetches(app, {"origin": A})[0].headers == [(b"x-own", b"1"), (b"content-type", b"text/plain")]


# The preflight cache


PUT = {"origin": A, "method": "PUT"}


@pytest.mark.parametrize(
    ("max_age", "wait", "again"),
    [
        pytest.param(None, 4.9, False, id="default"),
        pytest.param(None, 5, True, id="default over"),
        pytest.param(b"600", 599, False, id="600"),
        pytest.param(b"600", 600, True, id="600 over"),
        pytest.param(b"0", 0, True, id="0"),
        pytest.param(b"86400", 7200, True, id="cap"),
    ],
)
def test_preflight_cache(max_age, wait, again):
    """A preflight holds for its max-age."""
    more = [] if max_age is None else [(b"access-control-max-age", max_age)]
    app = App(lambda scope: (200, [*reflecting(scope)[1], *more]))
    results = fetches(app, PUT, wait, PUT)
    assert all(results)
    assert [result.preflighted for result in results] == [True, again]


def test_preflight_cache_cap():
    """The cap is the browser's."""
    app = App(lambda scope: (200, [*reflecting(scope)[1], (b"access-control-max-age", b"86400")]))
    assert [result.preflighted for result in fetches(app, PUT, 86399, PUT, 1, PUT, max_age_cap=86400)] == [
        True,
        False,
        True,
    ]


def test_preflight_cache_entries():
    """Methods and names are remembered one by one, for one origin and URL."""
    app = App(reflecting)
    results = fetches(
        app,
        PUT,
        {**PUT, "headers": {"X-A": "1"}},
        {"origin": A, "headers": {"X-A": "1"}},
        {**PUT, "origin": B},
        {**PUT, "url": "/other"},
        {"origin": A, "headers": {"X-B": "1"}},
    )
    assert [result.preflighted for result in results] == [True, False, False, True, True, True]
    assert [bool(result) for result in results] == [True] * 5 + [False]


def test_preflight_cache_cleared_by_a_refused_preflight():
    """A preflight that is refused takes with it what earlier ones had permitted."""
    results = fetches(App(reflecting), PUT, {"origin": A, "method": "DELETE"}, PUT)
    assert [(bool(result), result.preflighted) for result in results] == [(True, True), (False, True), (True, True)]


def test_preflight_cache_cleared_by_a_refused_response():
    """So does a response that does not pass the CORS check."""
    answers = {"OPTIONS": [True, True], "PUT": [True, False, True]}

    def answer(scope: Any) -> tuple[Any, ...]:
        return reflecting(scope) if answers[scope["method"]].pop(0) else (200, [])

    results = fetches(App(answer), PUT, PUT, PUT)
    assert [(bool(result), result.preflighted) for result in results] == [(True, True), (False, False), (True, True)]


# The HTTP cache


def cached(vary: bool, always: bool) -> App:
    """An application that may be cached, and allows A by name."""

    def answer(scope: Any) -> tuple[Any, ...]:
        origin = header(scope, b"origin")
        headers = [(b"cache-control", b"max-age=60")]
        if always or origin == A.encode():
            headers.append((ACAO, A.encode()))
        if vary:
            headers.append((b"vary", b"Origin"))
        return 200, headers

    return App(answer)


@pytest.mark.parametrize("first", [{}, {"origin": B}, {"origin": "http://testserver"}], ids=["visit", "other", "own"])
@pytest.mark.parametrize(
    ("vary", "always", "allowed", "from_cache"),
    [
        pytest.param(False, False, False, True, id="poisoned"),
        pytest.param(True, False, True, False, id="vary"),
        pytest.param(False, True, True, True, id="constant"),
    ],
)
def test_poisoning(first, vary, always, allowed, from_cache):
    """A stored answer without the header breaks an allowed page, unless Vary names Origin or the header is constant."""
    result = fetches(cached(vary, always), first, {"origin": A})[1]
    assert (result.allowed, result.from_cache) == (allowed, from_cache)


@pytest.mark.parametrize(
    ("step", "option"),
    [
        pytest.param({}, {"http_cache": False}, id="no cache"),
        pytest.param({"method": "POST"}, {}, id="post"),
        pytest.param({"headers": {"If-None-Match": "x"}}, {}, id="conditions of one's own"),
        pytest.param({"headers": {"Range": "bytes=0-"}}, {}, id="range"),
        pytest.param({"url": "/?other"}, {}, id="other url"),
    ],
)
def test_not_from_the_cache(step, option):
    """What the cache is not asked for."""
    assert not fetches(cached(vary=False, always=True), {}, step, **option)[1].from_cache


def test_unsafe_methods_invalidate():
    """A POST that succeeds makes the browser forget the stored GET; one that fails does not (RFC 9111 4.4)."""
    app = cached(vary=False, always=True)
    assert not fetches(app, {}, {"method": "POST"}, {})[2].from_cache
    failing = App(lambda scope: (500 if scope["method"] == "POST" else 200, [(b"cache-control", b"max-age=60")]))
    assert fetches(failing, {}, {"method": "POST"}, {})[2].from_cache


def test_validation():
    """A stale response is validated; the check is made on what is stored, under the headers of the 304."""

    def answer(scope: Any) -> tuple[Any, ...]:
        if header(scope, b"if-none-match") == b'"1"':
            return 304, [(ACAO, header(scope, b"origin") or b"")] if scope["query_string"] == b"good" else []
        return 200, [(b"etag", b'"1"')], b"body"

    app = App(answer)
    good, bad = ({"url": f"/?{name}", "origin": A} for name in ("good", "bad"))
    results = fetches(app, {"url": "/?good"}, good, {"url": "/?bad"}, bad)
    assert [(bool(result), result.from_cache) for result in results] == [
        (True, False),
        (True, True),
        (True, False),
        (False, True),
    ]
    assert results[1].body == b"body"
    assert results[1].status == 200


# Redirects


def redirecting(
    places: dict[str, tuple[int, str]], headers: Callable[[Any], Any] = lambda scope: reflecting(scope)[1]
) -> App:
    def answer(scope: Any) -> tuple[Any, ...]:
        status, location = places.get(scope["path"], (200, ""))
        if scope["method"] == "OPTIONS" or not location:
            return 200, headers(scope)
        return status, [*headers(scope), (b"location", location.encode())]

    return App(answer)


def test_redirect():
    """A redirect is followed with a check at each stop, and a preflight for each URL that needs one."""
    app = redirecting({"/a": (307, "/b")})
    assert fetches(app, {"url": "/a", "origin": A, "method": "PUT", "body": b"x"})[0]
    assert app.requests == ["OPTIONS /a", "PUT /a", "OPTIONS /b", "PUT /b"]
    assert app.bodies == [b"", b"x", b"", b"x"]


def test_redirected_preflight():
    """A preflight is not redirected: 307 is no ok status, which is what a missing slash leads to."""
    app = App(lambda scope: (307, [(ACAO, b"*"), (b"location", b"/a/")]))
    assert fetches(app, PUT)[0].reason == "preflight: the status is 307, not 200 to 299"


def test_redirect_without_the_header():
    """A redirect that does not pass the check is not followed."""
    app = App(lambda scope: (302, [(b"location", b"/a/")]))
    assert not fetches(app, {"origin": A})[0]
    assert len(app.requests) == 1


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"), (307, "POST", "POST"),
     (308, "POST", "POST"), (301, "PUT", "PUT")],
)  # fmt: skip
def test_redirected_method(status, method, then):
    """Some redirects make a GET of it, without the headers that are about the body."""
    app = redirecting({"/a": (status, "/b")})
    headers = {"Content-Type": "text/plain", "X-A": "1"}
    assert fetches(app, {"url": "/a", "method": method, "headers": headers})[0]
    assert app.scopes[1]["method"] == then
    assert (header(app.scopes[1], b"content-type") is None) is (then != method)
    assert header(app.scopes[1], b"x-a") == b"1"


def test_redirect_between_origins():
    """From one foreign origin to another, the page's origin becomes null, and Authorization is left behind."""
    app = redirecting(
        {"/a": (302, "http://other.test/b")},
        lambda scope: [*reflecting(scope)[1], (b"access-control-allow-headers", b"authorization")],
    )
    assert fetches(app, {"url": "/a", "origin": A, "headers": {"Authorization": "x"}})[0]
    assert app.requests == ["OPTIONS /a", "GET /a", "GET /b"]
    assert [header(scope, b"origin") for scope in app.scopes] == [A.encode()] * 2 + [b"null"]
    assert [header(scope, b"authorization") for scope in app.scopes] == [None, b"x", None]


def test_redirect_from_the_own_origin():
    """From the page's own origin to another, it keeps its name; and back home it is checked like a stranger."""
    app = redirecting({"/a": (302, "http://other.test/b"), "/b": (302, "http://testserver/c")})
    assert fetches(app, {"url": "/a", "origin": "http://testserver"})[0]
    assert [header(scope, b"origin") for scope in app.scopes] == [None, b"http://testserver", b"null"]


@pytest.mark.parametrize("location", ["ftp://a.test/", "http://u:p@a.test/", "http://:80/"])
def test_redirect_nowhere(location):
    """Not every place can be redirected to."""
    result = fetches(redirecting({"/": (302, location)}), {"origin": A})[0]
    assert result.reason == f"redirect to {location}, which a fetch may not follow"


def test_redirect_without_location():
    """A redirect without a location is a response like others."""
    assert fetches(App(lambda scope: (302, [(ACAO, b"*")])), {"origin": A})[0].status == 302


@pytest.mark.parametrize(("stops", "allowed"), [(20, True), (21, False)])
def test_many_redirects(stops, allowed):
    """Twenty redirects are followed, the next one is an error."""
    app = redirecting({f"/{number}": (302, f"/{number + 1}") for number in range(stops)})
    result = fetches(app, {"url": "/0", "origin": A})[0]
    assert bool(result) is allowed
    assert result.reason == ("" if allowed else "more than 20 redirects")


# Private networks


def test_private_network():
    """Each fetch of another origin asks first, also one that is simple; a page of the own origin does not."""

    def answer(scope: Any) -> tuple[Any, ...]:
        asked = header(scope, b"access-control-request-private-network") == b"true"
        allowed = scope["path"] == "/open" and asked
        return 200, [*reflecting(scope)[1], *([(b"access-control-allow-private-network", b"true")] * allowed)]

    app = App(answer)
    steps = [{"url": "/open", "origin": A}, {"url": "/", "origin": A}, {"url": "/", "origin": "http://testserver"}]
    results = fetches(app, *steps, private_network=True)
    assert [(bool(result), result.preflighted) for result in results] == [(True, True), (False, True), (True, False)]
    refused = anyio.run(lambda: browser_allows(app, A, private_network=True))
    assert refused.reason == "preflight: Access-Control-Allow-Private-Network is not true"


# Applications that break


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("lost")


async def answers_then_raises(scope: Any, receive: Any, send: Any) -> None:
    await App(reflecting)(scope, receive, send)
    raise KeyError("lost")


async def starts_then_raises(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(ACAO, b"*")]})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    raise KeyError("lost")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body"})


@BACKENDS
@pytest.mark.parametrize(
    ("app", "method", "reason"),
    [
        (raises, "GET", "no Access-Control-Allow-Origin (the application raised KeyError('lost'))"),
        (raises, "PUT", "preflight: the response has no Access-Control-Allow-Origin (the application raised"),
        (starts_then_raises, "GET", "the response has no end (the application raised KeyError('lost'))"),
        (starts_then_raises, "PUT", "preflight: the response has no end"),
        (answers_then_raises, "GET", ""),
        (silent, "GET", "no Access-Control-Allow-Origin"),
    ],
)
def test_broken_applications(app, method, reason, backend):
    """Servers answer for an application with a bare 500, or break the connection; the page sees a network error."""
    result = anyio.run(browser_allows, app, A, method, backend=backend)
    assert reason in result.reason
    assert bool(result) is not bool(reason)


def test_own_page_sees_the_500():
    """A page of the own origin sees the server's bare 500."""
    result = fetches(raises, {"origin": "http://testserver"})[0]
    assert (result.allowed, result.status, result.headers, result.body) == (True, 500, [], b"Internal Server Error")


def test_broken_answers_are_not_stored():
    """A response without an end does not get into the cache."""
    assert not any(result.from_cache for result in fetches(starts_then_raises, {}, {}))


@BACKENDS
@pytest.mark.parametrize("grouped", [False, True])
def test_assertions_pass(grouped, backend):
    """An AssertionError is the test's own: it comes through, also out of a task group; Lint's is one."""

    async def asserts(scope: Any, receive: Any, send: Any) -> None:
        if grouped:
            raise ExceptionGroup("tasks", [KeyError("a"), ExceptionGroup("more", [AssertionError("mine")])])
        raise AssertionError("mine")

    with pytest.raises((AssertionError, ExceptionGroup)):
        anyio.run(browser_allows, asserts, A, backend=backend)
    with pytest.raises(AssertionError, match="before the start"):
        anyio.run(browser_allows, Lint(silent), A, backend=backend)


def test_groups_without_assertions():
    """An exception group of others is answered for."""

    async def groups(scope: Any, receive: Any, send: Any) -> None:
        raise ExceptionGroup("tasks", [KeyError("a")])

    assert "ExceptionGroup" in anyio.run(browser_allows, groups, A).reason


def test_head_has_no_body():
    """The body of an answer to HEAD stays on the server."""
    app = App(lambda scope: (200, [(b"content-length", b"5")], b"hello"))
    assert fetches(app, {"method": "HEAD"})[0].body == b""


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"credentials": "yes"}, "credentials must be 'omit', 'same-origin' or 'include' (got 'yes')"),
        ({"body": b"x"}, "body must be empty for GET and HEAD (got b'x')"),
        ({"method": "TRACE"}, "method must be a token, and not CONNECT, TRACE or TRACK (got 'TRACE')"),
        ({"headers": {"a b": "1"}}, "headers must have tokens as names"),
        ({"url": "ftp://x/"}, "url must be a path or an http or https URL without credentials (got 'ftp://x/')"),
    ],
)
def test_what_fetch_rejects(step, message):
    """What a page cannot even ask for is a mistake of the test, and raises."""
    app = App(reflecting)
    with pytest.raises(ValueError) as caught:
        fetches(app, step)
    assert message in str(caught.value)
    assert app.requests == []
