"""The shell, driven by raw messages: what the application gets, what clients are answered, what passes as it is."""

import asyncio
import json
import logging
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import middlewares
from middlewares.compression import CompressionMiddleware, DecompressionMiddleware
from middlewares.stack import Stack, check, use
from middlewares.testing import Lint, Recorder, http_scope, lifespan_scope, run, websocket_scope
from tests.compression.coded import CODINGS, SEVERAL, bomb, encode
from tests.conftest import require

TEXT = b"the quick brown fox jumps over the lazy dog, " * 40
START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])
codings = pytest.mark.parametrize("coding", CODINGS)


def request(*codings, body=TEXT, **more):
    headers = [
        (b"content-type", b"text/plain"),
        *((b"content-encoding", coding.encode("latin-1")) for coding in codings),
    ]
    return http_scope("POST", "/", [*headers, (b"content-length", b"%d" % len(body))], **more)


def messages(*pieces):
    *first, last = pieces
    more = [{"type": "http.request", "body": piece, "more_body": True} for piece in first]
    return [*more, {"type": "http.request", "body": last, "more_body": False}]


async def read(receive):
    """The body, by what ASGI says of it."""
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request", message
        body += message["body"]
        if not message["more_body"]:
            return body


async def echo(scope, receive, send):
    """Answers with what it got, when it has all of it."""
    body = await read(receive)
    await send(START)
    await send({"type": "http.response.body", "body": body, "more_body": False})


def linted(app, **keywords):
    keywords = {"encodings": CODINGS, **keywords}
    return Lint(DecompressionMiddleware(Lint(app), **keywords))


def echoed(body):
    return [START, {"type": "http.response.body", "body": body, "more_body": False}]


def refusal(status, title, detail, *headers):
    body = json.dumps({"title": title, "status": status, "detail": detail}).encode()
    fields = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *headers,
        (b"vary", b"Accept"),
    ]
    return [
        {"type": "http.response.start", "status": status, "headers": fields},
        {"type": "http.response.body", "body": body, "more_body": False},
    ]


DAMAGED = refusal(400, "Bad Request", "The request body is not valid gzip: it is damaged.")
TOO_LARGE = refusal(413, "Content Too Large", "The request body decodes to more than 100 bytes.")

# Decoded bodies


@backends
@codings
def test_decoded(coding, backend):
    """The application gets the decoded body, in each coding."""
    coded = encode(coding, TEXT)
    assert run(linted(echo), request(coding), *messages(coded), backend=backend) == echoed(TEXT)
    pieces = [coded[:7], b"", coded[7:30], coded[30:], b""]  # hypercorn and granian end with an empty piece
    assert run(linted(echo), request(coding), *messages(*pieces), backend=backend) == echoed(TEXT)


@backends
@codings
def test_large_pieces(coding, backend):
    """Pieces from 64 KiB on, and small ones that decode to much, are decoded whole; one middleware serves all loops."""
    noise = random.Random(0).randbytes(300_000)
    app = linted(echo)
    for body in (noise, bytes(3_000_000), bytes(65_536), bytes(65_537), bytes(65_536 + 262_144)):
        assert run(app, request(coding), *messages(encode(coding, body)), backend=backend) == echoed(body)


@settings(max_examples=60)
@given(
    st.sampled_from(CODINGS),
    st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    st.lists(st.integers(0, 2000), max_size=5),
    st.sampled_from(["asyncio", "trio"]),
)
def test_round_trip(coding, parts, cuts, backend):
    """Any body, in any members, cut anywhere, is the same behind the middleware."""
    if coding not in SEVERAL:
        parts = [b"".join(parts)]
    coded = b"".join(encode(coding, part) for part in parts)
    borders = [0, *sorted(cut % (len(coded) + 1) for cut in cuts), len(coded)]
    pieces = [coded[a:b] for a, b in pairwise(borders)]
    assert run(linted(echo), request(coding), *messages(*pieces), backend=backend) == echoed(b"".join(parts))


def test_scope():
    """The application sees a request that was never coded; the server's scope is as it was."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)
        await echo(scope, receive, send)

    scope = request("gzip")
    before = {**scope, "headers": list(scope["headers"])}
    run(DecompressionMiddleware(app), scope, *messages(encode("gzip", TEXT)))
    assert seen == [{**before, "headers": [(b"content-type", b"text/plain")]}]
    assert seen[0]["state"] is scope["state"]
    assert scope == before


def test_routing_is_shared():
    """What routers inside write into the scope is in the server's as the response starts, and at the end."""
    at_start = []
    scope = request("gzip")

    async def app(inner, receive, send):
        inner["route"] = "/{tea}"
        await send(START)
        at_start.append(scope.get("route"))
        inner["endpoint"] = "tea"
        raise ValueError("own")

    with pytest.raises(ValueError, match="own"):
        run(DecompressionMiddleware(app), scope)
    assert (at_start, scope["endpoint"]) == (["/{tea}"], "tea")


def test_session_is_seen_outside():
    """A predicate of compression, which stands outside, sees the session of a request whose body is decoded (BREACH)."""

    async def app(scope, receive, send):
        scope["session"] = {"user": "ann"}
        await send(START)
        await send({"type": "http.response.body", "body": b"secret " * 1000})

    guarded = CompressionMiddleware(
        DecompressionMiddleware(app), predicate=lambda scope, start: not scope.get("session")
    )
    scope = request("gzip")
    scope["headers"].append((b"accept-encoding", b"gzip"))
    sent = run(guarded, scope, *messages(encode("gzip", TEXT)))
    assert b"secret " * 1000 == sent[1]["body"]


def test_nothing_read_ahead():
    """A message is asked for when the application wants one, and only when all that came before is handed on."""
    log = []
    coded = encode("gzip", bytes(200_000))
    pieces = iter(messages(coded[:100], coded[100:], b""))

    async def receive():
        log.append("asked")
        return next(pieces)

    async def app(scope, receive, send):
        log.append("called")
        while True:
            message = await receive()
            log.append(len(message["body"]))
            if not message["more_body"]:
                return

    anyio.run(DecompressionMiddleware(app), request("gzip"), receive, None)
    assert log[:3] == ["called", "asked", 65_536]
    assert log.count("asked") == 3
    assert log[-2:] == ["asked", 0]
    sizes = [entry for entry in log if isinstance(entry, int)]
    assert sum(sizes) == 200_000


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        (bytes(65_535), [65_535]),
        (bytes(400_000), [65_536, 262_144, 72_320]),
        (random.Random(0).randbytes(300_000), [262_144, 37_856]),
    ],
    ids=["small", "much", "large"],
)
def test_sizes_of_pieces(body, sizes):
    """What is decoded in the event loop is 64 KiB at most; larger steps are for threads, where a piece is large."""
    got = []

    async def app(scope, receive, send):
        while not got or got[-1]["more_body"]:
            got.append(await receive())

    run(DecompressionMiddleware(app), request("gzip"), *messages(encode("gzip", body)))
    assert [len(message["body"]) for message in got] == sizes
    assert b"".join(message["body"] for message in got) == body


@backends
def test_loop_stays_free(backend):
    """While a large piece, or a small one that decodes to much, is decoded, other tasks of the event loop run."""

    async def main(coded):
        turns = 0
        ended = False

        async def others():
            nonlocal turns
            while not ended:
                await anyio.lowlevel.checkpoint()
                turns += 1

        async def receive():  # without a turn for others
            return messages(coded)[0]

        async def app(scope, receive, send):
            nonlocal ended
            assert await read(receive) == bytes(2_000_000)
            ended = True

        async with anyio.create_task_group() as group:
            group.start_soon(others)
            await DecompressionMiddleware(app)(request("gzip"), receive, None)
        return turns

    assert anyio.run(main, encode("gzip", bytes(2_000_000)), backend=backend) >= 7
    assert anyio.run(main, encode("gzip", b"") * 500 + encode("gzip", bytes(2_000_000)), backend=backend) >= 7


@backends
def test_cancelled_receive(backend):
    """An application that gives up waiting and asks again later gets the whole body."""
    coded = encode("br", bytes(1_000_000) + TEXT)

    async def app(scope, receive, send):
        body = b""
        while True:
            message = None
            with anyio.CancelScope() as impatient:
                impatient.cancel()
                message = await receive()
            message = message or await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        await send(START)
        await send({"type": "http.response.body", "body": b"%d" % len(body), "more_body": False})

    sent = run(DecompressionMiddleware(app), request("br"), *messages(coded[:50], coded[50:]), backend=backend)
    assert sent == echoed(b"%d" % (1_000_000 + len(TEXT)))


def test_task_cancelled_in_a_step():
    """A task that asyncio cancels leaves the step in its thread alone: its outcome is the next message."""
    body = b"".join(b"%d " % n for n in range(400_000))

    async def app(scope, receive, send):
        decoded = b""
        cancelled = 0
        more = True
        while more:
            message = None
            task = asyncio.ensure_future(receive())
            for _ in range(cancelled % 7):
                await asyncio.sleep(0)
            task.cancel()
            try:
                message = await task
            except asyncio.CancelledError:
                cancelled += 1
                message = await receive()
            decoded += message["body"]
            more = message["more_body"]
        assert cancelled
        await send(START)
        await send({"type": "http.response.body", "body": decoded, "more_body": False})

    sent = run(DecompressionMiddleware(app), request("zstd"), *messages(encode("zstd", body)))
    assert sent == echoed(body)


# What passes


@pytest.mark.parametrize(
    "scope",
    [
        http_scope("POST", headers=[(b"content-length", b"3")]),
        request(""),
        request("identity"),
        websocket_scope(headers=[(b"content-encoding", b"lzma")]),
        lifespan_scope(),
        {"type": "tea", "headers": [(b"content-encoding", b"gzip")]},
    ],
    ids=["plain", "empty", "identity", "websocket", "lifespan", "unknown"],
)
def test_untouched(scope):
    """A request without a coding, and what is no HTTP request, passes as the same objects."""
    seen = []

    async def app(*arguments):
        seen.extend(arguments)

    async def receive():
        raise AssertionError

    async def send(message):
        raise AssertionError

    anyio.run(DecompressionMiddleware(app), scope, receive, send)
    assert [a is b for a, b in zip(seen, [scope, receive, send], strict=True)] == [True] * 3


def test_asgi_2_and_app():
    """An ASGI 2 application works, `app` may be a keyword, and `.app` is what was given."""

    class App:
        def __init__(self, scope):
            self.scope = scope

        async def __call__(self, receive, send):
            await echo(self.scope, receive, send)

    wrapped = DecompressionMiddleware(app=App)
    assert wrapped.app is App
    assert run(wrapped, request("gzip"), *messages(encode("gzip", TEXT))) == echoed(TEXT)


@backends
def test_disconnect(backend):
    """A client that leaves in the middle of its body is told as the server tells it, as often as it is asked."""
    gone = {"type": "http.disconnect"}
    seen = []

    async def app(scope, receive, send):
        seen.extend([await receive(), await receive(), await receive()])

    coded = encode("gzip", TEXT)
    recorder = Recorder(request("gzip"), {"type": "http.request", "body": coded[:-8], "more_body": True}, gone)

    async def main():
        await DecompressionMiddleware(app)(request("gzip"), recorder.receive, recorder.send)

    anyio.run(main, backend=backend)
    assert seen == [{"type": "http.request", "body": TEXT, "more_body": True}, gone, gone]
    assert seen[1] is seen[2] is gone
    assert recorder.sent == []


def test_disconnect_after_the_body():
    """Behind the end of the body the server is asked as always."""

    async def app(scope, receive, send):
        await echo(scope, receive, send)
        assert await receive() == {"type": "http.disconnect"}

    assert run(linted(app), request("gzip"), *messages(encode("gzip", TEXT))) == echoed(TEXT)


def test_sent_messages_pass():
    """What the application sends reaches the server as the same objects, also kinds that nobody here knows."""
    sent = [{"type": "http.response.early_hint", "links": []}, START, {"type": "tea"}, {"type": "http.response.body"}]

    async def app(scope, receive, send):
        for message in sent:
            await send(message)

    got = []

    async def send(message):
        got.append(message)

    anyio.run(DecompressionMiddleware(app), request("gzip"), None, send)
    assert [a is b for a, b in zip(got, sent, strict=True)] == [True] * 4


def test_unread_body():
    """A body that the application does not read is nobody's business."""

    async def app(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"tea", "more_body": False})

    assert run(linted(app), request("gzip"), *messages(b"garbage")) == echoed(b"tea")


@backends
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_request_without_content(method, backend):
    """A GET or HEAD without content passes, though its Content-Encoding says how that would be coded (RFC 9110 9.3)."""
    scope = {**request("gzip"), "method": method}
    for pieces in ([b""], [b"", b""]):
        assert run(linted(echo), scope, *messages(*pieces), backend=backend) == [
            START,
            {"type": "http.response.body", "body": b"", "more_body": False},
        ]


# Refusals


@backends
def test_unsupported(backend):
    """415 lists what is accepted (RFC 9110 12.5.3); neither the application nor `receive` is called."""
    for codings in (["lzma"], ["gzip", "br"], ["deflate"], ["GZIP, gzip"]):
        recorder = Recorder(request(*codings))

        async def main(recorder=recorder, codings=codings):
            await Lint(DecompressionMiddleware(pytest.fail))(request(*codings), pytest.fail, recorder.send)

        anyio.run(main, backend=backend)
        detail = "The request body must be sent plain, or in one of these content codings: gzip, br, zstd."
        expected = refusal(415, "Unsupported Media Type", detail, (b"accept-encoding", b"gzip, br, zstd"))
        assert recorder.sent == expected


@backends
@pytest.mark.parametrize(
    ("coded", "expected"),
    [
        (b"garbage", DAMAGED),
        (encode("gzip", b"tea") + b"garbage", DAMAGED),
        (b"", refusal(400, "Bad Request", "The request body is not valid gzip: it ends too early.")),
        (
            encode("gzip", b"tea")[:-1],
            refusal(400, "Bad Request", "The request body is not valid gzip: it ends too early."),
        ),
        (encode("gzip", bytes(101)), TOO_LARGE),
        (bomb("gzip", 128 << 20), TOO_LARGE),
    ],
    ids=["damaged", "trailing", "empty", "truncated", "large", "bomb"],
)
def test_refused(coded, expected, backend):
    """A body that cannot be decoded is 400, one that decodes to too much 413."""
    app = linted(echo, max_size=100)
    assert run(app, request("gzip"), *messages(coded), backend=backend) == expected
    assert run(app, request("gzip"), *messages(coded[:5], coded[5:]), backend=backend) == expected


def test_max_size_of_handed_on_bytes():
    """The application gets at most max_size bytes of a body that has more, and never its end."""
    got = []

    async def app(scope, receive, send):
        while True:
            got.append(await receive())

    coded = encode("br", TEXT)
    sent = run(linted(app, max_size=1000), request("br"), *messages(*[bytes([byte]) for byte in coded]))
    assert sent[0]["status"] == 413
    assert sum(len(message["body"]) for message in got) <= 1000
    assert all(message["more_body"] for message in got)


def test_default_max_size():
    """Without max_size, 32 MiB pass, and not a byte more."""

    async def app(scope, receive, send):
        size = 0
        more = True
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]
        await send(START)
        await send({"type": "http.response.body", "body": b"%d" % size, "more_body": False})

    coded = bomb("zstd", 32 << 20)
    assert run(DecompressionMiddleware(app), request("zstd"), *messages(coded)) == echoed(b"%d" % (32 << 20))
    sent = run(DecompressionMiddleware(app), request("zstd"), *messages(coded + encode("zstd", b"x")))
    assert sent[0]["status"] == 413


class OwnError(Exception):
    pass


def outcome(app, coded=b"garbage", backend="asyncio"):
    """What was sent, and what went up."""

    async def main():
        recorder = Recorder(request("gzip"), *messages(coded))
        try:
            await DecompressionMiddleware(app, max_size=100)(request("gzip"), recorder.receive, recorder.send)
        except BaseException as error:
            return recorder.sent, error
        return recorder.sent, None

    return anyio.run(main, backend=backend)


async def answers_itself(scope, receive, send):
    # As Starlette and Flask do for any exception.
    try:
        await receive()
    except Exception:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"oops", "more_body": False})
        raise


async def swallows(scope, receive, send):
    for _ in range(3):
        with pytest.raises(Exception, match="400: The request body is not valid gzip"):
            await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def raises_from(scope, receive, send):
    try:
        await receive()
    except Exception as error:
        raise OwnError("cannot parse") from ValueError(str(error))


async def raises_from_none(scope, receive, send):
    try:
        await receive()
    except Exception:
        raise OwnError("cannot parse") from None


async def in_a_group(scope, receive, send):
    async with anyio.create_task_group() as group:
        group.start_soon(receive)
        group.start_soon(anyio.sleep_forever)


async def in_a_group_of_groups(scope, receive, send):
    try:
        await receive()
    except Exception as error:
        inner = error
    raise ExceptionGroup("outer", [ExceptionGroup("inner", [inner]), inner])


async def after_a_hint(scope, receive, send):
    await send({"type": "http.response.early_hint", "links": []})
    await receive()


@backends
@pytest.mark.parametrize(
    "app", [answers_itself, swallows, raises_from, raises_from_none, in_a_group, in_a_group_of_groups, after_a_hint]
)
def test_whatever_the_application_does(app, backend):
    """Before the start of a response, the refusal is the answer, and nothing goes up: it is the client's mistake."""
    sent, error = outcome(app, backend=backend)
    assert [message for message in sent if message["type"] != "http.response.early_hint"] == DAMAGED
    assert error is None


@backends
def test_begun_response(backend):
    """After the start there is no second one: the response is cut off, so that the client sees that it is not whole."""

    async def app(scope, receive, send):
        await send(START)
        await receive()
        raise AssertionError

    assert outcome(app, backend=backend) == ([START], None)


def test_begun_response_of_a_patient_application():
    """After the start, an application that takes the exception may end its response itself."""

    async def app(scope, receive, send):
        await send(START)
        with pytest.raises(Exception, match="400"):
            await receive()
        await send({"type": "http.response.body", "body": b"sorry", "more_body": False})

    assert outcome(app) == (echoed(b"sorry"), None)


@backends
def test_own_exceptions(backend):
    """The application's own exceptions go up as they are, beside a refusal, too; that is answered nevertheless."""
    own = OwnError()

    async def unread(scope, receive, send):
        raise own

    async def beside(scope, receive, send):
        with pytest.raises(Exception, match="400"):
            await receive()
        raise own

    async def beside_begun(scope, receive, send):
        await send(START)
        await beside(scope, receive, send)

    async def group(scope, receive, send):
        try:
            await receive()
        except Exception as error:
            caught = error
        raise ExceptionGroup("both", [caught, own])

    assert outcome(unread, backend=backend) == ([], own)
    assert outcome(unread, encode("gzip", b"tea"), backend=backend) == ([], own)
    assert outcome(beside, backend=backend) == (DAMAGED, own)
    assert outcome(beside_begun, backend=backend) == ([START], own)
    sent, error = outcome(group, backend=backend)
    assert sent == DAMAGED
    assert own in error.exceptions


def test_cancellation_goes_up():
    """What is no Exception goes up untouched, without an answer."""

    async def app(scope, receive, send):
        raise asyncio.CancelledError

    sent, error = outcome(app)
    assert (sent, type(error)) == ([], asyncio.CancelledError)


def test_exception_chain_that_ends_in_itself():
    """A chain of causes that is a circle is walked once."""

    async def app(scope, receive, send):
        with pytest.raises(Exception, match="400"):
            await receive()
        first, second = OwnError(1), OwnError(2)
        first.__cause__, second.__cause__ = second, first
        raise first

    sent, error = outcome(app)
    assert (sent, str(error)) == (DAMAGED, "1")


def test_log_of_a_begun_response(caplog):
    """What cut a response off is told at DEBUG, too: the server's log knows nothing of the body."""
    caplog.set_level(logging.DEBUG, "middlewares.compression")

    async def app(scope, receive, send):
        await send(START)
        await receive()

    assert outcome(app) == ([START], None)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("middle")]
    assert line == (
        "refused, though the response has begun: 400: The request body is not valid gzip: it is damaged. (path '/')"
    )


def test_two_layers():
    """The refusal of a layer outside passes one inside: it is the outer one's to answer."""
    app = DecompressionMiddleware(DecompressionMiddleware(echo, encodings=["br"]), encodings=["gzip"])
    assert run(app, request("gzip"), *messages(b"garbage")) == DAMAGED


def test_log(caplog):
    """A refusal is one line at DEBUG with the path escaped, as hostile clients choose how many there are."""
    caplog.set_level(logging.DEBUG, "middlewares.compression")
    run(DecompressionMiddleware(echo), {**request("gzip"), "path": "/t\nea"}, *messages(b"garbage"))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name.startswith("middle")]
    assert lines == [("DEBUG", "refused: 400: The request body is not valid gzip: it is damaged. (path '/t\\nea')")]


@settings(max_examples=200)
@given(
    st.sampled_from(["gzip", "br", "zstd", "deflate", "x-gzip", "identity", "gzip, br", "\xff;q=1", "lzma"]),
    st.lists(st.binary(max_size=60), min_size=1, max_size=4),
    st.sampled_from([0, 5, 20, 1000]),
    st.integers(1, 2000),
)
def test_any_bytes(field, pieces, valid, max_size):
    """Whatever the client sends is answered by the application, or with 400, 413 or 415; nothing is raised."""
    if field in CODINGS:
        pieces = [encode(field, TEXT)[:valid], *pieces]
    sent = run(linted(echo, max_size=max_size), request(field), *messages(*pieces))
    assert sent[0]["status"] in {200, 400, 413, 415}
    assert len(sent) == 2


@pytest.mark.parametrize("coding", CODINGS)
def test_flipped_at_any_byte(coding):
    """A body with any byte changed, or cut off anywhere, is the body, other bytes (br has no checksum), or 400."""
    coded = encode(coding, b"a cup of tea " * 3)
    app = linted(echo)
    for index in range(len(coded)):
        assert run(app, request(coding), *messages(coded[:index]))[0]["status"] == 400
        broken = coded[:index] + bytes([coded[index] ^ 0x55]) + coded[index + 1 :]
        sent = run(app, request(coding), *messages(broken))
        assert sent[0]["status"] in {200, 400}
        assert coding == "br" or sent[0]["status"] == 400 or sent == echoed(b"a cup of tea " * 3)


# The same with the world around


BOMB = """
import resource, sys, tracemalloc
from middlewares.compression import CompressionMiddleware, DecompressionMiddleware
from middlewares.testing import http_scope, run

coded = sys.stdin.buffer.read()
coding = sys.argv[1].encode()


async def app(scope, receive, send):
    while True:
        await receive()


def attack(max_size):
    scope = http_scope("POST", "/", [(b"content-encoding", coding)])
    message = {"type": "http.request", "body": coded, "more_body": False}
    return run(DecompressionMiddleware(app, max_size=max_size), scope, message)[0]["status"]


attack(1000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tracemalloc.start()
status = attack(int(sys.argv[2]))
print(status, tracemalloc.get_traced_memory()[1], (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize(("coding", "megabytes"), [("br", 128), ("zstd", 512)])
def test_memory(coding, megabytes):
    """A bomb of some kilobytes is decoded in small pieces: memory follows neither what it stands for nor the limit."""
    coded = bomb(coding, megabytes << 20)
    assert len(coded) < 60_000
    done = subprocess.run(
        [sys.executable, "-c", BOMB, coding, str((megabytes << 20) - 1)],
        cwd=Path(middlewares.__file__).parent.parent,
        input=coded,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    status, peak, growth = map(int, done.stdout.split())
    assert status == 413
    assert peak < 4_000_000
    assert growth < 40_000_000  # with windows of 8 and 16 MB, which Python does not count


def test_starlette():
    """A Starlette application gets its JSON; its own answers to the exception, a 500, are not what clients get."""
    require("starlette")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def endpoint(request):
        return JSONResponse(await request.json())

    routes = [Route("/", endpoint, methods=["POST"])]
    outside = DecompressionMiddleware(Starlette(routes=routes), max_size=100)
    inside = Starlette(routes=routes, middleware=[Middleware(DecompressionMiddleware, max_size=100)])
    for app in (outside, inside):
        sent = run(app, request("gzip"), *messages(encode("gzip", b'{"tea": 1}')))
        assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"tea":1}')
        assert run(app, request("gzip"), *messages(b"garbage")) == DAMAGED
        assert run(app, request("gzip"), *messages(bomb("gzip", 1 << 20))) == TOO_LARGE


def test_order():
    """Two of them are one too many, and CORS belongs outside, as this layer answers by itself."""
    from middlewares.cors import CORSMiddleware

    decode, cors = use(DecompressionMiddleware), use(CORSMiddleware)
    assert check(Stack(cors, decode)) == []
    with pytest.warns(match="nothing for the inner one to decode"):
        Stack(decode, decode)(echo)
    with pytest.warns(match="no page can read it"):
        Stack(decode, cors)(echo)


@pytest.mark.parametrize(
    ("keywords", "error"), [({"max_size": 0}, ValueError), ({"encodings": "gzip"}, TypeError), ({"app": 1}, TypeError)]
)
def test_mistakes(keywords, error):
    """Wrong configuration fails at construction."""
    with pytest.raises(error):
        DecompressionMiddleware(**{"app": echo, **keywords})
