"""The shell of compression, driven by raw messages: what goes out, when, and what is left behind."""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import itertools
import random
import re
import threading
import time
import tracemalloc
from typing import ClassVar

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from middlewares.compression import CompressionMiddleware, dictionaries, encoders, threads
from middlewares.compression.responses import CodedResponse
from middlewares.stack import Stack, check, use
from middlewares.testing import Lint, Recorder, http_scope, run
from tests.compression.coded import zstd
from tests.compression.test_encoders import decode, decode_so_far
from tests.conftest import require

TEXT = b"the quick brown fox jumps over the lazy dog, " * 40
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream")
VARY = (b"vary", b"Accept-Encoding")

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])
codings = pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])


def start(*headers, status=200, **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def length(data):
    return (b"content-length", b"%d" % len(data))


def encoding(coding):
    return (b"content-encoding", coding.encode())


def accepting(coding="gzip", method="GET", *headers, **more):
    return http_scope(method, headers=[(b"accept-encoding", coding.encode()), *headers], **more)


def sending(*messages):
    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    return app


def linted(app, **keywords):
    return Lint(CompressionMiddleware(Lint(app), **keywords))


def joined(messages):
    return b"".join(message["body"] for message in messages if message["type"] == "http.response.body")


# ---- starts that are told in one pass

FIELDS = st.tuples(
    st.sampled_from(
        [
            *(b"content-type", b"Content-Type", b"content-length", b"vary", b"Vary", b"etag", b"ETag", b"x-a"),
            *(b"cache-control", b"content-encoding", b"accept-ranges", b"content-range"),
        ]
    ),
    st.sampled_from([b"application/json", b"Cookie", b"Accept-Encoding", b"no-transform", b'"v1"', b'"v1-gzip"', b"4"]),
)
SMALL = [JSON, (b"content-length", b"4")]
TAG = (b"etag", b'"v1"')


@given(
    headers=st.lists(FIELDS, max_size=6),
    status=st.sampled_from([200, 204, 206, 304, 404]),
    accept=st.sampled_from(["gzip", "identity", "gzip, identity;q=0"]),
    known=st.lists(st.sampled_from([b'"v1"', b'"v1-gzip"', b'"v1-br", "v1"']), max_size=1),
)
@example([*SMALL, (b"vary", b"Cookie")], 200, "gzip", [])
@example([*SMALL, (b"vary", b"Cookie"), TAG], 200, "gzip", [])
@example([*SMALL, (b"vary", b"Cookie"), (b"vary", b"Origin"), TAG], 200, "gzip", [])
@example([*SMALL, TAG, TAG], 200, "gzip", [])
@example([*SMALL, (b"cache-control", b"max-age=5"), (b"cache-control", b"no-transform")], 200, "gzip", [])
@example([*SMALL, (b"ETag", b'"v1"')], 200, "gzip", [])
@example([(b"Vary", b"Cookie"), TAG], 304, "gzip", [b'"v1-gzip"'])
def test_one_pass(headers, status, accept, known):
    """What is told of a list in one pass is what the policy says of the same headers in a tuple, which it reads."""
    scope = accepting(accept, "GET", *[(b"if-none-match", tag) for tag in known])
    answers = [
        run(CompressionMiddleware(sending({**start(status=status), "headers": kind(headers)}, body(b"body"))), scope)
        for kind in (list, tuple)
    ]
    one, other = ([{**message, "headers": [*message.get("headers", [])]} for message in sent] for sent in answers)
    assert one == other


# ---- whole bodies


@backends
@codings
def test_whole(coding, backend):
    """A body is coded as a whole, with the length of what goes out."""
    sent = run(linted(sending(start(JSON, length(TEXT)), body(TEXT))), accepting(coding), backend=backend)
    assert TEXT == decode(coding, sent[1]["body"])
    assert [start(JSON, VARY, encoding(coding), length(sent[1]["body"])), body(sent[1]["body"])] == sent


def test_whole_without_length():
    """Without a length of the application it has one all the same, as it is known."""
    sent = run(linted(sending(start(JSON), body(TEXT))), accepting())
    assert length(sent[1]["body"]) in sent[0]["headers"]


@pytest.mark.parametrize("data", [bytearray(TEXT), memoryview(TEXT)], ids=["bytearray", "memoryview"])
def test_bytes_like(data):
    """Any bytes-like body is coded, and goes out as bytes."""
    sent = run(CompressionMiddleware(sending(start(JSON), body(data))), accepting())
    assert bytes is type(sent[1]["body"])
    assert TEXT == decode("gzip", sent[1]["body"])
    sent = run(CompressionMiddleware(sending(start(JSON), body(data, more=True), body())), accepting())
    assert TEXT == decode("gzip", joined(sent))


@pytest.mark.parametrize("more", [{}, {"body": None}], ids=["missing", "None"])
def test_no_body(more):
    """A body that is missing or None is empty, and passes."""
    message = {"type": "http.response.body", **more}
    assert [start(JSON, VARY), message] == run(CompressionMiddleware(sending(start(JSON), message)), accepting())


def test_minimum_size():
    """A body of the minimum size is coded, a smaller one is not, also where its size is not told before."""
    for size, is_coded in ((499, False), (500, True)):
        sent = run(linted(sending(start(JSON), body(b"a" * size))), accepting())
        assert is_coded is (encoding("gzip") in sent[0]["headers"])
    sent = run(linted(sending(start(JSON), body(b"a" * 60)), minimum_size=60), accepting())
    assert encoding("gzip") in sent[0]["headers"]


def test_what_does_not_shrink():
    """A complete body that would not shrink is sent plain, with its own length, as the same message."""
    noise = body(random.Random(1).randbytes(2000))
    sent = run(linted(sending(start(JSON, length(noise["body"])), noise)), accepting())
    assert start(JSON, length(noise["body"]), VARY) == sent[0]
    assert sent[1] is noise


def test_plain_content_is_refused():
    """Then a small body is coded, though it grows (RFC 9110 12.5.3)."""
    sent = run(linted(sending(start(JSON), body(b"a"))), accepting("gzip, *;q=0"))
    assert b"a" == decode("gzip", sent[1]["body"])
    assert encoding("gzip") in sent[0]["headers"]


@pytest.mark.parametrize("tail", [[body()], [body(more=True), body()]])
def test_whole_body_and_an_empty_end(tail):
    """A first piece of the declared length is the whole body (bridges to WSGI, Quart; starlette #2003)."""
    sent = run(linted(sending(start(JSON, length(TEXT)), body(TEXT, more=True), *tail)), accepting())
    assert length(sent[1]["body"]) in sent[0]["headers"]
    assert TEXT == decode("gzip", sent[1]["body"])
    assert all(one is other for one, other in zip(tail, sent[2:], strict=True))


def test_accept_encoding_lines_are_one_list():
    """Several lines of Accept-Encoding count together (RFC 9110 5.3)."""
    scope = http_scope(headers=[(b"accept-encoding", b"gzip;q=0"), (b"accept-encoding", b"br")])
    assert encoding("br") in run(linted(sending(start(JSON), body(TEXT))), scope)[0]["headers"]


# ---- HEAD


@pytest.mark.parametrize("with_body", [True, False])
@pytest.mark.parametrize("declared", [True, False])
def test_head(with_body, declared):
    """HEAD has the coding, Vary and tag of GET, and no wrong length, with a body or without (RFC 9110 9.3.2)."""
    tag = (b"etag", b'"v1"')
    headers = [JSON, tag, *([length(TEXT)] if declared else [])]
    get = run(linted(sending(start(*headers), body(TEXT))), accepting())[0]
    head = run(
        CompressionMiddleware(sending(start(*headers), body(TEXT if with_body else b""))), accepting("gzip", "HEAD")
    )
    for pair in (VARY, encoding("gzip"), (b"etag", b'"v1-gzip"')):
        assert pair in get["headers"]
        assert pair in head[0]["headers"]
    lengths = [pair for pair in head[0]["headers"] if pair[0] == b"content-length"]
    assert lengths == [pair for pair in get["headers"] if pair[0] == b"content-length"] * with_body
    assert with_body or head[1] == body()


def test_head_of_a_small_body():
    """HEAD of what GET sends plain is plain, with its length."""
    small = start(JSON, (b"content-length", b"20"))
    head = run(linted(sending(small, body())), accepting("gzip", "HEAD"))
    assert [start(JSON, (b"content-length", b"20"), VARY), body()] == head


@pytest.mark.parametrize("pieces", [[body(TEXT, more=True), body()], [body()], [body(more=True), body()]])
def test_head_of_a_stream(pieces):
    """HEAD of a stream has the headers of GET; an end without content stays so."""
    head = run(CompressionMiddleware(sending(start(EVENTS), *pieces)), accepting("gzip", "HEAD"))
    assert start(EVENTS, VARY, encoding("gzip")) == head[0]
    assert body() == head[-1]


# ---- streams


@backends
@codings
@settings(max_examples=20)
@given(st.lists(st.binary(max_size=200), min_size=1), st.booleans())
def test_any_chunking(coding, backend, pieces, events):
    """However a stream is cut, it decodes to the same bytes, and its framing is consistent."""
    messages = [body(piece, more=True) for piece in pieces]
    app = sending(start(EVENTS if events else JSON), *messages, body(b"end"))
    sent = run(linted(app), accepting(coding), backend=backend)
    assert b"".join(pieces) + b"end" == decode(coding, joined(sent))
    assert [True] * (len(sent) - 2) + [False] == [message["more_body"] for message in sent[1:]]
    assert start(EVENTS if events else JSON, VARY, encoding(coding)) == sent[0]


@settings(max_examples=60)
@given(
    st.binary(max_size=3000).map(lambda data: data * 3),
    st.lists(st.integers(0, 9000), max_size=4),
    st.sampled_from(["", "gzip", "br", "zstd", "gzip, *;q=0", "br;q=0.5, identity;q=0.7", "*", "nonsense;;q"]),
    st.sampled_from([None, JSON, EVENTS, (b"content-type", b"image/png")]),
    st.booleans(),
    st.booleans(),
)
def test_round_trip(data, cuts, accept, content_type, declared, is_head):
    """Whatever comes and goes, it decodes to the same, by an accepted coding, and its length is right (RFC 9110 8.6)."""
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(edges)]
    headers = [*([content_type] if content_type else []), *([length(data)] if declared else [])]
    messages = [body(piece, more=True) for piece in pieces[:-1]] + [body(pieces[-1])]
    sent = run(
        CompressionMiddleware(sending(start(*headers), *messages)), accepting(accept, "HEAD" if is_head else "GET")
    )
    fields = dict(sent[0]["headers"])
    coded = joined(sent)
    coding = fields.get(b"content-encoding", b"").decode()
    if coding:
        assert coding in accept or "*" in accept
        assert is_head or data == decode(coding, coded)
    else:
        assert data == coded
    if b"content-length" in fields and not is_head:
        assert len(coded) == int(fields[b"content-length"])
    assert fields.get(b"vary", b"") == (b"" if content_type == (b"content-type", b"image/png") else b"Accept-Encoding")


@backends
@codings
def test_events_come_one_by_one(coding, backend):
    """The start of an event stream goes out at once, and each event decodes when it is sent (starlette #2753, #3230)."""

    async def app(scope, receive, send):
        await send(start(EVENTS))
        assert [start(EVENTS, VARY, encoding(coding))] == recorder.sent
        for number in range(5):
            await send(body(b"data: %d\n\n" % number, more=True))
            assert number + 2 == len(recorder.sent)
            assert b"".join(b"data: %d\n\n" % n for n in range(number + 1)) == decode_so_far(
                coding, joined(recorder.sent)
            )
        await send(body())

    scope = accepting(coding)
    recorder = Recorder(scope)
    _drive(linted(app), scope, recorder, backend)
    assert joined(recorder.sent)


def test_a_small_event_stream():
    """A stream of events is coded whatever its size, also where it is complete at once."""
    sent = run(linted(sending(start(EVENTS, (b"content-length", b"9")), body(b"data: 1\n\n"))), accepting())
    assert start(EVENTS, VARY, encoding("gzip")) == sent[0]
    assert b"data: 1\n\n" == decode("gzip", sent[1]["body"])


@backends
@codings
def test_pieces_apart_arrive_apart(coding, backend):
    """Pieces 50 ms apart arrive apart, each of them before the next one is sent."""

    async def app(scope, receive, send):
        await send(start(JSON))
        for number in range(4):
            await send(body(b"piece %d " % number, more=True))
            await anyio.sleep(0.05)
            assert b"".join(b"piece %d " % n for n in range(number + 1)) == decode_so_far(coding, joined(recorder.sent))
        await send(body())

    scope = accepting(coding)
    recorder = Recorder(scope)
    _drive(linted(app), scope, recorder, backend)


@backends
@codings
def test_a_burst_arrives_without_its_end(coding, backend):
    """What was sent in a burst decodes when the producer has paused, though nothing else is sent."""

    async def app(scope, receive, send):
        await send(start(JSON))
        for piece in pieces:
            await send(body(piece, more=True))
        with anyio.fail_after(10):
            while decode_so_far(coding, joined(recorder.sent)) != b"".join(pieces):
                await recorder.more()
        await send(body(b"end"))

    class Watched(Recorder):
        def __init__(self, scope):
            super().__init__(scope)
            self.came = anyio.Event()

        async def send(self, message):
            await super().send(message)
            self.came.set()

        async def more(self):
            await self.came.wait()
            self.came = anyio.Event()

    pieces = [b"piece %d " % number for number in range(10)]
    scope = accepting(coding)
    recorder = Watched(scope)
    _drive(linted(app), scope, recorder, backend)
    assert b"".join(pieces) + b"end" == decode(coding, joined(recorder.sent))


@codings
def test_small_pieces_shrink(coding):
    """2000 small pieces shrink below 60 %: not each of them is flushed."""
    pieces = [b"piece of text %05d" % number for number in range(2000)]
    sent = run(linted(sending(start(JSON), *[body(piece, more=True) for piece in pieces], body())), accepting(coding))
    assert b"".join(pieces) == decode(coding, joined(sent))
    assert 0.6 > len(joined(sent)) / len(b"".join(pieces))


def test_empty_pieces_pass():
    """An empty piece goes out as the same message: it may be what makes a server send the start."""
    empty = body(more=True)
    sent = run(linted(sending(start(EVENTS), empty, body(b"data: 1\n\n"))), accepting())
    assert sent[1] is empty
    sent = run(linted(sending(start(JSON), empty, body(TEXT))), accepting())
    assert sent[1] is empty
    assert TEXT == decode("gzip", joined(sent))


def test_several_writers():
    """Events and what keeps the stream open come from two tasks (sse-starlette): no piece is torn or lost."""

    async def app(scope, receive, send):
        await send(start(EVENTS))

        async def write(letter):
            for _ in range(50):
                await send(body(letter * 9 + b"\n", more=True))
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(write, b"a")
            group.start_soon(write, b"b")
        await send(body())

    scope = accepting("zstd")

    class Slow(Recorder):
        async def send(self, message):
            await anyio.lowlevel.checkpoint()
            await super().send(message)

    recorder = Slow(scope)
    _drive(CompressionMiddleware(app), scope, recorder, "asyncio")
    lines = decode("zstd", joined(recorder.sent)).split()
    assert [50, 50] == [lines.count(b"a" * 9), lines.count(b"b" * 9)]


# ---- messages of other kinds


def test_messages_that_pass():
    """Hints, pushes, debug and unknown messages pass at once, before the held start and within a stream (spinta #1944)."""
    hint = {"type": "http.response.early_hint", "links": [b"</a>"]}
    debug = {"type": "http.response.debug", "info": {}}
    app = sending(hint, start(JSON), debug, body(TEXT, more=True), hint, body())
    sent = run(CompressionMiddleware(app), accepting())
    assert [hint["type"], debug["type"], "http.response.start"] == [message["type"] for message in sent[:3]]
    assert sent[0] is hint
    assert sent[1] is debug
    assert hint in sent[4:]
    assert TEXT == decode("gzip", joined(sent))


@pytest.mark.parametrize("pieces", [[body(TEXT)], [body(TEXT, more=True), body()]], ids=["whole", "stream"])
def test_trailers(pieces):
    """Trailers follow a coded body as they are; the body has no Content-Length then (RFC 9112 7.1.2)."""
    trailers = {"type": "http.response.trailers", "headers": [(b"x", b"1")], "more_trailers": False}
    scope = accepting("gzip", extensions={"http.response.trailers": {}})
    sent = run(linted(sending(start(JSON, trailers=True), *pieces, trailers)), scope)
    assert start(JSON, VARY, encoding("gzip"), trailers=True) == sent[0]
    assert sent[-1] is trailers


FILES = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "http.response.push": {}}


def test_files_are_not_offered():
    """A file that the server sends goes past every layer: the extension is hidden where a coding will be used."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["extensions"])
        scope["route"] = "found"
        await send(start(JSON))
        await send(body())

    middleware = CompressionMiddleware(app, exclude_paths="/plain")
    scope = accepting("gzip", extensions=FILES)
    run(middleware, scope)
    assert "found" == scope["route"]
    assert FILES == scope["extensions"]
    run(middleware, http_scope(extensions=FILES))
    run(middleware, accepting("gzip", path="/plain", extensions=FILES))
    assert [{"http.response.push": {}}, FILES, FILES] == seen


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_files_sent_all_the_same(kind):
    """A file that is sent though it was not offered goes out plain; behind the start of a coded stream it cannot."""
    file = {"type": kind, "path": "/a", "file": 5}
    assert [start(JSON, VARY), file] == run(CompressionMiddleware(sending(start(JSON), file)), accepting())
    with pytest.raises(RuntimeError, match=f"{kind} cannot follow"):
        run(CompressionMiddleware(sending(start(EVENTS), file)), accepting())


def test_file_plain():
    """Where nothing is coded, files pass."""
    file = {"type": "http.response.pathsend", "path": "/a"}
    scope = http_scope(extensions=FILES)
    assert [start(JSON, VARY), file] == run(linted(sending(start(JSON), file)), scope)


# ---- requests


def test_conditions():
    """The application sees its own tags, in a scope of its own, and the server's stays as it was."""
    seen = []

    async def app(scope, receive, send):
        seen.append(dict(scope["headers"])[b"if-none-match"])
        await send(start((b"etag", b'"v1"'), status=304))
        await send(body())

    scope = accepting("gzip", "GET", (b"if-none-match", b'"v1-gzip"'))
    sent = run(linted(app), scope)
    assert [b'"v1"'] == seen
    assert (b"if-none-match", b'"v1-gzip"') in scope["headers"]
    assert start((b"etag", b'"v1-gzip"'), VARY, status=304) == sent[0]


def test_conditions_of_webdav():
    """A PUT that names the tag of a coded GET in `If` comes to the application with its own (RFC 4918 10.4)."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["headers"])
        await send(start(status=204))
        await send(body())

    scope = http_scope("PUT", headers=[(b"if", b'(["v1-gzip"])')])
    assert [start(status=204), body()] == run(linted(app), scope)
    assert [[(b"if", b'(["v1"])')]] == seen


@backends
def test_routing_at_the_start(backend):
    """What a router has written into the changed scope is seen outside as the response starts."""
    seen = []

    async def app(scope, receive, send):
        scope["route"] = "found"
        await send(start(JSON))
        await send(body())

    class Watching(Recorder):
        async def send(self, message):
            seen.append(scope.get("route"))
            await super().send(message)

    scope = accepting("gzip", "GET", (b"if-none-match", b'"v1-gzip"'))
    _drive(CompressionMiddleware(app), scope, Watching(scope), backend)
    assert ["found", "found"] == seen


@backends
def test_routing_of_a_failed_request(backend):
    """What a router has written into the changed scope is seen outside, also when the application raises."""

    async def app(scope, receive, send):
        scope["route"] = "found"
        raise LookupError

    scope = accepting("gzip", "GET", (b"if-none-match", b'"v1-gzip"'))
    with pytest.raises(LookupError):
        run(CompressionMiddleware(app), scope, backend=backend)
    assert "found" == scope["route"]


@pytest.mark.parametrize("path", ["/downloads", "/downloads/a", "/a.zip", "/chosen"])
def test_excluded_paths(path):
    """Excluded paths pass wholly, conditions included: by prefix, pattern or callable."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await send(start(JSON))
        await send(body(TEXT))

    excluded = ["/downloads", re.compile(r"\.zip$"), lambda scope: scope["path"] == "/chosen"]
    scope = accepting("gzip", "GET", (b"if-none-match", b'"v1-gzip"'), path=path)
    assert [start(JSON), body(TEXT)] == run(linted(app, exclude_paths=excluded), scope)
    assert seen[0]["headers"] is scope["headers"]


HEADERS = st.sampled_from(
    [
        *(JSON, (b"content-type", b"image/png"), EVENTS, (b"Content-Type", b"text/css"), (b"content-length", b"9")),
        *((b"content-length", b"499"), (b"content-length", b"0500"), (b"content-length", b"x"), (b"x-a", b"1")),
        *((b"etag", b'"a-gzip"'), (b"vary", b"Cookie"), (b"content-encoding", b"br"), [b"x-b", b"2"]),
        *((b"x-c", bytearray(b"3")), (b"cache-control", b"no-transform")),
    ]
)


@settings(max_examples=200)
@given(
    st.lists(HEADERS, max_size=4), st.sampled_from(["", "gzip", "gzip, *;q=0"]), st.sampled_from([200, 404, 206, 304])
)
def test_plain_starts(headers, accept, status):
    """The short way that most starts take comes to what the policy says by the long one, the first time and later."""
    app = CompressionMiddleware(sending({**start(status=status), "headers": headers}, body(b"small")))
    policy = app._policy
    outcome = policy.start({**start(status=status), "headers": headers}, http_scope(), policy.asked(accept.encode()))
    if type(outcome) is dict:
        assert [[outcome, body(b"small")]] * 2 == [run(app, accepting(accept)), run(app, accepting(accept))]


def test_predicate():
    """It is asked for each response, also for those whose type is known by then."""
    app = CompressionMiddleware(
        sending(start(JSON), body(TEXT)), predicate=lambda scope, start: "code" in scope["path"]
    )
    for _ in range(2):
        assert [start(JSON), body(TEXT)] == run(app, accepting(path="/plain"))
        assert encoding("gzip") in run(app, accepting(path="/code"))[0]["headers"]
        assert [start(JSON), body(TEXT)] == run(app, http_scope(path="/plain"))


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        pytest.param([], {}, id="the server's scope"),
        pytest.param([(b"if-none-match", b'"v0-gzip"')], {}, id="a copy, with other tags"),
        pytest.param([], {"extensions": FILES}, id="a copy, without files"),
    ],
)
def test_conditions_see_what_the_application_wrote(headers, more):
    """The predicate and `use_as_dictionary` see sessions and routes, also those in a copy of the scope (BREACH)."""
    seen = []

    def condition(scope):
        seen.append((scope["session"], scope["path_params"]))
        return True

    async def app(scope, receive, send):
        scope["session"], scope["path_params"] = {"user": "ann"}, {"name": "a"}
        await send(start(JSON))
        await send(body(TEXT))

    guarded = CompressionMiddleware(
        app, predicate=lambda scope, start: condition(scope), use_as_dictionary={condition: "/*"}
    )
    sent = run(guarded, accepting("gzip", "GET", *headers, **more))
    assert (b"use-as-dictionary", b'match="/*"') in sent[0]["headers"]
    assert [({"user": "ann"}, {"name": "a"})] * 2 == seen


@pytest.mark.parametrize("headers", [[JSON], [JSON, TAG], [JSON, (b"ETag", b'"v1"')]])
def test_predicate_that_writes(headers):
    """What it writes into the headers that it is shown goes nowhere: not out, and not into the application's list."""

    def predicate(scope, start):
        start["headers"].append((b"x-a", b"1"))
        return False

    shared = start(*headers)
    assert [start(*headers), body(TEXT)] == run(
        CompressionMiddleware(sending(shared, body(TEXT)), predicate=predicate), accepting()
    )
    assert shared == start(*headers)


def test_shared_messages():
    """A constant start and body are the same after two requests, also where they are coded (falcon; starlette)."""
    constant, whole = start(JSON, length(TEXT)), body(TEXT)
    app = CompressionMiddleware(sending(constant, whole))
    first, second = run(app, accepting()), run(app, accepting())
    assert first == second
    assert [start(JSON, length(TEXT)), body(TEXT)] == [constant, whole]


# ---- ends


@backends
def test_an_exception_within_a_stream(backend):
    """It goes up, and the stream has no end: neither a last message nor the trailer of its coding."""

    async def app(scope, receive, send):
        await send(start(JSON))
        for _ in range(3):
            await send(body(TEXT, more=True))
        raise LookupError

    scope = accepting()
    recorder = Recorder(scope)
    with pytest.raises(LookupError):
        _drive(CompressionMiddleware(app), scope, recorder, backend)
    assert all(message["more_body"] for message in recorder.sent[1:])
    with pytest.raises(EOFError):
        decode("gzip", joined(recorder.sent))


def test_an_exception_before_the_body():
    """The held start is not sent, so that a layer outside can answer."""

    async def app(scope, receive, send):
        await send(start(JSON))
        raise LookupError

    scope = accepting()
    recorder = Recorder(scope)
    with pytest.raises(LookupError):
        _drive(CompressionMiddleware(app), scope, recorder, "asyncio")
    assert [] == recorder.sent


@backends
@pytest.mark.parametrize("end", ["return", "raise", "cancel"])
def test_no_timer_is_left(backend, end):
    """However the application ends within a stream, no task and no late message remain."""
    tasks = []

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(b"a", more=True))
        await send(body(b"b", more=True))  # waits for the timer
        if end == "raise":
            raise LookupError
        if end == "cancel":
            await anyio.sleep_forever()

    async def main():
        scope = accepting()
        recorder = Recorder(scope)
        before = len(anyio.get_running_tasks())
        with anyio.move_on_after(0.01 if end == "cancel" else 10):
            try:
                await CompressionMiddleware(app)(scope, recorder.receive, recorder.send)
            except LookupError:
                assert end == "raise"
        tasks.append(len(anyio.get_running_tasks()) - before)
        sent = len(recorder.sent)
        await anyio.sleep(0.05)
        assert sent == len(recorder.sent)

    anyio.run(main, backend=backend)
    assert [0] == tasks


@backends
def test_the_timer_does_not_overtake_the_end(backend):
    """A last message that comes while the timer sends waits for it, and is the last one."""
    ended = []
    in_timer = anyio.Event()

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(b"a", more=True))
        await send(body(b"b", more=True))
        await in_timer.wait()
        await send(body(b"c"))
        ended.append(True)

    class Slow(Recorder):
        async def send(self, message):
            if len(self.sent) == 2:
                in_timer.set()
                await anyio.sleep(0.03)
                assert [] == ended
            await super().send(message)

    scope = accepting("zstd")

    async def main():
        recorder = Slow(scope)
        await CompressionMiddleware(app)(scope, recorder.receive, recorder.send)
        assert b"abc" == decode("zstd", joined(recorder.sent))
        assert [True, True, False] == [message["more_body"] for message in recorder.sent[1:]]

    anyio.run(main, backend=backend)


@backends
@pytest.mark.parametrize("when", ["at the start", "in a piece", "in the timer"])
def test_the_client_has_gone(backend, when):
    """The OSError of `send` reaches the application, also when it was the timer that met it (ASGI: send)."""
    raised = []

    async def app(scope, receive, send):
        try:
            await send(start(JSON))
            await send(body(b"a", more=True))
            await send(body(b"b", more=True))
            await anyio.sleep(0.06)
            await send(body(b"c", more=True))
        except OSError as error:
            raised.append(error)
            raise

    error = OSError("gone")
    failing = {"at the start": 0, "in a piece": 1, "in the timer": 2}[when]

    class Gone(Recorder):
        async def send(self, message):
            if len(self.sent) == failing:
                raise error
            await super().send(message)

    scope = accepting()
    with pytest.raises(OSError, match="gone"):
        _drive(CompressionMiddleware(app), scope, Gone(scope), backend)
    assert [error] == raised


@backends
def test_a_hole_has_no_end(backend):
    """A piece that did not go out is missing: what comes after it raises, though the application has swallowed that."""

    async def app(scope, receive, send):
        await send(start(EVENTS))
        for number in range(4):
            try:
                await send(body(b"data: %d\n\n" % number, more=True))
            except OSError as error:
                raised.append(error)
        await send(body())

    raised = []

    class Once(Recorder):
        async def send(self, message):
            if len(self.sent) == 2 and not raised:
                raise OSError("once")
            await super().send(message)

    scope = accepting("zstd")
    recorder = Once(scope)
    with pytest.raises(OSError, match="once"):
        _drive(CompressionMiddleware(app), scope, recorder, backend)
    assert 3 == len(raised)
    assert [True] == [message["more_body"] for message in recorder.sent[1:]]


@backends
@pytest.mark.parametrize("messages", [[start(JSON), body(TEXT)], [start(EVENTS), body(b"a", more=True)]])
def test_nothing_follows_a_broken_start(backend, messages):
    """Once the start or the whole body has failed, every later piece raises, and names what happened first."""
    failed = []

    async def app(scope, receive, send):
        for message in messages:
            try:
                await send(message)
            except OSError as error:
                failed.append(error)
        await send(body())

    class Gone(Recorder):
        async def send(self, message):
            raise OSError("gone")

    scope = accepting("zstd")
    with pytest.raises(RuntimeError, match="the response broke off") as raised:
        _drive(CompressionMiddleware(app), scope, Gone(scope), backend)
    assert raised.value.__cause__ is failed[0]


@backends
@pytest.mark.parametrize("kind", [JSON, EVENTS])
@pytest.mark.parametrize("first", [body(TEXT, more=True), body(TEXT * 2000, more=True)], ids=["stream", "whole"])
def test_two_tasks_at_the_first_piece(backend, kind, first):
    """Nothing overtakes the start and the first piece while they are on their way, also in a thread."""

    async def app(scope, receive, send):
        size = (b"content-length", b"%d" % len(TEXT * 2000))
        await send(start(kind, *([size] if len(first["body"]) > len(TEXT) else [])))
        entered = anyio.Event()

        async def send_first():
            entered.set()
            await send(first)

        async with anyio.create_task_group() as group:
            group.start_soon(send_first)
            await entered.wait()
            async with anyio.create_task_group() as others:
                others.start_soon(send, body(more=True))
                others.start_soon(send, body(more=True))
            await send(body())

    class Slow(Recorder):
        async def send(self, message):
            await anyio.sleep(0.002)
            await super().send(message)

    scope = accepting("zstd")
    recorder = Slow(scope)
    _drive(CompressionMiddleware(app), scope, recorder, backend)
    assert "http.response.start" == recorder.sent[0]["type"]
    assert False is recorder.sent[-1]["more_body"]
    assert first["body"] == decode("zstd", joined(recorder.sent))


def test_a_start_while_the_first_piece_is_on_its_way():
    """An event stream whose start waits lets no piece overtake it."""

    async def app(scope, receive, send):
        async with anyio.create_task_group() as group:
            group.start_soon(send, start(EVENTS))
            await anyio.lowlevel.checkpoint()
            await send(body(b"data: 1\n\n"))

    class Slow(Recorder):
        async def send(self, message):
            await anyio.sleep(0.002)
            await super().send(message)

    scope = accepting("zstd")
    recorder = Slow(scope)
    _drive(CompressionMiddleware(app), scope, recorder, "asyncio")
    assert ["http.response.start", "http.response.body"] == [message["type"] for message in recorder.sent]


def test_a_second_start():
    """A second start goes out behind the held one, for the server to refuse."""
    sent = run(CompressionMiddleware(sending(start(JSON), start(JSON, status=500), body(TEXT))), accepting())
    assert [200, 500] == [message["status"] for message in sent[:2]]


@pytest.mark.parametrize(
    "pieces", [[body(TEXT)], [body(TEXT, more=True), body()], [body(TEXT * 2, more=True), body(TEXT)]]
)
def test_a_body_of_another_length(pieces):
    """A body that is not as long as Content-Length says gets no good end: the server refuses it, or it is not ended."""
    declared = (b"content-length", b"%d" % (len(TEXT) + 1))
    app = CompressionMiddleware(sending(start(JSON, declared), *pieces))
    if len(pieces) == 1:
        assert [start(JSON, declared, VARY), pieces[0]] == run(app, accepting())
        return
    scope = accepting()
    recorder = Recorder(scope)
    with pytest.raises(RuntimeError, match="not the length that Content-Length says"):
        _drive(app, scope, recorder, "asyncio")
    assert all(message["more_body"] for message in recorder.sent[1:])


@pytest.mark.parametrize(
    ("method", "pieces"),
    [
        pytest.param("GET", [body(TEXT)], id="whole"),
        pytest.param("GET", [body(TEXT, more=True), body()], id="stream"),
        pytest.param("HEAD", [body()], id="HEAD"),
    ],
)
@pytest.mark.parametrize("coding", ["gzip", ""])
def test_trailers_of_the_plain_body(method, pieces, coding):
    """Digests, ranges and tag of the plain body leave the trailers of a coded one (RFC 9530 2, 3; RFC 9110 8.8.3, 14.3)."""
    trailers = {
        "type": "http.response.trailers",
        "headers": [
            (b"Repr-Digest", b"x"),
            (b"x", b"1"),
            (b"digest", b"x"),
            (b"ETag", b'"v1"'),
            (b"accept-ranges", b"b"),
        ],
        "more_trailers": False,
    }
    given = [*trailers["headers"]]
    app = CompressionMiddleware(sending(start(JSON, trailers=True), *pieces, trailers))
    sent = run(app, accepting(coding, method, extensions={"http.response.trailers": {}}))
    assert {**trailers, "headers": [(b"x", b"1")] if coding else given} == sent[-1]
    assert given == trailers["headers"]


def test_trailers_of_a_body_that_does_not_shrink():
    """Where the body stays plain after all, its trailers are true of it and stay as they are (RFC 9530 2)."""
    trailers = {"type": "http.response.trailers", "headers": [(b"digest", b"x")]}
    noise = random.Random(0).randbytes(1000)
    sent = run(
        CompressionMiddleware(sending(start(JSON, trailers=True), body(noise), trailers)),
        accepting("gzip", extensions={"http.response.trailers": {}}),
    )
    assert (noise, True) == (sent[1]["body"], sent[-1] is trailers)


@pytest.mark.parametrize("more", [{}, {"trailers": True}], ids=["body", "trailers"])
def test_nothing_is_left_to_the_collector(more):
    """A coded response is gone with its request: no cycle of objects keeps its headers."""
    app, scope = CompressionMiddleware(sending(start(JSON, **more), body(TEXT))), accepting()
    recorder = Recorder(scope)

    def count():
        return sum(type(one) is CodedResponse for one in gc.get_objects())  # isinstance asks proxies for their class

    async def main():
        gc.collect()
        gc.disable()
        try:
            before = count()
            await app(scope, recorder.receive, recorder.send)
            return count() - before
        finally:
            gc.enable()

    assert 0 == anyio.run(main)


def test_a_timer_that_is_cancelled_before_it_runs():
    """What a loop cancels at its end, before its first step, is not waited for without end."""

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(b"a", more=True))
        before = asyncio.all_tasks()
        await send(body(b"b", more=True))
        (timer,) = asyncio.all_tasks() - before
        timer.cancel()

    async def main():
        scope = accepting()
        recorder = Recorder(scope)
        await asyncio.wait_for(CompressionMiddleware(app)(scope, recorder.receive, recorder.send), 10)

    asyncio.run(main())


def test_a_timer_that_is_cancelled_while_it_sends():
    """Then the piece is missing, and the stream cannot go on."""

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(b"a", more=True))
        before = asyncio.all_tasks()
        await send(body(b"b", more=True))
        (timer,) = asyncio.all_tasks() - before
        await in_timer.wait()
        timer.cancel()
        await asyncio.gather(timer, return_exceptions=True)
        await send(body(b"c"))

    in_timer = anyio.Event()

    class Stalled(Recorder):
        async def send(self, message):
            if len(self.sent) == 2:
                in_timer.set()
                await anyio.sleep_forever()
            await super().send(message)

    scope = accepting()
    with pytest.raises(RuntimeError, match="the response broke off"):
        _drive(CompressionMiddleware(app), scope, Stalled(scope), "asyncio")


def test_no_piece_after_the_end():
    """An application that lingers after its last piece gets nothing sent behind it by the timer."""

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(b"a", more=True))
        await send(body(b"b", more=True))
        await send(body(b"c"))
        await anyio.sleep(0.06)

    sent = run(CompressionMiddleware(app), accepting("zstd"))
    assert [True, False] == [message["more_body"] for message in sent[1:]]


# ---- threads


@backends
@pytest.mark.parametrize("pieces", [[body(TEXT * 50)], [body(TEXT * 50, more=True), body(TEXT * 50)]])
def test_large_bodies_are_coded_in_threads(backend, pieces, monkeypatch):
    """From `thread_minimum_size` on a body, or a piece, is coded outside of the event loop, a smaller one in it."""
    threads = []

    def watched(step):
        def watching(*arguments):
            threads.append(threading.current_thread() is threading.main_thread())
            return step(*arguments)

        return watching

    monkeypatch.setattr(encoders.Zstd, "whole", watched(encoders.Zstd.whole))
    stream = encoders.Zstd.stream
    monkeypatch.setattr(
        encoders.Zstd,
        "stream",
        lambda self, *, events: encoders.Encoder(*map(watched, stream(self, events=events))),
    )
    plain = b"".join(message["body"] for message in pieces)
    size = len(TEXT * 50)
    for minimum, in_loop in ((size, False), (size + 1, True)):
        threads.clear()
        app = linted(sending(start(JSON), *pieces), thread_minimum_size=minimum)
        sent = run(app, accepting("zstd"), backend=backend)
        assert plain == decode("zstd", joined(sent))
        assert [in_loop] * len(pieces) == threads


def test_loop_stays_free():
    """While large bodies are coded, others go on: four of 2 MB at once leave no gap of their own length in the loop."""
    data = b"".join(b"%d the quick brown fox " % (number * 7919 % 10_007) for number in range(80_000))
    app = CompressionMiddleware(sending(start(JSON), body(data)))
    gaps = []

    async def tick():
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before)

    async def main():
        ticking = asyncio.create_task(tick())
        await asyncio.sleep(0.01)
        gaps.clear()
        scopes = [accepting("gzip") for _ in range(4)]
        recorders = [Recorder(scope) for scope in scopes]
        await asyncio.gather(*[app(s, r.receive, r.send) for s, r in zip(scopes, recorders, strict=True)])
        ticking.cancel()

    asyncio.run(main())
    assert len(gaps) > 3  # coded in the loop, there would be one gap for each body at most


def test_threads_are_bounded(monkeypatch):
    """At most as many bodies as there are cores are coded at once, in each event loop anew."""
    monkeypatch.setattr(threads, "_cores", lambda: 2)
    at_once, most = [0], [0]
    lock = threading.Lock()
    whole = encoders.Zstd.whole

    def counted(self, data):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.01)
        with lock:
            at_once[0] -= 1
        return whole(self, data)

    monkeypatch.setattr(encoders.Zstd, "whole", counted)
    app = CompressionMiddleware(sending(start(JSON), body(TEXT)), thread_minimum_size=0)

    async def main():
        async with anyio.create_task_group() as group:
            for _ in range(8):
                scope = accepting("zstd")
                recorder = Recorder(scope)
                group.start_soon(app, scope, recorder.receive, recorder.send)

    for _ in range(2):
        anyio.run(main)
    assert [2] == most


@pytest.mark.slow
@codings
def test_memory_of_a_long_stream(coding):
    """200 MB pass in less than 8 MB of memory."""
    piece = body(bytes(range(256)) * 256, more=True)

    async def app(scope, receive, send):
        await send(start(JSON))
        for _ in range(3200):
            await send(piece)
        await send(body())

    async def discard(message):
        pass

    async def main():
        await CompressionMiddleware(app)(accepting(coding), None, discard)

    gc.collect()
    tracemalloc.start()
    anyio.run(main)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


# ---- dictionaries


def test_deltas_between_versions():
    """A response is learned, and the next version goes out as what has changed (RFC 9842), whole and as a stream."""
    old = random.Random(1).randbytes(30_000).hex().encode()
    new = old[:9_000] + b"changed" + old[9_000:]
    versions = iter([[body(old)], [body(new)], [body(old[:100], more=True), body(old[100:])], [body(new)]])
    assert len(old) > 50_000  # so that it is learned in a thread

    async def app(scope, receive, send):
        await send(start(JSON, (b"cache-control", b"max-age=60")))
        for message in next(versions):
            await send(message)

    middleware = CompressionMiddleware(app, use_as_dictionary={"/data": "/data/*"}, thread_minimum_size=50_000)
    mark = (b"use-as-dictionary", b'match="/data/*"')

    def get(*available):
        # As browsers do: they say `dcz` once they have a dictionary (RFC 9842 6.1).
        hashes = [base64.b64encode(hashlib.sha256(data).digest()) for data in available]
        named = [(b"available-dictionary", b":" + digest + b":") for digest in hashes]
        accept = "gzip, br, zstd, dcb, dcz" if available else "gzip, br, zstd"
        sent = run(middleware, accepting(accept, "GET", *named, path="/data/1"))
        assert mark in sent[0]["headers"]
        return dict(sent[0]["headers"])[b"content-encoding"], joined(sent)

    def decoded(coded, dictionary):
        return zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(dictionary, is_raw=True)).decompress(coded[40:])

    coding, first = get()
    assert (b"zstd", old) == (coding, zstd.decompress(first))
    coding, second = get(old)
    assert (b"dcz", new) == (coding, decoded(second, old))
    assert 200 > len(second)
    coding, third = get(new)
    assert (b"dcz", old) == (coding, decoded(third, new))  # learned from a whole body, coded as a stream
    assert 250 > len(third)
    coding, _ = get(b"unknown")
    assert b"zstd" == coding


@pytest.mark.parametrize("accept", ["dcz", "gzip;q=0, dcz", "dcz, identity;q=0"])
@pytest.mark.parametrize("declared", [True, False])
def test_dictionary_alone(accept, declared):
    """A client that takes nothing but `dcz` gets it, and files are not offered then (RFC 9842 6.1)."""
    seen = []
    hash_of_it = base64.b64encode(hashlib.sha256(TEXT).digest())

    async def app(scope, receive, send):
        seen.append(scope["extensions"])
        await send(start(JSON, *([length(TEXT)] if declared else [])))
        await send(body(TEXT))

    scope = accepting(accept, "GET", (b"available-dictionary", b":" + hash_of_it + b":"), extensions=FILES)
    sent = run(CompressionMiddleware(app, dictionaries=[TEXT]), scope)
    vary = (b"vary", b"Accept-Encoding, Available-Dictionary")
    assert [start(JSON, vary, encoding("dcz"), length(sent[1]["body"])), body(sent[1]["body"])] == sent
    assert TEXT == zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(TEXT, is_raw=True)).decompress(sent[1]["body"][40:])
    assert [{"http.response.push": {}}] == seen


@pytest.mark.parametrize("pieces", [[body()], [body(TEXT)], [body(TEXT, more=True), body()]])
def test_head_of_a_dictionary(pieces):
    """HEAD has the mark of GET, but for a length that is not known; a body that the application sends is not learned."""
    app = CompressionMiddleware(sending(start(JSON), *pieces), use_as_dictionary={"/": "/*"})
    head = run(app, accepting("gzip", "HEAD"))[0]["headers"]
    assert {} == app._policy._shelf._learned
    get = run(CompressionMiddleware(sending(start(JSON), body(TEXT)), use_as_dictionary={"/": "/*"}), accepting("gzip"))
    known = [pair for pair in get[0]["headers"] if pair[0] != b"content-length" or pieces == [body(TEXT)]]
    assert (b"use-as-dictionary", b'match="/*"') in head
    assert known == head


def test_dictionaries_of_a_changed_path():
    """Which responses are dictionaries is told by the path as it came, which Litestar changes; the scope may lack a root."""

    async def app(scope, receive, send):
        scope["path"] = "/a.js/"
        await sending(start(JSON), body(TEXT))(scope, receive, send)

    scope = accepting("zstd", path="/static/a.js")
    del scope["root_path"]
    seen = []
    uses = {"/static": "/static/*", lambda scope: seen.append(dict(scope)): "/*"}
    for conditions in (uses, dict(reversed(uses.items()))):
        sent = run(CompressionMiddleware(app, use_as_dictionary=conditions), dict(scope))
        assert (b"use-as-dictionary", b'match="/static/*"') in sent[0]["headers"]
    assert [("/static/a.js", False)] == [(scope["path"], "root_path" in scope) for scope in seen]


def test_dictionaries_of_a_mount():
    """Which responses are dictionaries is told by the path of the request, not by what a mount has left of it (Starlette)."""
    routing = require("starlette.routing")
    app = routing.Router([routing.Mount("/data", app=sending(start(JSON), body(TEXT)))])
    middleware = CompressionMiddleware(app, use_as_dictionary={"/data": "/data/*"})
    for root in ("", "/api", "/data"):
        scope = accepting("zstd", path=f"{root}/data/1", root_path=root)
        assert (b"use-as-dictionary", b'match="/data/*"') in run(middleware, scope)[0]["headers"]


def test_what_is_too_large_to_learn(monkeypatch):
    """Of a stream, no more is held than a dictionary may have, and of all streams together no more than of all of them."""
    pieces = [body(b"a" * 60, more=True)] * 3
    middleware = CompressionMiddleware(sending(start(JSON), *pieces, body()), use_as_dictionary={"/": "/*"})
    shelf = middleware._policy._shelf
    for bound in ("LARGEST_LEARNED", "MOST_LEARNED_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(dictionaries, bound, 100)
            run(middleware, accepting("zstd"))
            assert (0, 0) == (len(shelf._learned), shelf.held)
    run(middleware, accepting("zstd"))
    assert (1, 0) == (len(shelf._learned), shelf.held)


def test_a_stream_that_breaks_off_is_not_learned():
    """What is held of it is let go."""

    async def app(scope, receive, send):
        await send(start(JSON))
        await send(body(TEXT, more=True))
        assert len(TEXT) == shelf.held
        raise LookupError

    middleware = CompressionMiddleware(app, use_as_dictionary={"/": "/*"})
    shelf = middleware._policy._shelf
    with pytest.raises(LookupError):
        run(middleware, accepting("zstd"))
    assert (0, 0) == (len(shelf._learned), shelf.held)


# ---- order


def test_order():
    """Two compressors in one stack are reported, and so is a cache outside."""

    class Cache:
        asgi_order: ClassVar = {"kinds": ("cache",)}

        def __init__(self, app):
            self.app = app

    app = sending()
    assert ["remove one of the two"] == [p.fix for p in check(CompressionMiddleware(CompressionMiddleware(app)))]
    assert "can answer 304 only after compressing" in check(Cache(CompressionMiddleware(app)))[0].why
    assert [] == check(Stack(use(CompressionMiddleware), use(Cache)))


def _drive(app, scope, recorder, backend):
    async def main():
        await app(scope, recorder.receive, recorder.send)

    anyio.run(main, backend=backend)
