"""The request id middleware, driven with raw messages."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from contextvars import Context, copy_context
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlewares.request_id import RequestIDMiddleware, current_request_id, outbound_headers, request_id_var
from middlewares.testing import Recorder, http_scope, record, run, websocket_scope

NAME = b"x-request-id"
TEXT = (b"content-type", b"text/plain")
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [TEXT]}
BODY = {"type": "http.response.body", "body": b"hello"}
HEX = re.compile(r"[0-9a-f]{32}").fullmatch
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = (b"traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode())
TRACESTATE = (b"tracestate", b"congo=1")

both_backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


class Watching:
    """An application that keeps what it saw, and answers."""

    def __init__(self, *messages: Any) -> None:
        self.messages = messages or (START, BODY)
        self.scopes: list[Any] = []
        self.headers: list[Any] = []
        self.ids: list[str | None] = []
        self.outbound: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.headers.append(scope["headers"])
        self.ids.append(current_request_id())
        self.outbound.append(outbound_headers())
        for message in self.messages:
            await send(message)


def header(message: Any, name: bytes = NAME) -> list[str]:
    return [value.decode() for key, value in message["headers"] if key.lower() == name]


def with_id(value: bytes) -> Any:
    return http_scope(headers=[(NAME, value)])


@both_backends
def test_new_id(backend) -> None:
    """A request without an id gets one: 32 hex digits, in the response, everything else of which stays."""
    start, body = run(RequestIDMiddleware(hello), http_scope(), backend=backend)
    [request_id] = header(start)
    assert HEX(request_id)
    assert {**START, "headers": [TEXT, (NAME, request_id.encode())]} == start
    assert body is BODY


@both_backends
def test_adopted_id(backend) -> None:
    """A safe id of the client is the id of the request."""
    sent = run(RequestIDMiddleware(hello), with_id(b"abc-1"), backend=backend)
    assert [{**START, "headers": [TEXT, (NAME, b"abc-1")]}, BODY] == sent


def test_the_same_everywhere() -> None:
    """Response, request header, state, variable and outgoing calls all say the same."""
    app = Watching()
    scope = http_scope()
    [request_id] = header(run(RequestIDMiddleware(app), scope)[0])
    assert [(NAME, request_id.encode())] == app.headers[0]
    assert request_id == scope["state"]["request_id"] == app.scopes[0]["state"]["request_id"] == app.ids[0]
    assert {"X-Request-ID": request_id} == app.outbound[0]


@pytest.mark.parametrize("extra", [{}, {"state": None}], ids=["missing", "None"])
def test_scope_without_state(extra) -> None:
    """Servers such as daphne give no state: it is made, in the scope of the layers outside as well."""
    app = Watching()
    scope = http_scope()
    del scope["state"]
    scope.update(extra)
    [start, _] = run(RequestIDMiddleware(app), scope)
    assert header(start) == [scope["state"]["request_id"]] == [app.scopes[0]["state"]["request_id"]]


def test_the_state_s_other_entries_stay() -> None:
    """The state of the server is written to, not replaced."""
    state = {"database": object()}
    scope = http_scope(state=state)
    run(RequestIDMiddleware(hello), scope)
    assert scope["state"] is state
    assert {"database", "request_id"} == set(state)


def test_requests_that_share_a_state() -> None:
    """A server that gives one state to every request, or a scope that is used twice, hands no id on."""
    state: dict[str, Any] = {}
    app = RequestIDMiddleware(hello, trust_incoming=False)
    scope = http_scope(state=state)
    ids = [header(run(app, each)[0])[0] for each in (http_scope(state=state), http_scope(state=state), scope, scope)]
    assert 4 == len(set(ids))
    assert ids[-1] == state["request_id"]


def test_a_scope_that_is_used_twice_unchanged() -> None:
    """Where the scope is handed on as it is, it carries nothing over, also after an exception."""

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    scope = http_scope()
    keys = set(scope)
    for app in (hello, fails, hello):
        wrapped = RequestIDMiddleware(app, update_request_header=False)
        with contextlib.suppress(RuntimeError):
            run(wrapped, scope)
        assert keys == set(scope)


def test_state_of_a_stranger() -> None:
    """An id that the state holds already, from anywhere but a layer of this request, is not taken over."""
    scope = http_scope(state={"request_id": "planted"})
    assert HEX(header(run(RequestIDMiddleware(hello), scope)[0])[0])


@pytest.mark.parametrize("value", [b"a b", b"\r\nset-cookie: a=b", b"\xff", b"", b"a" * 129], ids=repr)
def test_refused_value_is_nowhere(value, caplog) -> None:
    """What is refused reaches neither the response, nor the application, nor the log."""
    caplog.set_level(0)
    app = Watching()
    scope = http_scope(headers=[TEXT, (NAME, value)])
    [start, _] = run(RequestIDMiddleware(app), scope)
    [request_id] = header(start)
    assert HEX(request_id)
    assert [TEXT, (NAME, request_id.encode())] == app.headers[0]
    assert request_id == scope["state"]["request_id"]
    assert "middlewares.request_id" not in {record.name for record in caplog.records}


def test_several_values() -> None:
    """Several headers with different values give a new id; with the same value they are one."""
    app = Watching()
    [start, _] = run(RequestIDMiddleware(app), http_scope(headers=[(NAME, b"a"), TEXT, (NAME, b"b")]))
    assert HEX(header(start)[0])
    [start, _] = run(RequestIDMiddleware(app), http_scope(headers=[(NAME, b"a"), TEXT, (NAME, b"a")]))
    assert ["a"] == header(start)
    assert [TEXT, (NAME, b"a")] == app.headers[1]


def test_several_names() -> None:
    """The names are looked up in order; the first is the one that response, application and outgoing calls see."""
    app = Watching()
    wrapped = RequestIDMiddleware(app, header_name=["X-Correlation-ID", "X-Request-ID"])
    [start, _] = run(wrapped, with_id(b"abc"))
    assert [TEXT, (b"x-correlation-id", b"abc")] == start["headers"]
    assert [(b"x-correlation-id", b"abc")] == app.headers[0]
    assert {"X-Correlation-ID": "abc"} == app.outbound[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("X-Trace", [TEXT, (b"x-trace", b"abc")]), (None, [TEXT])],
    ids=["other name", "none"],
)
def test_response_header(name, expected) -> None:
    """The response's header has a name of its own, or is left out."""
    sent = run(RequestIDMiddleware(hello, response_header=name), with_id(b"abc"))
    assert [{**START, "headers": expected}, BODY] == sent


@pytest.mark.parametrize("value", [b"abc", b"a b"], ids=["adopted", "refused"])
def test_without_response_header_messages_pass(value) -> None:
    """Messages that are not changed pass as the same objects."""
    sent = run(RequestIDMiddleware(hello, response_header=None), with_id(value))
    assert sent[0] is START
    assert sent[1] is BODY


def test_server_s_objects_are_not_changed() -> None:
    """The header list of the server stays, as an object and in content; the application gets another."""
    headers = [TEXT, (NAME, b" abc")]
    app = Watching()
    scope = http_scope()
    scope["headers"] = headers
    run(RequestIDMiddleware(app), scope)
    assert scope["headers"] is headers
    assert [TEXT, (NAME, b" abc")] == headers
    assert app.headers[0] is not headers


@pytest.mark.parametrize(
    ("options", "values"),
    [({}, [b"<script>"]), ({}, [b"abc", b"abd"]), ({"trust_incoming": False}, [b"abc"])],
    ids=["unsafe", "two", "not trusted"],
)
def test_refused_id_stays_away_after_the_response(options, values) -> None:
    """Tasks that go on after the response find no refused value in the request, and the server's list is unchanged."""
    headers = [TEXT, *[(NAME, value) for value in values]]
    scope = http_scope()
    scope["headers"] = list(headers)
    given = scope["headers"]
    run(RequestIDMiddleware(hello, **options), scope)
    assert scope["headers"] == [TEXT]
    assert given == headers


@pytest.mark.parametrize("values", [[b"abc"], [b"abc", b"abd"]], ids=["one value", "two values"])
@pytest.mark.parametrize("names", [["X-Request-ID"], ["X-Request-ID", "X-Other"]], ids=["one name", "two names"])
def test_many_headers_take_little_time(values, names) -> None:
    """A client that repeats the header 50 000 times costs milliseconds, as servers without a limit let it through."""
    app = Watching()
    scope = http_scope(headers=[(NAME, value) for value in values * (50_000 // len(values))])
    began = time.process_time()
    run(RequestIDMiddleware(app, header_name=names), scope)
    assert time.process_time() - began < 2  # a copy for each of them takes ten and more
    assert app.headers[0] == [(NAME, app.scopes[0]["state"]["request_id"].encode())]


def test_same_scope_where_nothing_changes() -> None:
    """A request that has exactly the id already is handed on with the same scope."""
    app = Watching()
    scope = with_id(b"abc")
    run(RequestIDMiddleware(app), scope)
    assert app.scopes[0] is scope


@pytest.mark.parametrize(
    "headers", [[], [(NAME, b"a b")], [(NAME, b"abc"), (NAME, b"abc")]], ids=["none", "refused", "twice"]
)
def test_update_request_header_off(headers) -> None:
    """With False the request is left alone: same scope, same headers."""
    app = Watching()
    scope = http_scope(headers=headers)
    before = list(scope["headers"])
    [start, _] = run(RequestIDMiddleware(app, update_request_header=False), scope)
    assert app.scopes[0] is scope
    assert before == app.headers[0]
    assert 1 == len(header(start))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(b"X-Request-Id", b"theirs"), TEXT], id="other case"),
        pytest.param([(NAME, b"theirs"), TEXT, (NAME, b"again")], id="twice"),
        pytest.param(((NAME, b"theirs"), TEXT), id="tuple"),
        pytest.param([[NAME, b"theirs"], list(TEXT)], id="lists as pairs"),
        pytest.param([(NAME, b"abc"), TEXT], id="the same value"),
    ],
)
def test_header_of_the_application_is_replaced(headers) -> None:
    """The id is in the response exactly once, and it is ours."""
    [start, _] = run(RequestIDMiddleware(Watching({**START, "headers": headers}, BODY)), with_id(b"abc"))
    assert {**START, "headers": [TEXT, (NAME, b"abc")]} == start


def test_start_without_headers() -> None:
    """Headers may be missing from a start, or come from a generator (Sanic); out goes a list."""
    no_headers = {"type": "http.response.start", "status": 204}
    assert [{**no_headers, "headers": [(NAME, b"abc")]}] == run(
        RequestIDMiddleware(Watching(no_headers)), with_id(b"abc")
    )
    generated = {**no_headers, "headers": (pair for pair in [TEXT])}
    assert [{**no_headers, "headers": [TEXT, (NAME, b"abc")]}] == run(
        RequestIDMiddleware(Watching(generated)), with_id(b"abc")
    )


def test_shared_message_of_the_application() -> None:
    """One constant message for all requests, as of Falcon, is the same after two of them."""
    headers = [TEXT]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    app = RequestIDMiddleware(Watching(start, BODY))
    first, second = (run(app, http_scope())[0] for _ in range(2))
    assert header(first) != header(second)
    assert [2, 2] == [len(sent["headers"]) for sent in (first, second)]
    assert {"type": "http.response.start", "status": 200, "headers": [TEXT]} == start
    assert start["headers"] is headers


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([[b"a", b"b"]], id="list as pair"),
        pytest.param([(bytearray(b"a"), b"b")], id="bytearray name"),
        pytest.param([(b"a", memoryview(b"b"))], id="memoryview value"),
        pytest.param(((b"a", b"b"),), id="tuple of pairs"),
    ],
)
def test_exact_types(headers) -> None:
    """A changed message goes out as exact dict, list, tuples and bytes, whatever came (granian and daphne need that)."""

    class Message(dict[str, Any]):
        pass

    message = Message(type="http.response.start", status=200, headers=headers)
    [start] = run(RequestIDMiddleware(Watching(message)), with_id(b"abc"))
    assert {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b"), (NAME, b"abc")]} == start
    assert (dict, list) == (type(start), type(start["headers"]))
    assert {tuple} == {type(pair) for pair in start["headers"]}
    assert {bytes} == {type(part) for pair in start["headers"] for part in pair}


@pytest.mark.parametrize(
    "kind",
    [
        "http.response.push",
        "http.response.early_hint",
        "http.response.trailers",
        "http.response.pathsend",
        "http.response.debug",
        "made.up",
    ],
)
def test_other_messages_pass(kind) -> None:
    """Messages that the room does not know pass as the same objects."""
    message = {"type": kind, "headers": [(NAME, b"theirs")]}
    sent = run(RequestIDMiddleware(Watching(message, START, BODY)), http_scope())
    assert sent[0] is message


@both_backends
@pytest.mark.parametrize("kind", ["websocket.accept", "websocket.http.response.start"])
def test_websocket(kind, backend) -> None:
    """The id is in the answer to a handshake, accepted or denied, and the other messages pass."""
    answer = {"type": kind, "status": 403} if "response" in kind else {"type": kind, "subprotocol": None}
    rest = {"type": "websocket.http.response.body", "body": b""} if "response" in kind else {"type": "websocket.close"}
    app = Watching(answer, rest)
    scope = websocket_scope(headers=[(NAME, b"abc")])
    sent = run(RequestIDMiddleware(app), scope, backend=backend)
    assert [{**answer, "headers": [(NAME, b"abc")]}, rest] == sent
    assert sent[1] is rest
    assert ("abc", "abc") == (app.ids[0], scope["state"]["request_id"])


@both_backends
def test_websocket_without_an_id(backend) -> None:
    """A handshake without an id gets a new one, in the request as well; a plain close has no headers."""
    app = Watching({"type": "websocket.accept", "headers": [(b"X-Request-ID", b"theirs")]}, {"type": "websocket.close"})
    accept, close = run(RequestIDMiddleware(app), websocket_scope(), backend=backend)
    [request_id] = header(accept)
    assert HEX(request_id)
    assert [(NAME, request_id.encode())] == app.headers[0]
    assert close is app.messages[1]


@both_backends
@pytest.mark.parametrize("kind", ["lifespan", "made.up"])
def test_other_scopes(kind, backend) -> None:
    """Scopes of other types pass with the same scope, receive and send, and change nothing."""
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.extend(arguments)

    scope = {"type": kind, "state": {}}
    arguments = [scope, object(), object()]

    async def call() -> None:
        request_id_var.set(None)
        await RequestIDMiddleware(app)(*arguments)
        assert current_request_id() is None

    anyio.run(call, backend=backend)
    assert all(a is b for a, b in zip(arguments, seen, strict=True))
    assert {"type": kind, "state": {}} == scope


def test_lifespan_exceptions_pass() -> None:
    """An application that does not know lifespan tells the server so by raising."""
    error = ValueError("no lifespan here")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(ValueError, match="no lifespan here") as caught:
        run(RequestIDMiddleware(app), {"type": "lifespan"})
    assert caught.value is error


@pytest.mark.parametrize("headers", [[], [(NAME, b"abc")], [(NAME, b"?")]], ids=["none", "adopted", "refused"])
@pytest.mark.parametrize("response_header", ["X-Request-ID", None])
def test_routing_is_seen_outside(headers, response_header) -> None:
    """What the router writes is seen by layers outside as the response starts, and what comes later when it returned."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "/items/{id}"
        await send(START)
        await send(BODY)
        scope["endpoint"] = "view"

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        async def watching(message: Any) -> None:
            seen.append((scope.get("route"), scope.get("endpoint")))
            await send(message)

        await RequestIDMiddleware(app, response_header=response_header)(scope, receive, watching)
        seen.append((scope.get("route"), scope.get("endpoint")))

    run(outside, http_scope(headers=headers))
    assert ("/items/{id}", None) == seen[0]
    assert ("/items/{id}", "view") == seen[-1]


def test_routing_is_seen_after_an_exception() -> None:
    """Logs of a failure name the route as well."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "/items/{id}"
        raise RuntimeError

    scope = http_scope()
    with pytest.raises(RuntimeError):
        run(RequestIDMiddleware(app), scope)
    assert "/items/{id}" == scope["route"]


@both_backends
def test_variable_is_not_reset(backend) -> None:
    """When the application has returned or raised, the id is still there for the logs outside."""
    seen: list[Any] = []

    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError

    async def outside(scope: Any, receive: Any, send: Any) -> None:
        await RequestIDMiddleware(hello)(with_id(b"first"), receive, send)
        seen.append(current_request_id())
        with pytest.raises(RuntimeError):
            await RequestIDMiddleware(fails)(with_id(b"second"), receive, send)
        seen.append(current_request_id())

    run(outside, http_scope(), backend=backend)
    assert ["first", "second"] == seen


@both_backends
def test_each_request_of_a_task_has_its_own(backend) -> None:
    """What an earlier request left in the variable (uvicorn with h11) is never kept: not the id, not name and trace."""
    app = Watching()
    traced = RequestIDMiddleware(app, trace_context=True, header_name="X-Correlation-ID")
    plain = RequestIDMiddleware(app)

    async def connection(scope: Any, receive: Any, send: Any) -> None:
        for layer in (traced, plain, traced, plain):
            await layer(http_scope(), receive, send)

    run(connection, http_scope(), backend=backend)
    assert 4 == len(set(app.ids))
    names = ["X-Correlation-ID", "X-Request-ID"] * 2
    assert names == [next(iter(sent)) for sent in app.outbound]
    assert app.ids == [sent[name] for name, sent in zip(names, app.outbound, strict=True)]
    assert [True, False] * 2 == ["traceparent" in sent for sent in app.outbound]


@both_backends
def test_concurrent_requests(backend) -> None:
    """Requests that run at the same time each have their own id, through awaits."""
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        mine = current_request_id()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
            assert mine == current_request_id() == scope["state"]["request_id"]
        await send(START)

    wrapped = RequestIDMiddleware(app)

    async def request(number: int) -> None:
        value = f"id-{number}"
        seen[value] = header((await record(wrapped, with_id(value.encode())))[0])

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(request, number)

    anyio.run(main, backend=backend)
    assert {f"id-{number}": [f"id-{number}"] for number in range(20)} == seen


def test_send_from_a_foreign_context() -> None:
    """Bridges call `send` from threads and contexts that know nothing of the request: the header is right there, too."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request_id_var.set("changed by the application")
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def bridge() -> None:
            async def call() -> None:
                await send(START)

            asyncio.run_coroutine_threadsafe(call(), loop).result(10)
            loop.call_soon_threadsafe(done.set_result, None)

        thread = threading.Thread(target=Context().run, args=(bridge,))
        thread.start()
        await done
        thread.join()
        await asyncio.create_task(_send(send), context=Context())

    async def _send(send: Any) -> None:
        await send(BODY)

    start, body = run(RequestIDMiddleware(app), with_id(b"abc"))
    assert ["abc"] == header(start)
    assert body is BODY


def test_threads_with_a_copy_of_the_context() -> None:
    """A thread started with a copy of the context, as bridges do, knows the id."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: seen.append(current_request_id()),))
        thread.start()
        thread.join()

    run(RequestIDMiddleware(app), with_id(b"abc"))
    assert ["abc"] == seen


def test_awaitables_that_are_no_coroutines() -> None:
    """`send` hands on what the server returns, also granian's awaitables."""

    class Awaitable:
        def __await__(self) -> Any:
            yield from ()

    sent: list[Any] = []

    def send(message: Any) -> Awaitable:
        sent.append(message)
        return Awaitable()

    asyncio.run(
        RequestIDMiddleware(hello)(scope=with_id(b"abc"), receive=None, send=send)
    )  # by keyword, as daphne calls
    assert [["abc"], BODY] == [header(sent[0]), sent[1]]


def test_error_of_send_passes() -> None:
    """`OSError` from a server whose client has left reaches the application unchanged (ASGI HTTP, since 2.4)."""
    error = OSError("gone")
    seen: list[Any] = []

    async def send(message: Any) -> None:
        raise error

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(START)
        except OSError as caught:
            seen.append(caught)

    asyncio.run(RequestIDMiddleware(app)(http_scope(), None, send))
    assert [error] == seen


@pytest.mark.parametrize(
    "inner",
    [
        {},
        {"trust_incoming": False},
        {"validator": re.compile("never")},
        {"transformer": "x{}".format},
        {"generator": "ulid"},
        {"update_request_header": False},
        {"response_header": None},
        {"trust_incoming": ["10.0.0.0/8"]},
    ],
    ids=lambda keywords: "".join(keywords) or "defaults",
)
@pytest.mark.parametrize(
    "outer", [{}, {"trust_incoming": False}, {"update_request_header": False}, {"generator": "uuid7"}], ids=repr
)
@pytest.mark.parametrize("headers", [[], [(NAME, b"abc")], [(NAME, b"a b")]], ids=["none", "adopted", "refused"])
def test_stacked_twice(headers, outer, inner) -> None:
    """Two layers for one request: one id, one header; the outer one decides, whatever the inner one is told."""
    app = Watching()
    scope = http_scope(headers=headers)
    start, _ = run(RequestIDMiddleware(RequestIDMiddleware(app, **inner), **outer), scope)
    [request_id] = header(start)
    assert request_id == app.ids[0] == scope["state"]["request_id"] == app.scopes[0]["state"]["request_id"]
    assert {"X-Request-ID": request_id} == app.outbound[0]
    if headers == [(NAME, b"abc")] and "trust_incoming" not in outer:
        assert "abc" == request_id
    if inner.get("update_request_header", True):
        assert [(NAME, request_id.encode())] == app.headers[0]


def test_stacked_with_a_layer_between_that_copies() -> None:
    """Layers between that copy the scope, as mounts do, do not hide the id."""
    app = Watching()

    async def mount(scope: Any, receive: Any, send: Any) -> None:
        await RequestIDMiddleware(app, trust_incoming=False)({**scope, "path": "/"}, receive, send)

    start, _ = run(RequestIDMiddleware(mount), http_scope())
    assert header(start) == app.ids


def test_stacked_with_other_names() -> None:
    """An inner layer with another name shows the same id under its own as well."""
    app = Watching()
    layers = RequestIDMiddleware(RequestIDMiddleware(app, header_name="X-Correlation-ID"))
    start, _ = run(layers, with_id(b"abc"))
    assert [TEXT, (b"x-correlation-id", b"abc"), (NAME, b"abc")] == start["headers"]
    assert [(NAME, b"abc"), (b"x-correlation-id", b"abc")] == app.headers[0]
    assert {"X-Correlation-ID": "abc"} == app.outbound[0]


@pytest.mark.parametrize(
    ("outer", "inner"),
    [(True, True), (True, False), (False, True)],
    ids=["both", "outer", "inner"],
)
@pytest.mark.parametrize("headers", [[], [TRACEPARENT, TRACESTATE]], ids=["new", "continued"])
def test_stacked_with_trace(headers, outer, inner) -> None:
    """Two layers make one trace."""
    app = Watching()
    scope = http_scope(headers=headers)
    run(RequestIDMiddleware(RequestIDMiddleware(app, trace_context=inner), trace_context=outer), scope)
    trace = scope["state"]["trace"]
    assert trace[:36] == app.outbound[0]["traceparent"][:36]
    assert trace == app.scopes[0]["state"]["trace"]
    assert bool(headers) is ("tracestate" in app.outbound[0])


def test_requests_within_a_request() -> None:
    """A request that an application makes to itself in the same task has an id of its own."""
    inner = Watching()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await record(RequestIDMiddleware(inner), http_scope())
        await hello(scope, receive, send)

    start, _ = run(RequestIDMiddleware(app), http_scope())
    assert header(start) != inner.ids


@pytest.mark.parametrize(
    ("trust", "path", "expected"),
    [
        (["127.0.0.0/8"], "/", True),
        (["10.0.0.0/8"], "/", False),
        (False, "/", False),
        (lambda scope: scope["path"] == "/in", "/in", True),
        (lambda scope: scope["path"] == "/in", "/out", False),
    ],
    ids=["network: in", "network: out", "False", "callable: in", "callable: out"],
)
def test_trust(trust, path, expected) -> None:
    """One rule for the id and for the trace: both are adopted, or neither."""
    app = Watching()
    headers = [(NAME, b"abc"), TRACEPARENT, TRACESTATE]
    scope = http_scope(path=path, headers=headers)
    start, _ = run(RequestIDMiddleware(app, trust_incoming=trust, trace_context=True), scope)
    assert expected is (header(start) == ["abc"])
    assert expected is (TRACE in scope["state"]["trace"])
    assert expected is ("tracestate" in app.outbound[0])
    assert TRACEPARENT in app.headers[0]


@pytest.mark.parametrize(("headers", "asked"), [([], 0), ([(NAME, b"abc")], 1)], ids=["nothing to trust", "an id"])
def test_trust_is_asked_once(headers, asked) -> None:
    """The callable is asked once for a request that brings something along, with the scope of this layer."""
    scopes: list[Any] = []
    scope = http_scope(headers=headers)
    run(RequestIDMiddleware(hello, trust_incoming=scopes.append), scope)
    assert asked == len(scopes)
    assert all(seen is scope for seen in scopes)
    scopes.clear()
    run(RequestIDMiddleware(hello, trust_incoming=scopes.append, trace_context=True), scope)
    assert 1 == len(scopes)


@both_backends
def test_trace_continued(backend) -> None:
    """A valid traceparent is carried on: state and each outgoing call have the trace-id, and span ids of their own."""
    app = Watching()
    scope = http_scope(headers=[TRACEPARENT, TRACESTATE, (b"tracestate", b"rojo=2")])
    run(RequestIDMiddleware(app, trace_context=True), scope, backend=backend)
    traces = [TRACEPARENT[1].decode(), scope["state"]["trace"], app.outbound[0]["traceparent"]]
    assert 3 == len({trace[36:52] for trace in traces})
    assert {(f"00-{TRACE}-", "-01")} == {(trace[:36], trace[52:]) for trace in traces}
    assert "congo=1,rojo=2" == app.outbound[0]["tracestate"]
    # The tracer of an SDK inside has to see its true parent.
    assert [TRACEPARENT, TRACESTATE, (b"tracestate", b"rojo=2")] == app.headers[0][:3]


def test_trace_new() -> None:
    """Without a valid traceparent a new trace begins, not sampled, with the random flag, without the tracestate."""
    app = Watching()
    scope = http_scope(headers=[(b"traceparent", b"00-" + b"0" * 32), TRACESTATE])
    run(RequestIDMiddleware(app, trace_context=True), scope)
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-02", scope["state"]["trace"])
    assert scope["state"]["trace"][:36] == app.outbound[0]["traceparent"][:36]
    assert {"X-Request-ID", "traceparent"} == set(app.outbound[0])


def test_no_trace_by_default() -> None:
    """Without `trace_context` nothing is said of traces."""
    app = Watching()
    scope = http_scope(headers=[TRACEPARENT, TRACESTATE])
    run(RequestIDMiddleware(app), scope)
    assert "trace" not in scope["state"]
    assert ["X-Request-ID"] == list(app.outbound[0])


@both_backends
@pytest.mark.parametrize("headers", [[], [(NAME, b"abc")]], ids=["new", "adopted"])
@pytest.mark.parametrize("note", [True, False])
def test_exceptions_pass(headers, note, backend) -> None:
    """An exception goes on as the same object, with a note of the id if that is asked for."""
    error = RuntimeError("broken")
    scope = http_scope(headers=headers)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(RuntimeError) as caught:
        run(RequestIDMiddleware(app, exception_note=note), scope, backend=backend)
    assert caught.value is error
    assert ([f"request_id={scope['state']['request_id']}"] if note else []) == getattr(error, "__notes__", [])


def test_one_note() -> None:
    """Two layers, or an exception that is raised again and again for one id, leave one note; notes of others stay."""
    error = RuntimeError("broken")
    error.add_note("mine")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    layer = RequestIDMiddleware(RequestIDMiddleware(app, exception_note=True), exception_note=True)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            run(layer, with_id(b"abc"))
    assert ["mine", "request_id=abc"] == error.__notes__


def test_notes_that_are_no_list() -> None:
    """An exception whose notes were broken goes on as it is."""
    error = RuntimeError("broken")
    error.__notes__ = "broken as well"  # type: ignore[assignment]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(RuntimeError) as caught:
        run(RequestIDMiddleware(app, exception_note=True), http_scope())
    assert caught.value is error
    assert "broken as well" == error.__notes__


@both_backends
def test_cancellation_passes(backend) -> None:
    """Cancellation is no exception of the application: it goes on without a note."""
    seen: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            seen.append(error)
            raise

    async def main() -> None:
        scope = http_scope()
        recorder = Recorder(scope)
        async with anyio.create_task_group() as group:
            group.start_soon(RequestIDMiddleware(app, exception_note=True), scope, recorder.receive, recorder.send)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)
    assert 1 == len(seen)
    assert not hasattr(seen[0], "__notes__")


def test_asgi_2_application() -> None:
    """A double callable works wrapped, and `.app` is what was passed."""

    class Application:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await hello(self.scope, receive, send)

    wrapped = RequestIDMiddleware(app=Application)
    assert wrapped.app is Application
    assert [{**START, "headers": [TEXT, (NAME, b"abc")]}, BODY] == run(wrapped, with_id(b"abc"))


@pytest.mark.parametrize("keyword", ["update_request_header", "trace_context", "exception_note"])
@pytest.mark.parametrize("value", ["false", 1, None], ids=repr)
def test_switches(keyword, value) -> None:
    """A switch is True or False: "false" from an environment variable would be true."""
    with pytest.raises(TypeError, match=rf"{keyword} must be True or False \(got {value!r}\)"):
        RequestIDMiddleware(hello, **{keyword: value})


@pytest.mark.parametrize("app", [None, "app", lambda environ, start_response: []], ids=["None", "str", "wsgi"])
def test_no_application(app) -> None:
    """What is no ASGI application fails at construction."""
    with pytest.raises(TypeError, match="app must be an ASGI application"):
        RequestIDMiddleware(app)


VALUES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"abc", TRACEPARENT[1], TRACESTATE[1]])), max_size=3
)


@given(
    st.lists(
        st.tuples(st.sampled_from([NAME, b"x-other-id", b"traceparent", b"tracestate", b"accept"]), VALUES), max_size=6
    ),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_client_sends(fields, update, websocket) -> None:
    """Any bytes give no exception, and nothing that was not checked comes back, or goes out to other services."""
    app = Watching({**START, "type": "websocket.accept"} if websocket else START)
    layer = RequestIDMiddleware(
        app, header_name=["X-Request-ID", "X-Other-ID"], trace_context=True, update_request_header=update
    )
    headers = [(name, value) for name, values in fields for value in values]
    scope = (websocket_scope if websocket else http_scope)(headers=headers)
    [start] = run(layer, scope)
    [request_id] = header(start)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:=+/@~-]{0,127}", request_id)
    assert [TEXT, (NAME, request_id.encode())] == start["headers"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]", scope["state"]["trace"])
    assert all(re.fullmatch(r"[!-~]([ -~]*[!-~])?", value) for value in app.outbound[0].values())
    seen = [(name, value) for name, value in app.headers[0] if name in (NAME, b"x-other-id")]
    assert not update or seen == [(NAME, request_id.encode())]


@pytest.mark.parametrize("byte", [b"a", b" ", b"-", b",", b"\x00"], ids=repr)
@pytest.mark.parametrize("name", [NAME, b"traceparent", b"tracestate"], ids=repr)
def test_500_kilobytes(name, byte) -> None:
    """Values of 500 KB are read once and refused."""
    headers = [(name, byte * 500_000), *([TRACEPARENT] if name == b"tracestate" else [])]
    scope = http_scope(headers=headers)
    start, _ = run(RequestIDMiddleware(hello, trace_context=True), scope)
    assert HEX(header(start)[0])
    assert 55 == len(scope["state"]["trace"])
