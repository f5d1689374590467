"""The CORS middleware, driven with raw messages."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from middlewares.cors import CORSMiddleware
from middlewares.testing import Recorder, http_scope, run, websocket_scope
from tests.conftest import require

A = "https://a.example"
ORIGIN = (b"origin", A.encode())
FOREIGN = (b"origin", b"https://b.example")
ACAO = b"access-control-allow-origin"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
BODY = {"type": "http.response.body", "body": b"hello"}


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


async def never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the application was called")


def preflight(*headers: tuple[bytes, bytes], path: str = "/", method: bytes = b"GET") -> Any:
    return http_scope("OPTIONS", path, [*headers, (b"access-control-request-method", method)])


def header(message: Any, name: bytes) -> list[bytes]:
    return [value for key, value in message["headers"] if key.lower() == name]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("scope", "added"),
    [
        pytest.param(http_scope(headers=[ORIGIN]), [(ACAO, A.encode()), (b"vary", b"Origin")], id="allowed"),
        pytest.param(http_scope(headers=[FOREIGN]), [(b"vary", b"Origin")], id="refused"),
        pytest.param(http_scope(), [(b"vary", b"Origin")], id="no origin"),
        pytest.param(
            http_scope("OPTIONS", headers=[ORIGIN]),
            [(ACAO, A.encode()), (b"vary", b"Origin")],
            id="options is the application's",
        ),
        pytest.param(
            http_scope("OPTIONS", headers=[(b"access-control-request-method", b"GET")]),
            [(b"vary", b"Origin")],
            id="options without origin",
        ),
        pytest.param(
            http_scope("POST", headers=[ORIGIN, (b"access-control-request-method", b"GET")]),
            [(ACAO, A.encode()), (b"vary", b"Origin")],
            id="post",
        ),
    ],
)
def test_actual_requests(scope: Any, added: list, backend: str) -> None:
    """Every request that is no preflight reaches the application; its answer says who may read it."""
    app = CORSMiddleware(hello, allow_origins=[A])
    assert [{**START, "headers": [*START["headers"], *added]}, BODY] == run(app, scope, backend=backend)
    assert [(b"content-type", b"text/plain")] == START["headers"]


def test_other_messages_are_the_same_objects() -> None:
    """Bodies, trailers, pushes and hints pass as they are."""
    messages = [
        {"type": "http.response.push"},
        {"type": "http.response.early_hint"},
        START,
        BODY,
        {"type": "http.response.trailers"},
    ]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    sent = run(CORSMiddleware(app, allow_origins=[A]), http_scope())
    assert [True, True, False, True, True] == [one is other for one, other in zip(messages, sent, strict=True)]


@pytest.mark.parametrize("scope", [{"type": "lifespan"}, {"type": "unknown"}])
def test_other_scopes_pass(scope: Any) -> None:
    """Lifespan and unknown scopes reach the application with the very same objects, and its exceptions come back."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen[:] = args
        if "broken" in scope:
            raise LookupError

    recorder = Recorder(scope)
    receive, send = recorder.receive, recorder.send

    async def served(_scope: Any, _receive: Any, _send: Any) -> None:
        await CORSMiddleware(app, allow_origins=[A])(scope, receive, send)

    run(served, scope)
    assert all(one is other for one, other in zip((scope, receive, send), seen, strict=True))
    scope["broken"] = True
    with pytest.raises(LookupError):
        run(served, scope)


def test_preflight_never_calls_the_application() -> None:
    """An accepted preflight is 204 without a body."""
    sent = run(CORSMiddleware(never, allow_origins=[A], allow_methods=["PUT"]), preflight(ORIGIN, method=b"PUT"))
    assert [
        {
            "type": "http.response.start",
            "status": 204,
            "headers": [
                (ACAO, A.encode()),
                (b"access-control-allow-methods", b"PUT"),
                (b"access-control-allow-headers", b"accept, accept-language, content-language, content-type"),
                (b"access-control-max-age", b"600"),
                (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
            ],
        },
        {"type": "http.response.body", "body": b"", "more_body": False},
    ] == sent


@pytest.mark.parametrize(
    "headers", [[FOREIGN], [ORIGIN, ORIGIN], [ORIGIN, (b"access-control-request-headers", b"x-a")]]
)
def test_refused_preflight_reveals_nothing(headers: list, caplog: pytest.LogCaptureFixture) -> None:
    """A refused preflight is 403 without permissions or configured origins; one DEBUG line says why."""
    caplog.set_level(logging.DEBUG, "middlewares.cors")
    start, body = run(CORSMiddleware(never, allow_origins=[A], allow_credentials=True), preflight(*headers))
    assert start["status"] == 403
    assert not [name for name, _ in start["headers"] if name.startswith(b"access-control-")]
    assert b"a.example" not in repr((start, body)).encode()
    [record] = caplog.records
    assert record.getMessage().startswith("refused: ")


def test_refusals_are_logged_in_bounded_lines(caplog: pytest.LogCaptureFixture) -> None:
    """However long path, method and header names are, the line is not; above DEBUG, no line is made."""
    app = CORSMiddleware(never, allow_origins=[A])
    many = (b"access-control-request-headers", b",".join(b"\xff%d" % i * 1000 for i in range(20)))
    scope = preflight(ORIGIN, many, path="/" + "\n" * 100_000, method=b"\xff" * 100_000)
    caplog.set_level(logging.DEBUG, "middlewares.cors")
    run(app, scope)
    [record] = caplog.records
    assert "and 10 more" in record.getMessage()
    assert len(record.getMessage()) < 15_000
    caplog.set_level(logging.INFO, "middlewares.cors")
    run(app, scope)
    run(CORSMiddleware(never, allow_origins=[A]), websocket_scope(headers=[FOREIGN]))
    assert len(caplog.records) == 1


def test_refused_actual_request_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """One DEBUG line for a refused origin, on one line whatever the path; none for a page of the same host, nor without Origin."""
    app = CORSMiddleware(hello, allow_origins=[A])
    caplog.set_level(logging.DEBUG, "middlewares.cors")
    run(app, http_scope(path="/a\nb\x1b", headers=[FOREIGN]))
    run(app, http_scope(headers=[FOREIGN, (b"host", b"b.example")]))
    run(app, http_scope(headers=[]))
    assert ["refused: origin 'https://b.example' is not allowed (path '/a\\nb\\x1b')"] == [
        r.getMessage() for r in caplog.records
    ]


async def _coroutine(origin: str, scope: Any) -> bool:
    return origin == A


class _AsyncObject:
    async def __call__(self, origin: str, scope: Any) -> bool:
        return origin == A


@pytest.mark.parametrize(
    "func",
    [
        pytest.param(lambda origin, scope: origin == A, id="plain"),
        pytest.param(lambda origin, scope: "yes" if origin == A else "", id="truthy"),
        pytest.param(_coroutine, id="async"),
        pytest.param(_AsyncObject(), id="object"),
        pytest.param(partial(_coroutine), id="returns an awaitable"),
    ],
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_functions(func: Any, backend: str) -> None:
    """A function decides, plain or async, for actual requests, preflights and sockets."""
    app = CORSMiddleware(hello, allow_origin_func=func)
    assert [A.encode()] == header(run(app, http_scope(headers=[ORIGIN]), backend=backend)[0], ACAO)
    assert [] == header(run(app, http_scope(headers=[FOREIGN]), backend=backend)[0], ACAO)
    assert 204 == run(app, preflight(ORIGIN), backend=backend)[0]["status"]
    assert 403 == run(app, preflight(FOREIGN), backend=backend)[0]["status"]
    assert START is run(app, websocket_scope(headers=[ORIGIN]), backend=backend)[0]
    assert 403 == run(app, websocket_scope(headers=[FOREIGN]), backend=backend)[0]["status"]


def test_functions_are_asked_last_with_the_scope() -> None:
    """A function is asked when there is one origin, well formed, and list and expression said no."""
    asked: list[Any] = []
    app = CORSMiddleware(
        hello,
        allow_origins=[A],
        allow_origin_regex="https://c.example",
        allow_origin_func=lambda *args: asked.append(args),
    )
    scope = http_scope(headers=[FOREIGN])
    for headers in (
        [ORIGIN],
        [(b"origin", b"https://c.example")],
        [],
        [FOREIGN, FOREIGN],
        [(b"origin", b"\xff")],
        [(b"origin", b"x y")],
    ):
        run(app, http_scope(headers=headers))
    assert [] == asked
    run(app, scope)
    assert [("https://b.example", scope)] == asked
    run(app, http_scope(headers=[(b"origin", b"null")]))
    assert "null" == asked[1][0]


def test_a_function_that_raises_allows_nothing() -> None:
    """Its exception goes up before the application is called."""

    def broken(origin: str, scope: Any) -> bool:
        raise LookupError(origin)

    with pytest.raises(LookupError):
        run(CORSMiddleware(never, allow_origin_func=broken), http_scope(headers=[FOREIGN]))


@pytest.mark.parametrize(
    ("headers", "keywords"),
    [
        pytest.param([ORIGIN], {}, id="listed"),
        pytest.param([], {}, id="no origin, so no browser"),
        pytest.param([FOREIGN, (b"host", b"b.example")], {}, id="same host"),
        pytest.param(
            [(b"origin", b"https://B.example:443"), (b"host", b"b.EXAMPLE")], {}, id="same host, default port"
        ),
        pytest.param(
            [(b"origin", b"wss://b.example"), (b"host", b"b.example")], {}, id="same host, of a native client"
        ),
        pytest.param([(b"origin", b"null")], {"allow_origins": ["null"]}, id="null listed"),
        pytest.param([FOREIGN], {"allow_origins": "*"}, id="everyone"),
        pytest.param([FOREIGN], {"websockets": False}, id="switched off"),
        pytest.param([FOREIGN], {"overrides": {"/": None}}, id="no policy there"),
        pytest.param([FOREIGN], {"overrides": {"/": {"websockets": False}}}, id="switched off there"),
    ],
)
def test_sockets_that_pass(headers: list, keywords: dict[str, Any]) -> None:
    """An allowed handshake reaches the application with the very same objects, its connect not consumed."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    scope = websocket_scope(headers=headers)
    recorder = Recorder(scope)
    receive, send = recorder.receive, recorder.send

    async def served(scope: Any, _receive: Any, _send: Any) -> None:
        await CORSMiddleware(app, **{"allow_origins": [A], **keywords})(scope, receive, send)

    assert [] == run(served, scope)
    assert all(one is other for one, other in zip((scope, receive, send), seen, strict=True))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([FOREIGN], id="foreign"),
        pytest.param([FOREIGN, (b"host", b"a.example")], id="other host"),
        pytest.param([(b"origin", b"wss://b.example"), (b"host", b"a.example")], id="other host, of a native client"),
        pytest.param([FOREIGN, (b"host", b"b.example:8000")], id="other port"),
        pytest.param([FOREIGN, (b"host", b"b.example"), (b"host", b"b.example")], id="two hosts"),
        pytest.param([ORIGIN, ORIGIN], id="two origins"),
        pytest.param([(b"origin", b"null"), (b"host", b"null")], id="null"),
        pytest.param([(b"origin", b"")], id="empty"),
        pytest.param([(b"origin", b"\xff\x00")], id="hostile bytes"),
    ],
)
def test_sockets_that_are_refused(headers: list, caplog: pytest.LogCaptureFixture) -> None:
    """A foreign handshake is refused before the application is entered (RFC 6455 10.2): 403, or a close without the extension."""
    caplog.set_level(logging.DEBUG, "middlewares.cors")
    app = CORSMiddleware(never, allow_origins=[A])
    start, body = run(app, websocket_scope(headers=headers))
    assert ("websocket.http.response.start", 403) == (start["type"], start["status"])
    assert ("websocket.http.response.body", False) == (body["type"], body["more_body"])
    close = [{"type": "websocket.close", "code": 1008, "reason": ""}]
    assert close == run(app, websocket_scope(headers=headers, extensions=None))
    scope = websocket_scope(headers=headers)
    del scope["extensions"]
    assert close == run(app, scope)
    assert 3 == len(caplog.records)


def test_overrides_at_work() -> None:
    """The policy of a path answers its requests; where there is none, preflights and headers are the application's."""
    app = CORSMiddleware(hello, allow_origins=[A], overrides={"/open": {"allow_origins": "*"}, "/own": None})
    assert [b"*"] == header(run(app, http_scope(path="/open/x", headers=[FOREIGN]))[0], ACAO)
    assert [A.encode()] == header(run(app, http_scope(path="/openx", headers=[ORIGIN]))[0], ACAO)
    assert [START, BODY] == run(app, preflight(FOREIGN, path="/own"))
    assert START is run(app, http_scope(path="/own/x", headers=[ORIGIN]))[0]


def test_overrides_below_root_path() -> None:
    """Overrides are about the path that routes see, below the `root_path` of server or mount: no stricter one is passed by."""
    app = CORSMiddleware(hello, allow_origins=[A], overrides={"/admin": {"allow_origins": []}, "/own": None})
    for scope in (
        http_scope(path="/api/admin/users", headers=[ORIGIN], root_path="/api"),
        http_scope(path="/admin/users", headers=[ORIGIN], root_path="/api"),
    ):
        assert [] == header(run(app, scope)[0], ACAO)
    assert 403 == run(app, preflight(ORIGIN, path="/api/admin") | {"root_path": "/api"})[0]["status"]
    assert START is run(app, http_scope(path="/api/own", headers=[ORIGIN], root_path="/api"))[0]
    assert 403 == run(app, websocket_scope("/api/admin", [ORIGIN], root_path="/api"))[0]["status"]
    assert [A.encode()] == header(run(app, http_scope(path="/admin", headers=[ORIGIN], root_path="/admin"))[0], ACAO)


def test_overrides_in_a_mount() -> None:
    """Mounted by Starlette, the layer compares what the routes below the mount are compared with; around it, all of it."""
    routing = require("starlette.routing")
    rules: Any = {"allow_origins": [A], "overrides": {"/admin": {"allow_origins": []}}}
    mounted = routing.Router([routing.Mount("/api", app=CORSMiddleware(hello, **rules))])
    around = CORSMiddleware(routing.Router([routing.Mount("/admin", app=hello)]), **rules)
    assert [] == header(run(mounted, http_scope(path="/api/admin/x", headers=[ORIGIN]))[0], ACAO)
    assert [A.encode()] == header(run(mounted, http_scope(path="/api/x", headers=[ORIGIN]))[0], ACAO)
    assert [] == header(run(around, http_scope(path="/admin/x", headers=[ORIGIN]))[0], ACAO)


def test_explain_by_path() -> None:
    """`explain` takes the policy of the path, and says where there is none."""
    app = CORSMiddleware(hello, allow_origins=[A], overrides={"/open": {"allow_origins": "*"}, "/own": None})
    assert [] == app.explain(A)
    assert [
        "origin 'https://b.example' is not allowed",
        "method PUT is not in allow_methods",
        "header x-a is not in allow_headers",
    ] == app.explain("https://b.example", "PUT", ["X-A"])
    assert [] == app.explain("https://b.example", path="/open/1")
    assert ["no policy at '/own': overrides leave CORS there to the application"] == app.explain(A, path="/own")


def test_asgi_2_application() -> None:
    """A double callable works wrapped, and stays visible as `.app`."""

    class HelloWorld:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await hello(self.scope, receive, send)

    app = CORSMiddleware(app=HelloWorld, allow_origins="*")
    assert HelloWorld is app.app
    assert [b"*"] == header(run(app, http_scope())[0], ACAO)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(((b"a", b"1"), (b"Vary", b"b")), id="tuple"),
        pytest.param([[b"a", b"1"], [b"Vary", b"b"]], id="lists as pairs"),
        pytest.param([(b"a", bytearray(b"1")), (b"Vary", b"b")], id="value bytes-like"),
        pytest.param([(bytearray(b"a"), b"1"), (b"Vary", b"b")], id="name bytes-like"),
        pytest.param([(b"a", b"1"), (b"Vary", b"b")], id="exact"),
    ],
)
@pytest.mark.parametrize("origin", [ORIGIN, FOREIGN])
def test_whatever_headers_an_application_gives(headers: Any, origin: tuple[bytes, bytes]) -> None:
    """Frameworks send tuples, lists and bytearrays: out goes a list of pairs of bytes, and theirs stays as it was."""
    before = repr(headers)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    [start] = run(CORSMiddleware(app, allow_origins=[A]), http_scope(headers=[origin]))
    added = [(ACAO, A.encode())] if origin is ORIGIN else []
    assert [(b"a", b"1"), (b"Vary", b"b, Origin"), *added] == start["headers"]
    assert {list, tuple, bytes} == {type(start["headers"]), *map(type, start["headers"])} | {
        type(x) for pair in start["headers"] for x in pair
    }
    assert before == repr(headers)


def test_headers_may_be_missing_or_an_iterator() -> None:
    """A start without headers gets ours; those of an iterator are read once (Sanic)."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.start", "status": 200, "headers": (pair for pair in [(b"a", b"1")])})

    sent = run(CORSMiddleware(app, allow_origins="*"), http_scope())
    assert [[(ACAO, b"*")], [(b"a", b"1"), (ACAO, b"*")]] == [start["headers"] for start in sent]


def test_private_network_is_asked_by_its_own_header() -> None:
    """The permission goes to preflights that ask for it, and no others, where the policy opted in (Private Network Access)."""
    app = CORSMiddleware(never, allow_origins=[A], allow_private_network=True)
    name = b"access-control-allow-private-network"
    assert [] == header(run(app, preflight(ORIGIN))[0], name)
    assert [b"true"] == header(
        run(app, preflight(ORIGIN, (b"access-control-request-private-network", b"true")))[0], name
    )
