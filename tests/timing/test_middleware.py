"""The shell, driven by raw messages: the header, the trailers, and the record of whatever happens."""

import asyncio
import gc
import logging
import math
import re
import weakref
from contextvars import ContextVar

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlewares.testing import Lint, Recorder, http_scope, run, websocket_scope
from middlewares.timing import Span, TimingMiddleware, add, middleware, span
from middlewares.timing.spans import current

START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
BODY = {"type": "http.response.body", "body": b"abc", "more_body": False}
PART = {"type": "http.response.body", "body": b"de", "more_body": True}
TRAILERS = {"type": "http.response.trailers", "headers": [(b"x", b"y")], "more_trailers": False}
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"

TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def sending(*messages, receives=0, error=None):
    async def app(scope, receive, send):
        for _ in range(receives):
            await receive()
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def outcome(app, scope=None, *incoming, backend="asyncio", send=None, **keywords):
    """What was sent, the records, and what went up."""
    records = []

    async def main():
        recorder = Recorder(scope, *incoming)
        try:
            await TimingMiddleware(app, on_complete=records.append, **keywords)(
                scope, recorder.receive, send or recorder.send
            )
        except BaseException as error:
            return recorder.sent, error
        return recorder.sent, None

    scope = http_scope() if scope is None else scope
    sent, error = anyio.run(main, backend=backend)
    assert len(records) == 1
    return sent, records[0], error


def masked(value):
    return re.sub(rb"dur=[0-9.]+", b"dur=N", value)


def timing_of(app, scope=None, **keywords):
    start = run(TimingMiddleware(app, **keywords), scope or http_scope())[0]
    return [masked(value) for name, value in start["headers"] if name.lower() == b"server-timing"]


@backends
def test_header(backend):
    """One field with our entry behind the application's headers, whose message and list stay as they are."""
    message = {**START, "headers": ((b"Server-Timing", b"x;dur=1"), [b"B", bytearray(b"c")])}
    sent = run(TimingMiddleware(sending(message, BODY)), http_scope(), backend=backend)
    assert [(name, masked(value)) for name, value in sent[0]["headers"]] == [
        (b"Server-Timing", b"x;dur=N"), (b"B", b"c"), (b"server-timing", b"app;dur=N"),
    ]  # fmt: skip
    assert sent[1] is BODY
    assert len(message["headers"]) == 2


@pytest.mark.parametrize("headers", [[[b"a", b"b"]], [(b"a", bytearray(b"b"))], [(bytearray(b"a"), b"b")]])
def test_exact_types(headers):
    """Pairs go out as tuples of bytes, whatever the application gave: granian and daphne take nothing else."""
    sent = run(TimingMiddleware(sending({**START, "headers": headers}, BODY)), http_scope())
    assert sent[0]["headers"][0] == (b"a", b"b")
    assert all(type(part) is bytes for pair in sent[0]["headers"] for part in pair)


def test_closed_at_the_start():
    """Where only the header counts, spans after the start are not kept: a stream without end would collect them."""
    kept = []

    async def app(scope, receive, send):
        await send(START)
        with span("late"):
            pass
        kept.append(current.get()[0])
        await send(BODY)

    run(TimingMiddleware(app), http_scope())
    assert kept == [None]


@pytest.mark.parametrize("keywords", [{}, {"on_complete": id}, {"trailers": True}])
@pytest.mark.parametrize("messages", [(), (START, BODY)])
def test_closed_at_the_end(messages, keywords):
    """After the end of a request, spans of it are ignored, also where it had no response."""
    kept = []

    async def app(scope, receive, send):
        kept.append(current.get())
        await sending(*messages)(scope, receive, send)

    run(TimingMiddleware(app, **keywords), http_scope())
    assert kept == [[None]]


@pytest.mark.parametrize("keywords", [{}, {"expose": lambda scope: True}, {"trailers": True}, {"on_complete": id}])
def test_clock(keywords, monkeypatch):
    """The entry is the time from the call to the start of the response, rounded, by the clock for intervals."""
    ticks = iter([10**18, 10**18 + 1_250_000])
    monkeypatch.setattr(middleware, "perf_counter_ns", lambda: next(ticks))
    start = run(TimingMiddleware(sending(START, BODY), **keywords), http_scope())[0]
    assert start["headers"][-1] == (b"server-timing", b"app;dur=1.3")


def test_nothing_to_do():
    """A layer that neither sends nor records leaves the spans to the layer around it."""

    async def app(scope, receive, send):
        with span("inner"):
            pass
        await sending(START, BODY)(scope, receive, send)

    assert timing_of(TimingMiddleware(app, header=None)) == [b"app;dur=N, inner;dur=N"]


@pytest.mark.parametrize("records", [False, True])
def test_spans_in_header(records):
    """Spans that ended before the start are entries; later ones are not."""

    @span("fn")
    async def inner():
        await anyio.lowlevel.checkpoint()

    async def app(scope, receive, send):
        await inner()
        add("cache", desc="hit")
        await send(START)
        with span("late"):
            await send(BODY)

    keywords = {"on_complete": lambda record: None} if records else {}
    assert timing_of(app, **keywords) == [b'app;dur=N, fn;dur=N, cache;desc="hit"']


def test_bytes_of_the_application_count():
    """The application's own entries leave less room for spans."""

    async def app(scope, receive, send):
        add("x", desc="y" * 200)
        await send({**START, "headers": [(b"server-timing", b"z" * 7900)]})
        await send(BODY)

    assert timing_of(app) == [b"z" * 7900, b"app;dur=N"]


def test_isolation():
    """Hundreds of interleaved requests, with tasks of their own, see their own spans alone."""

    async def app(scope, receive, send):
        name = scope["path"].strip("/")

        async def work(part):
            with span(f"{name}-{part}"):
                await asyncio.sleep(0)

        await asyncio.gather(*[work(part) for part in range(3)])
        await send(START)
        await send(BODY)

    async def main():
        wrapped = TimingMiddleware(app)

        async def request(number):
            recorder = Recorder(scope := http_scope(path=f"/{number}"))
            await wrapped(scope, recorder.receive, recorder.send)
            return masked(recorder.sent[0]["headers"][-1][1])

        return await asyncio.gather(*[request(number) for number in range(300)])

    expected = [b"app;dur=N" + b"".join(b", %d-%d;dur=N" % (n, part) for part in range(3)) for n in range(300)]
    assert asyncio.run(main()) == expected


@pytest.mark.parametrize("origin", [None, "*"])
@pytest.mark.parametrize("expose", [False, lambda scope: False, lambda scope: 1 / 0])
def test_not_exposed(expose, origin):
    """Clients that may not see metrics get the messages as they are; an `expose` that fails is a no."""
    app = TimingMiddleware(sending(START, BODY), expose=expose, timing_allow_origin=origin)
    assert run(app, http_scope()) == [START, BODY]


def test_exposed_to_some():
    """`expose` is asked as the response starts, about what inner layers know by then."""

    async def app(scope, receive, send):
        scope["user"] = "admin"
        await sending(START, BODY)(scope, receive, send)

    assert timing_of(app, expose=lambda scope: scope.get("user") == "admin") == [b"app;dur=N"]


def test_measure_only():
    """`header=None` sends no field, and a layer that has nothing to do does nothing."""
    assert run(TimingMiddleware(sending(START, BODY), header=None), http_scope()) == [START, BODY]
    sent, record, _ = outcome(sending(START, BODY), header=None)
    assert (sent, record.status) == ([START, BODY], 200)


@pytest.mark.parametrize(
    ("own", "expected"),
    [([], [b"*"]), ([(b"Timing-Allow-Origin", b"https://a.example")], [b"https://a.example"])],
)
def test_timing_allow_origin(own, expected):
    """Timing-Allow-Origin is sent unless the application has set one."""
    app = TimingMiddleware(sending({**START, "headers": own}, BODY), header=None, timing_allow_origin="*")
    assert [value for _, value in run(app, http_scope())[0]["headers"]] == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"trace": TRACE}, b'app;dur=N, traceparent;desc="%s"' % TRACE.encode()),
        ({"trace": TRACE + "\n"}, b"app;dur=N"),
        ({"trace": 1}, b"app;dur=N"),
        ({}, b"app;dur=N"),
        (None, b"app;dur=N"),
    ],
)
def test_traceparent(state, expected):
    """The trace of the state becomes an entry, if it is exactly one."""
    assert timing_of(sending(START, BODY), http_scope(state=state), traceparent=True) == [expected]


@pytest.mark.parametrize(
    ("exclude", "measured"),
    [
        (["/health"], ["/healthy", "/", "/x"]),
        ("/health", ["/healthy", "/", "/x"]),
        ([re.compile("lthy?$"), "/x"], ["/health/live", "/"]),
        (re.compile("^/h"), ["/", "/x"]),
        (lambda scope: scope["path"] != "/", ["/"]),
        (lambda scope: 1 / 0, ["/health", "/health/live", "/healthy", "/", "/x"]),
    ],
)
def test_exclude(exclude, measured):
    """Paths on segment borders, patterns and callables; one that fails excludes nothing."""
    paths = ["/health", "/health/live", "/healthy", "/", "/x"]
    app = TimingMiddleware(sending(START, BODY), exclude=exclude)
    assert [path for path in paths if run(app, http_scope(path=path)) != [START, BODY]] == measured


def test_other_scopes_pass():
    """Other scopes pass with the same objects; WebSockets, too, where they have no records."""
    seen = []

    async def app(*args):
        seen.append(args)

    async def main():
        for scope in ({"type": "lifespan"}, {"type": "x"}, websocket_scope()):
            for keywords in ({}, {"websockets": True}):
                args = (scope, print, repr)
                await TimingMiddleware(app, **keywords)(*args)
                assert all(given is got for given, got in zip(args, seen.pop(), strict=True))

    asyncio.run(main())


# Records


@backends
def test_record(backend):
    """A record has it all, in seconds and bytes, once, when the final send has come back and before background work."""
    order = []

    async def app(scope, receive, send):
        await receive()
        await receive()
        with span("db", "q"):
            pass
        await send(START)
        add("mid")
        await send(PART)
        await send({**BODY, "body": memoryview(b"abc")})
        order.append("background")
        with span("background"):
            pass
        raise OSError("background")

    scope = http_scope("POST", "/x\n", state={"request_id": "id1"}, http_version="2")
    records = []

    async def main():
        recorder = Recorder(
            scope, {"type": "http.request", "body": b"12345", "more_body": True}, {"type": "http.request"}
        )

        def complete(record):
            order.append(len(recorder.sent))
            records.append(record)

        with pytest.raises(OSError, match="background"):
            await TimingMiddleware(app, on_complete=complete)(scope, recorder.receive, recorder.send)

    anyio.run(main, backend=backend)
    assert order == [3, "background"]
    (record,) = records
    assert record[:7] == ("http", "POST", "/x\n", None, "http", "2", 200)
    assert 0 <= record.ttfb <= record.duration < 60
    assert (record.request_bytes, record.response_bytes, record.aborted, record.error) == (5, 5, False, None)
    assert [(found.name, found.desc) for found in record.spans] == [("db", "q"), ("mid", None)]
    assert all(isinstance(found, Span) for found in record.spans)
    assert record.request_id == "id1"
    assert 0 < record.receive_wait < record.duration
    assert 0 < record.send_wait < record.duration
    assert record.scope is scope
    assert repr(record).startswith("TimingRecord(type='http', ")
    assert "scope" not in repr(record).replace("scheme", "")


TRAILING = {**START, "trailers": True}
PATHSEND = {"type": "http.response.pathsend", "path": "/x"}
ZEROCOPY = {"type": "http.response.zerocopysend", "file": 1, "count": 9}


@pytest.mark.parametrize(
    ("messages", "size"),
    [
        ([START, BODY], 3),
        ([START, {"type": "http.response.body"}], 0),
        ([START, {"type": "http.response.body", "body": "text"}], 0),
        ([START, PART, {**BODY, "body": bytearray(b"123")}], 5),
        ([{"type": "http.response.debug", "info": {}}, START, PATHSEND], 0),
        ([START, ZEROCOPY], 9),
        ([TRAILING, BODY, {**TRAILERS, "more_trailers": True}, TRAILERS], 3),
        ([TRAILING, PATHSEND, TRAILERS], 0),
    ],
)
def test_end_of_a_response(messages, size):
    """The last body, pathsend, or the last trailers end a response; only then the record is made."""
    seen = []

    async def app(scope, receive, send):
        for message in messages:
            assert seen == []
            await send(message)
        assert len(seen) == 1

    async def send(message):
        pass

    wrapped = TimingMiddleware(app, on_complete=seen.append)
    asyncio.run(wrapped(http_scope(), None, send))
    assert (seen[0].response_bytes, seen[0].aborted) == (size, False)


def test_head():
    """The body of an answer to HEAD, which servers do not send, is not counted (RFC 9110 9.3.2)."""
    assert outcome(sending(START, BODY), http_scope("HEAD"))[1].response_bytes == 0


BOOM = ValueError("boom")


@backends
@pytest.mark.parametrize(
    ("app", "incoming", "expected"),
    [
        (sending(error=BOOM), (), (500, None, False, BOOM)),
        (sending(START, error=BOOM), (), (200, 0, False, BOOM)),
        (sending(START, PART, error=BOOM), (), (200, 2, False, BOOM)),
        (sending(START, BODY, error=BOOM), (), (200, 3, False, None)),
        (sending(), (), (None, None, True, None)),
        (sending(START, PART), (), (200, 2, True, None)),
        (sending(TRAILING, BODY), (), (200, 3, True, None)),
        (sending(START, BODY, receives=1), ({"type": "http.disconnect"},), (200, 3, True, None)),
        (sending(receives=1), ({"type": "http.disconnect"},), (None, None, True, None)),
    ],
    ids=["raised", "raised-started", "raised-part", "raised-after", "nothing", "part", "no-trailers", "left", "gone"],
)
def test_other_ends(app, incoming, expected, backend):
    """Exceptions, applications that return too early, and clients that leave; exceptions go on unchanged."""
    status, size, aborted, error = expected
    _, record, raised = outcome(app, None, *incoming, backend=backend)
    assert (record.status, record.aborted, record.error) == (status, aborted, error)
    assert record.response_bytes == (size or 0)
    assert (record.ttfb is None) == (size is None)
    assert raised in (None, BOOM)


def test_disconnect_after_the_end():
    """The disconnect that servers give once the response is complete is no abort."""

    async def app(scope, receive, send):
        await sending(START, BODY)(scope, receive, send)
        await receive()
        await receive()

    _, record, _ = outcome(app)
    assert (record.aborted, record.request_bytes) == (False, 0)


def test_disconnect_during_the_last_send():
    """The client may leave as soon as it has the last byte, while the server's send has not come back: no abort."""
    receiving = []

    async def app(scope, receive, send):
        receiving.append(receive)
        await sending(START, BODY)(scope, receive, send)

    async def send(message):
        if message is BODY:
            assert await receiving[0]() == {"type": "http.disconnect"}

    _, record, _ = outcome(app, None, {"type": "http.disconnect"}, send=send, header=None)
    assert not record.aborted


@pytest.mark.parametrize("error", [OSError("gone"), RuntimeError("server")])
def test_send_fails(error):
    """An OSError out of send() is a client that left (ASGI spec 2.4); it goes on, like any other exception."""

    async def send(message):
        raise error

    _, record, raised = outcome(sending(START, BODY), send=send)
    assert raised is error
    assert (record.aborted, record.error, record.status) == (isinstance(error, OSError), error, 200)


@backends
def test_cancellation(backend):
    """A request that is cancelled is aborted; the cancellation goes on."""
    records = []

    async def main():
        with anyio.CancelScope() as cancelled:

            async def app(scope, receive, send):
                await send(START)
                cancelled.cancel()
                await anyio.sleep_forever()

            recorder = Recorder(http_scope())
            await TimingMiddleware(app, on_complete=records.append)(http_scope(), recorder.receive, recorder.send)
        return cancelled.cancelled_caught

    assert anyio.run(main, backend=backend)
    (record,) = records
    assert (record.aborted, record.error, record.status) == (True, None, 200)


# Hooks


@backends
def test_hooks(backend, caplog):
    """All hooks run, whatever others do; async ones in tasks of their own, which nothing waits for."""
    calls = []

    async def main():
        release = anyio.Event()
        done = anyio.Event()

        async def later(argument):
            await release.wait()
            calls.append("later")
            done.set()

        async def failing_later(argument):
            raise ValueError("async")

        def failing(argument):
            raise ValueError("plain")

        class Exporter:
            def on_start(self, scope):
                calls.append(scope["path"])

            def on_complete(self, record):
                calls.append(record.status)

        app = TimingMiddleware(
            sending(START, BODY),
            on_start=[failing, lambda scope: calls.append("start")],
            on_complete=[failing, later, failing_later],
            exporters=[Exporter()],
        )
        recorder = Recorder(http_scope())
        await app(http_scope(path="/p"), recorder.receive, recorder.send)
        assert recorder.sent[1] is BODY
        assert calls == ["start", "/p", 200]
        release.set()
        await done.wait()
        await anyio.lowlevel.checkpoint()

    anyio.run(main, backend=backend)
    assert calls[-1] == "later"
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert {record.name for record in caplog.records} == {"middlewares.timing"}


@backends
def test_context_of_async_hooks(backend):
    """An async hook sees the context of its request, as a plain one does: ids for logs are kept there."""
    var = ContextVar("var")
    seen = []

    async def app(scope, receive, send):
        var.set("id")
        await sending(START, BODY)(scope, receive, send)

    async def main():
        done = anyio.Event()

        async def hook(record):
            seen.append(var.get(None))
            done.set()

        recorder = Recorder(http_scope())
        await TimingMiddleware(app, on_complete=hook)(http_scope(), recorder.receive, recorder.send)
        await done.wait()

    anyio.run(main, backend=backend)
    assert seen == ["id"]


def test_async_hooks_are_kept():
    """The loop itself has weak references alone: a hook that nothing else holds is not collected while it waits."""
    waiting = []
    done = []

    async def hook(record):
        future = asyncio.get_running_loop().create_future()
        waiting.append(weakref.ref(future))
        await future
        done.append(record)

    async def main():
        recorder = Recorder(http_scope())
        await TimingMiddleware(sending(START, BODY), on_complete=hook)(http_scope(), recorder.receive, recorder.send)
        await asyncio.sleep(0)
        gc.collect()
        waiting[0]().set_result(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(done) == 1


def test_async_hook_without_a_loop(caplog):
    """Where no loop runs an async hook cannot: that is logged, and nothing is left behind that would warn."""

    async def hook(record):
        raise AssertionError("never runs")

    class Future:
        def __await__(self):
            raise AssertionError("never runs")

    async def send(message):
        pass

    app = TimingMiddleware(sending(START, BODY), on_complete=[hook, lambda record: Future()])(http_scope(), None, send)
    with pytest.raises(StopIteration):
        app.send(None)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"on_start": 1}, TypeError, "on_start must be"),
        ({"on_complete": [1]}, TypeError, "on_complete must be"),
        ({"exporters": 1}, TypeError, "exporters must be a list"),
        ({"exporters": [object()]}, TypeError, "exporters must hold"),
        ({"exporters": [dict]}, TypeError, "exporters must hold"),
        ({"expose": 1}, TypeError, "expose must be"),
        ({"expose": anyio.sleep}, TypeError, "expose must be True, False or a plain callable"),
        ({"exclude": anyio.sleep}, TypeError, "exclude must be .*a plain callable"),
        ({"trailers": 1}, TypeError, "trailers must be"),
        ({"traceparent": 1}, TypeError, "traceparent must be"),
        ({"websockets": None}, TypeError, "websockets must be"),
        ({"exclude": 1}, TypeError, "exclude must be"),
        ({"exclude": ["health"]}, ValueError, "exclude must be a path prefix"),
        ({"slow": True}, TypeError, "slow must be"),
        ({"slow": "1"}, TypeError, "slow must be"),
        ({"slow": -1}, ValueError, "slow must be"),
        ({"slow": math.nan}, ValueError, "slow must be"),
        ({"metric": "a b"}, ValueError, "metric must be"),
    ],
)
def test_bad_configuration(keywords, error, message):
    """What cannot work fails at construction, by name."""
    with pytest.raises(error, match=message):
        TimingMiddleware(sending(), **keywords)


def test_request_as_it_came():
    """Method and path of a record are those of the request, whatever the application makes of them in its scope."""
    inner = sending(START, BODY)

    async def app(scope, receive, send):
        scope.update(method="GET", path="/b")
        await inner(scope, receive, send)

    _, record, _ = outcome(app, http_scope("HEAD", "/a/b"))
    assert (record.method, record.path, record.response_bytes) == ("HEAD", "/a/b", 0)
    assert record.scope["path"] == "/b"


def test_slow(caplog):
    """A slow request is one WARNING, on one line, without control characters; a fast one is none."""
    scope = http_scope("G\nT", "/a\n\x1b[31m\u2028", state={"request_id": "i\nd"})
    with caplog.at_level(logging.WARNING):
        run(TimingMiddleware(sending(START, BODY), slow=0), scope)
        run(TimingMiddleware(sending(START, BODY), slow=3600), scope)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("middlewares.timing", "WARNING")
    text = record.getMessage()
    assert re.sub(r"[0-9.]+ s", "N s", text) == (
        r"slow request: 'G\nT' '/a\n\x1b[31m\u2028' -> 200 in N s (request id 'i\nd')"
    )


@settings(max_examples=100)
@given(method=TEXTS, path=TEXTS, request_id=TEXTS)
def test_slow_is_one_line(method, path, request_id):
    """No request can forge a line of the log of slow requests."""
    seen = []

    def keep(record):
        seen.append(record.getMessage())
        return False

    logger = logging.getLogger("middlewares.timing")
    logger.addFilter(keep)
    try:
        scope = {**http_scope(method, state={"request_id": request_id}), "path": path}
        run(TimingMiddleware(sending(START, BODY), slow=0), scope)
    finally:
        logger.removeFilter(keep)
    (line,) = seen
    assert line.isascii()
    assert line.isprintable()
    assert re.fullmatch(r"slow request: (['\"]).*\1 (['\"]).*\2 -> 200 in [0-9.]+ s \(request id (['\"]).*\3\)", line)


# Trailers

TE = http_scope(headers=[(b"te", b"gzip, Trailers")], extensions={"http.response.trailers": {}})


@backends
@pytest.mark.parametrize("records", [False, True])
def test_trailers(backend, records):
    """The whole time and late spans in trailers of ours, behind the last body."""

    async def app(scope, receive, send):
        with span("early"):
            pass
        await send(START)
        with span("late"):
            await send(PART)
        await send(BODY)

    keywords = {"on_complete": lambda record: None} if records else {}
    sent = run(Lint(TimingMiddleware(Lint(app), trailers=True, **keywords)), TE, backend=backend)
    assert [(name, masked(value)) for name, value in sent[0]["headers"]] == [
        (b"a", b"b"), (b"server-timing", b"app;dur=N, early;dur=N"), (b"trailer", b"server-timing"),
    ]  # fmt: skip
    assert sent[0]["trailers"] is True
    ((name, value),) = sent[3].pop("headers")
    assert sent[1:] == [PART, BODY, {"type": "http.response.trailers", "more_trailers": False}]
    assert (name, masked(value)) == (b"server-timing", b"total;dur=N, late;dur=N")


def test_trailers_of_the_application():
    """Ours join the last trailers of the application, whose message stays as it is."""
    first = {**TRAILERS, "more_trailers": True}
    sent = run(TimingMiddleware(sending(TRAILING, BODY, first, TRAILERS), trailers=True), TE)
    assert sent[1:3] == [BODY, first]
    assert len(sent) == 4
    assert [(name, masked(value)) for name, value in sent[3]["headers"]] == [
        (b"x", b"y"), (b"server-timing", b"total;dur=N"),
    ]  # fmt: skip
    assert TRAILERS["headers"] == [(b"x", b"y")]


def test_record_after_the_trailers():
    """The record is made after our trailers were sent, too."""
    sent, record, _ = outcome(sending(START, BODY), TE, trailers=True)
    assert (len(sent), record.aborted) == (3, False)


LENGTH = {**START, "headers": [(b"Content-Length", b"3")]}


@pytest.mark.parametrize(
    ("scope", "start", "keywords", "count"),
    [
        (TE, START, {}, 3),
        ({**TE, "http_version": "2"}, LENGTH, {}, 3),
        (TE, {**START, "headers": iter(LENGTH["headers"])}, {}, 2),
        ({**TE, "http_version": "1.0"}, START, {}, 2),
        ({**TE, "headers": []}, START, {}, 2),
        ({**TE, "extensions": None}, START, {}, 2),
        ({**TE, "method": "HEAD"}, START, {}, 2),
        (TE, {**START, "status": 204}, {}, 2),
        (TE, {**START, "status": 304}, {}, 2),
        (TE, START, {"header": None}, 2),
        (TE, START, {"header": None, "timing_allow_origin": "*"}, 2),
        (TE, START, {"expose": lambda scope: False}, 2),
    ],
)
def test_where_trailers_can_be_sent(scope, start, keywords, count):
    """Both sides have to know them, and the response needs a place for them (RFC 9110 6.5.1; RFC 9112 7.1.2)."""
    assert len(run(TimingMiddleware(sending(start, BODY), trailers=True, **keywords), scope)) == count


# WebSockets

ACCEPT = {"type": "websocket.accept", "headers": []}
SEND = {"type": "websocket.send", "text": "é"}
CLOSE = {"type": "websocket.close", "code": 1000}
CONNECT = {"type": "websocket.connect"}
RECEIVED = {"type": "websocket.receive", "bytes": b"abc", "text": None}
DENIAL = {"type": "websocket.http.response.start", "status": 401, "headers": []}
DENIED = {"type": "websocket.http.response.body", "body": b"no"}


@backends
@pytest.mark.parametrize(
    ("app", "incoming", "expected"),
    [
        (sending(ACCEPT, SEND, CLOSE, receives=2), [CONNECT, RECEIVED], (101, 3, 2, False)),
        (sending(CLOSE, receives=1), [CONNECT], (403, 0, 0, False)),
        (sending(DENIAL, DENIED, receives=1), [CONNECT], (401, 0, 2, False)),
        (sending(ACCEPT, receives=1), [CONNECT], (101, 0, 0, True)),
        (sending(receives=2), [CONNECT, {"type": "websocket.disconnect"}], (None, 0, 0, True)),
        (sending(error=BOOM), [CONNECT], (500, 0, 0, False)),
    ],
    ids=["talk", "refused", "denied", "no-close", "left", "raised"],
)
def test_websocket(app, incoming, expected, backend):
    """A connection has a record as well, and no header; accepted is 101, refused 403 or what the denial says."""
    sent, record, _ = outcome(app, websocket_scope(), *incoming, backend=backend, websockets=True, slow=0)
    assert (record.status, record.request_bytes, record.response_bytes, record.aborted) == expected
    assert (record.type, record.method) == ("websocket", "GET")
    assert all(message in (ACCEPT, SEND, CLOSE, DENIAL, DENIED) for message in sent)


@pytest.mark.parametrize(("code", "aborted"), [(1000, False), (1006, True)])
def test_websocket_disconnect(code, aborted):
    """The client's close ends the connection; a loss without one is an abort (RFC 6455 7.1.5)."""
    seen = []

    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await receive()
        assert len(seen) == 1

    scope = websocket_scope()
    recorder_messages = [CONNECT, {"type": "websocket.disconnect", "code": code}]
    run(TimingMiddleware(app, websockets=True, on_complete=seen.append), scope, *recorder_messages)
    assert (seen[0].aborted, seen[0].status) == (aborted, 101)
