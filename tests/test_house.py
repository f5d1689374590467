"""The rules of every middleware, over each class of the index: what a server, a framework or a bridge may do to them all."""

from __future__ import annotations

import importlib
import re
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    TimingMiddleware,
)
from middlewares._http.headers import owns_starts
from middlewares._index import ROOMS
from middlewares.sessions import MemoryStore, SessionMiddleware
from middlewares.testing import Lint, Recorder, http_scope, lifespan_scope, run, websocket_scope
from middlewares.timing import add

from .needs import NEEDS

CLASSES = {
    name: partial(getattr(importlib.import_module(f"middlewares.{room}"), name), **NEEDS.get(name, {}))
    for name, room in ROOMS.items()
} | {"SessionMiddleware with a store": partial(SessionMiddleware, store=MemoryStore())}
ORIGIN = (b"origin", b"https://a.example")

every_room = pytest.mark.parametrize("room", CLASSES.values(), ids=[*CLASSES])
both_loops = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def start(status: int = 200, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, **more}


def body(data: bytes = b"", **more: Any) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, **more}


def sending(*messages: Any) -> Any:
    """An application that reads the request and sends messages."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body", False):
            pass
        for message in messages:
            await send(message)

    return app


EXTENSIONS = {
    "http.response.trailers": {},
    "http.response.push": {},
    "http.response.early_hint": {},
    "http.response.pathsend": {},
}
ANSWERS = {
    "plain": [start(headers=[(b"content-type", b"text/plain")]), body(b"hello")],
    "without headers or body": [start(204), {"type": "http.response.body"}],
    "stream": [start(headers=[]), body(b"a", more_body=True), body(b"", more_body=True), body(b"b", more_body=False)],
    "trailers": [start(trailers=True), body(b"a"), {"type": "http.response.trailers", "headers": [(b"x", b"1")]}],
    "early hint": [start(), {"type": "http.response.early_hint", "links": [b"</a>"]}, body()],
    "push": [start(), {"type": "http.response.push", "path": "/a", "headers": []}, body()],
    "pathsend": [start(), {"type": "http.response.pathsend", "path": "/etc/hostname"}],
}


@every_room
@both_loops
@pytest.mark.parametrize("messages", ANSWERS.values(), ids=[*ANSWERS])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_legal_answers_stay_legal(room: Any, backend: str, messages: list[Any], method: str) -> None:
    """Between two linters nothing is violated, and all messages but the start are the application's own objects."""
    scope = http_scope(method, headers=[ORIGIN], extensions=EXTENSIONS)
    sent = run(Lint(room(Lint(sending(*messages)))), scope, backend=backend)
    assert [message["type"] for message in messages] == [message["type"] for message in sent]
    assert all(one is other for one, other in zip(messages[1:], sent[1:], strict=True))


@every_room
@settings(max_examples=25)
@given(st.lists(st.binary(max_size=9)), st.lists(st.binary(max_size=9)))
def test_any_chunking(room: Any, request_pieces: list[bytes], answer_pieces: list[bytes]) -> None:
    """However request and answer are cut, the bytes arrive, and the linters find nothing."""
    received: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            received.append(message["body"])
            more = message.get("more_body", False)
        await send(start())
        for piece in answer_pieces:
            await send(body(piece, more_body=True))
        await send(body())

    incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in request_pieces]
    sent = run(
        Lint(room(Lint(app))), http_scope("POST"), *incoming, {"type": "http.request", "body": b"", "more_body": False}
    )
    assert b"".join(request_pieces) == b"".join(received)
    assert b"".join(answer_pieces) == b"".join(message["body"] for message in sent[1:])


@every_room
@both_loops
def test_websockets(room: Any, backend: str) -> None:
    """A socket is accepted, echoes and closes between two linters; a denial passes, too."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": [(b"x", b"1")]})
        await send({"type": "websocket.send", "text": (await receive())["text"]})
        await send({"type": "websocket.close", "code": 1000})

    async def deny(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    connect, text = {"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}
    sent = run(Lint(room(Lint(echo))), websocket_scope(), connect, text, backend=backend)
    assert ["websocket.accept", "websocket.send", "websocket.close"] == [message["type"] for message in sent]
    assert (b"x", b"1") in sent[0]["headers"]
    sent = run(Lint(room(Lint(deny))), websocket_scope(), connect, backend=backend)
    assert [403, b"no"] == [sent[0]["status"], sent[1]["body"]]


@every_room
@both_loops
def test_lifespan(room: Any, backend: str) -> None:
    """Lifespan runs through once, with the same scope; what the application raises there reaches the server unchanged."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    scope = lifespan_scope()
    assert 2 == len(run(Lint(room(Lint(app))), scope, backend=backend))
    run(room(app), scope, backend=backend)
    assert seen[1] is scope

    async def unsupported(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("no lifespan here")

    with pytest.raises(ValueError, match=r"^no lifespan here$"):
        run(room(unsupported), lifespan_scope(), backend=backend)


class Granian:
    """`receive` and `send` as granian makes them: what they return can be awaited, and is no coroutine."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def receive(self) -> Any:
        return _Awaitable(self.recorder.receive())

    def send(self, message: Any) -> Any:
        return _Awaitable(self.recorder.send(message))


class _Awaitable:
    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine

    def __await__(self) -> Any:
        return self.coroutine.__await__()


@every_room
@both_loops
def test_called_as_servers_call(room: Any, backend: str) -> None:
    """By position and by keyword (daphne), with awaitables that are no coroutines (granian)."""
    app = room(sending(*ANSWERS["plain"]))

    async def main() -> None:
        for by_keyword in (False, True):
            scope = http_scope()
            recorder = Recorder(scope)
            granian = Granian(recorder)
            if by_keyword:
                await app(scope=scope, receive=granian.receive, send=granian.send)
            else:
                await app(scope, granian.receive, granian.send)
            assert [200, b"hello"] == [recorder.sent[0]["status"], recorder.sent[1]["body"]]

    anyio.run(main, backend=backend)


@every_room
def test_built_as_frameworks_build(room: Any) -> None:
    """The application is the first argument, or `app=` (Litestar); all else is keyword-only; `.app` is what was passed."""
    app = sending()
    assert room(app).app is app
    assert room(app=app).app is app
    with pytest.raises(TypeError):
        room(app, "more")
    with pytest.raises(TypeError, match="app must be an ASGI application"):
        room(5)


@every_room
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"Content-Type", b"text/plain"), (b"X-A", b"1")], id="capitals"),
        pytest.param(((b"content-type", b"text/plain"), (b"x-a", b"1")), id="tuple"),
        pytest.param([[b"content-type", b"text/plain"], [b"x-a", b"1"]], id="lists"),
        pytest.param([(b"content-type", bytearray(b"text/plain")), (b"x-a", memoryview(b"1"))], id="bytes-like"),
    ],
)
def test_shared_messages_stay_as_they_are(room: Any, headers: Any) -> None:
    """One constant start for all clients (Falcon) is the same after two requests, and what goes out is exact."""
    constant = start(headers=headers)
    before = repr(constant)
    app = room(sending(constant, body(b"hello")))
    for _ in range(2):
        sent = run(app, http_scope(headers=[ORIGIN]))[0]
        names = {bytes(name).lower(): bytes(value) for name, value in sent["headers"]}
        assert [b"text/plain", b"1"] == [names[b"content-type"], names[b"x-a"]]
        assert sent is constant or (
            type(sent) is dict
            and type(sent["headers"]) is list
            and all(
                type(pair) is tuple and len(pair) == 2 and {bytes} == {*map(type, pair)} for pair in sent["headers"]
            )
        )
        assert before == repr(constant)


@every_room
def test_generator_headers_are_not_lost(room: Any) -> None:
    """Headers that can be read once (Sanic) arrive."""
    message = start(headers=(pair for pair in [(b"x-a", b"1")]))
    sent = run(room(sending(message, body())), http_scope())[0]
    assert (b"x-a", b"1") in list(sent["headers"])


@every_room
def test_bodies_pass_as_they_are(room: Any) -> None:
    """A memoryview or a missing body is for the server to judge."""
    messages = [start(), body(memoryview(b"a"), more_body=True), {"type": "http.response.body", "more_body": False}]
    sent = run(room(sending(*messages)), http_scope())
    assert messages[1] is sent[1]
    assert messages[2] is sent[2]


@every_room
def test_the_server_s_headers_stay_as_they_are(room: Any) -> None:
    """The header list of the scope is not written to."""
    headers = [(b"host", b"a"), ORIGIN]
    scope = {**http_scope(), "headers": headers}
    run(room(sending(*ANSWERS["plain"])), scope)
    assert [(b"host", b"a"), ORIGIN] == headers


@every_room
@pytest.mark.parametrize(
    "missing", ["state", "extensions", "scheme", "http_version", "raw_path", "root_path", "client", "server", "asgi"]
)
def test_scopes_with_less(room: Any, missing: str) -> None:
    """A scope may lack what the specification lets be absent (daphne has no state, no extensions, no WebSocket scheme)."""
    for scope, answer in ((http_scope(headers=[ORIGIN]), start()), (websocket_scope(), {"type": "websocket.accept"})):
        scope.pop(missing, None)
        assert answer["type"] == run(room(sending(answer, *([body()] if "status" in answer else []))), scope)[0]["type"]
    none = {missing: None} if missing in {"extensions", "client", "server"} else {}
    assert 200 == run(room(sending(start(), body())), http_scope(headers=[ORIGIN], **none))[0]["status"]


@every_room
def test_routing_is_seen_outside(room: Any) -> None:
    """What a router writes into the scope reaches the layers outside, at the start of the response and afterwards."""
    routing = {"route": object(), "path_params": {"a": 1}, "endpoint": object(), "path_template": "/{a}", "fastapi": {}}
    at_start: list[Any] = []

    async def router(scope: Any, receive: Any, send: Any) -> None:
        scope.update(routing)
        await send(start())
        scope["path_params"] = {"a": 2}
        await send(body())

    scope = http_scope()
    recorder = Recorder(scope)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            at_start.append({key: scope.get(key) for key in routing})
        await recorder.send(message)

    async def main() -> None:
        await room(router)(scope, recorder.receive, send)

    anyio.run(main)
    assert [routing] == at_start
    assert {**routing, "path_params": {"a": 2}} == {key: scope.get(key) for key in routing}


@every_room
@pytest.mark.parametrize("kind", [http_scope, websocket_scope])
def test_exceptions_go_up_unchanged(room: Any, kind: Any) -> None:
    """The very exception of the application reaches the server; so does one that is no Exception."""
    for error in (LookupError("mine"), KeyboardInterrupt()):

        async def app(scope: Any, receive: Any, send: Any, error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            run(room(app), kind())
        assert raised.value is error


@every_room
@both_loops
def test_cancellation(room: Any, backend: str) -> None:
    """A request that is cancelled while it waits leaves nothing behind, and is not answered."""

    async def main() -> None:
        scope = http_scope()
        recorder = Recorder(scope)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await anyio.sleep_forever()

        with anyio.move_on_after(0.01) as cancelled:
            await room(app)(scope, recorder.receive, recorder.send)
        assert cancelled.cancelled_caught
        assert [] == recorder.sent

    anyio.run(main, backend=backend)


@every_room
def test_asgi_2_applications(room: Any) -> None:
    """A double callable works wrapped, over HTTP and over WebSocket, and stays visible as `.app`."""

    class HelloWorld:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await receive()
            if self.scope["type"] == "websocket":
                await send({"type": "websocket.close"})
            else:
                await send(start())
                await send(body(b"hello"))

    app = room(HelloWorld)
    assert app.app is HelloWorld
    assert b"hello" == run(Lint(app), http_scope())[1]["body"]
    assert "websocket.close" == run(Lint(app), websocket_scope())[0]["type"]


# ---- Layers right outside of one another


def _apart(app: Any) -> Any:
    """A layer that does nothing: what is outside of it does not see what is inside."""

    async def passing(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return passing


NAMES = st.sampled_from(
    [b"x-request-id", b"X-Request-ID", b"server-timing", b"vary", b"VARY", b"access-control-allow-origin", b"x"]
)
PAIRS = st.lists(st.tuples(NAMES, st.sampled_from([b"", b"a", b"Origin", b"*", b"x, y"])), max_size=5)
SHAPES: list[Any] = [
    lambda pairs: [(*pair,) for pair in pairs],
    tuple,
    iter,
    lambda pairs: [[*pair] for pair in pairs],
    lambda pairs: [(bytearray(name), memoryview(value)) for name, value in pairs],
]
LAYERS = [
    RequestIDMiddleware,
    partial(RequestIDMiddleware, header_name="X-Other-ID"),
    partial(RequestIDMiddleware, response_header=None),
    TimingMiddleware,
    partial(TimingMiddleware, exclude="/"),
    partial(TimingMiddleware, timing_allow_origin="*"),
    partial(CORSMiddleware, allow_origins=["https://a.example"], allow_credentials=True),
    partial(CORSMiddleware, allow_origins="*", allow_methods="*"),
    partial(CORSMiddleware, allow_origins=["https://b.example"], allow_credentials=True, expose_headers="*"),
    partial(CORSMiddleware, allow_origin_func=lambda _origin, _scope: True),
    partial(CORSMiddleware, allow_origins="*", overrides={"/": None}),
    partial(CompressionMiddleware, minimum_size=1),
    ServerErrorMiddleware,
]


ASKED = st.builds(
    lambda method, origin, asks: http_scope(
        method, headers=[*origin, *asks, (b"x-request-id", b"one"), (b"x-other-id", b"two")]
    ),
    st.sampled_from(["GET", "OPTIONS"]),
    st.sampled_from([[ORIGIN], [], [(b"origin", b"https://b.example")], [ORIGIN, ORIGIN]]),
    st.sampled_from([[], [(b"access-control-request-method", b"PUT")], [(b"access-control-request-method", b"GET")]]),
)


@settings(max_examples=300)
@given(PAIRS, st.sampled_from(SHAPES), st.lists(st.sampled_from(LAYERS), min_size=2, max_size=4), st.booleans(), ASKED)
def test_neighbours_add_what_they_add_apart(pairs, shape, layers, spans, asked) -> None:
    """A layer right outside of one of ours may change its starts in place; what is sent is the same (house rule 5)."""
    given_start = start(headers=None)
    kept = {**given_start}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if spans:
            add("db", 1.0)
        given_start["headers"] = kept["headers"] = shape(pairs)
        await send(given_start)
        await send(body(b"hello"))

    def answers(between: Any) -> list[Any]:
        """Of two requests, one after the other, but for the times."""
        wrapped: Any = app
        for layer in reversed(layers):
            wrapped = layer(between(wrapped))
        found: list[Any] = []
        for _ in range(2):
            first, *others = run(wrapped, {**asked})
            if first is not given_start:
                assert all(type(pair) is tuple and type(pair[0]) is type(pair[1]) is bytes for pair in first["headers"])
            sent = [(name, re.sub(rb"app;dur=[\d.]+", b"app", value)) for name, value in first["headers"]]
            found += [{**first, "headers": sent}, *others]
        return found

    assert answers(_apart) == answers(lambda wrapped: wrapped)
    assert kept == given_start
    if shape is not iter and kept["headers"] is not None:
        assert [(bytes(name), bytes(value)) for name, value in kept["headers"]] == pairs


class Delegating:
    """A layer of another, which sends a start that it keeps, and has all attributes of what it wraps."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body())


START = start(headers=())


@pytest.mark.parametrize("layer", [RequestIDMiddleware, TimingMiddleware, CORSMiddleware])
def test_others_own_no_starts(layer: Any) -> None:
    """What a subclass, or a layer with its attributes, does with messages is not known: its starts are copied."""
    assert owns_starts(layer(sending()))
    assert not owns_starts(type("Other", (layer,), {})(sending()))
    outer = RequestIDMiddleware(TimingMiddleware(Delegating(layer(sending()))))
    for _ in range(2):
        assert 2 == len(run(outer, http_scope())[0]["headers"])
    assert () == START["headers"]
