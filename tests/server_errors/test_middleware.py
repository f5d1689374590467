"""The shell, driven by raw messages: exact answers, what is raised on, and what passes as it is."""

import asyncio
import json
import logging

import anyio
import anyio.lowlevel
import pytest
import trio

from middlewares.server_errors import ServerErrorMiddleware
from middlewares.testing import Recorder, http_scope, run, websocket_scope

START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
BODY = {"type": "http.response.body", "body": b"x", "more_body": False}
PLAIN_BODY = b'{"title": "Internal Server Error", "status": 500}'
PLAIN = [
    {
        "type": "http.response.start",
        "status": 500,
        "headers": [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"49"),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"vary", b"Accept"),
        ],
    },
    {"type": "http.response.body", "body": PLAIN_BODY, "more_body": False},
]
DENIAL = [{**message, "type": message["type"].replace("http.", "websocket.http.")} for message in PLAIN]

backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


class BoomError(Exception):
    pass


def failing(*messages, error=None, receives=0):
    """An application that receives, sends the messages, and raises."""

    async def app(scope, receive, send):
        for _ in range(receives):
            await receive()
        for message in messages:
            await send(message)
        raise error or BoomError("secret")

    return app


def outcome(app, scope, *incoming, backend="asyncio", **keywords):
    """What was sent, and what went up, with the middleware around `app`."""

    async def main():
        recorder = Recorder(scope, *incoming)
        try:
            await ServerErrorMiddleware(app, **keywords)(scope, recorder.receive, recorder.send)
        except BaseException as error:
            return recorder.sent, error
        return recorder.sent, None

    return anyio.run(main, backend=backend)


# HTTP


@backends
def test_exception_before_the_start(backend):
    """An exception is answered with a 500 that says nothing about it, and goes up as the same object."""
    error = BoomError("secret")
    sent, went_up = outcome(failing(error=error), http_scope(), backend=backend)
    assert sent == PLAIN
    assert went_up is error
    assert (error.__cause__, error.__context__) == (None, None)


@backends
@pytest.mark.parametrize("messages", [[START], [START, {**BODY, "more_body": True}], [START, BODY]], ids=len)
def test_exception_after_the_start(backend, messages):
    """After the start nothing is added: the server has to break the connection off."""
    error = BoomError()
    sent, went_up = outcome(failing(*messages, error=error), http_scope(), backend=backend)
    assert sent == messages
    assert went_up is error


def test_messages_before_the_start_are_no_start():
    """Early hints and pushes come before the response: the 500 still follows."""
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>"]}
    push = {"type": "http.response.push", "path": "/a", "headers": []}
    assert outcome(failing(hint, push), http_scope())[0] == [hint, push, *PLAIN]


def test_messages_pass_as_the_same_objects():
    """What the application sends and receives is not touched; neither is its scope."""
    start, body, request, seen = dict(START), dict(BODY), {"type": "http.request"}, []

    async def app(scope, receive, send):
        seen.append((scope, await receive()))
        await send(start)
        await send(body)

    scope = http_scope()
    sent = run(ServerErrorMiddleware(app), scope, request)
    assert [id(message) for message in sent] == [id(start), id(body)]
    assert (start, body, request) == (START, BODY, {"type": "http.request"})
    assert seen[0][0] is scope
    assert seen[0][1] is request


def test_awaitables_that_are_no_coroutines():
    """Granian's `send` returns an awaitable of its own: it is handed to the application as it is."""

    class Sent:
        def __await__(self):
            return iter(())

    awaitable, seen = Sent(), []

    async def app(scope, receive, send):
        seen.append(send(START))
        await seen[0]

    async def main():
        await ServerErrorMiddleware(app)(http_scope(), None, lambda message: awaitable)

    anyio.run(main)
    assert seen == [awaitable]


@pytest.mark.parametrize("accept", [b"application/json", b"text/html", b"text/plain"])
def test_head(accept):
    """RFC 9110 9.3.2: HEAD gets the headers of the 500, and no body."""
    headers = [(b"accept", accept)]
    got, _ = outcome(failing(), http_scope("GET", headers=headers))
    sent, _ = outcome(failing(), http_scope("HEAD", headers=headers))
    assert sent == [got[0], {**got[1], "body": b""}]


def test_forms():
    """The 500 is a page or text where Accept prefers it."""
    text, _ = outcome(failing(), http_scope(headers=[(b"accept", b"text/plain")]))
    page, _ = outcome(failing(), http_scope(headers=[(b"accept", b"text/html,*/*;q=0.8")]))
    assert text[1]["body"] == b"500 Internal Server Error\n"
    assert page[1]["body"].startswith(b"<!doctype html>")


def test_request_id_of_the_state():
    """A request id in the state, also one that an inner layer set, is named; the state is not made where it is not."""

    async def app(scope, receive, send):
        scope["state"]["request_id"] = "r-1"
        raise BoomError

    sent, _ = outcome(app, http_scope())
    assert json.loads(sent[1]["body"]) == {"title": "Internal Server Error", "status": 500, "request_id": "r-1"}
    scope = http_scope()
    del scope["state"]
    assert outcome(failing(), scope)[0] == PLAIN
    assert "state" not in scope


def test_no_detail_of_the_exception():
    """Without debug, no text, type or place of the exception is in the answer, in any form."""
    for accept in (b"*/*", b"text/html", b"text/plain"):
        sent, _ = outcome(failing(), http_scope(headers=[(b"accept", accept)]))
        assert not any(word in sent[1]["body"] for word in (b"secret", b"BoomError", b"Traceback", b".py"))


# What is no Exception, and what is one


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(1), GeneratorExit(), asyncio.CancelledError(), BaseExceptionGroup("", [KeyboardInterrupt(), BoomError()])],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_base_exceptions_are_not_touched(error):
    """What is no Exception goes up as it is, and nothing is sent; so does a group that holds such."""

    async def main():
        recorder = Recorder(http_scope())
        coroutine = ServerErrorMiddleware(failing(error=error))(http_scope(), recorder.receive, recorder.send)
        with pytest.raises(type(error)) as caught:
            coroutine.send(None)  # outside of the loop's task, which acts on these itself
        return recorder.sent, caught.value

    sent, went_up = anyio.run(main)
    assert sent == []
    assert went_up is error


@backends
def test_cancellation(backend):
    """A cancelled request is not answered: asyncio's and trio's cancellation are no Exceptions."""
    seen = []

    async def app(scope, receive, send):
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            seen.append(type(error))
            raise

    async def main():
        recorder = Recorder(http_scope())
        async with anyio.create_task_group() as group:
            group.start_soon(ServerErrorMiddleware(app), http_scope(), recorder.receive, recorder.send)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        return recorder.sent

    assert anyio.run(main, backend=backend) == []
    assert seen == [trio.Cancelled if backend == "trio" else asyncio.CancelledError]


@backends
def test_exception_groups(backend):
    """An ExceptionGroup is an Exception: answered, and raised on as the same group."""
    error = ExceptionGroup("tasks", [BoomError(), ValueError()])
    assert outcome(failing(error=error), http_scope(), backend=backend) == (PLAIN, error)


# send and receive that fail


def test_exception_of_receive():
    """What the server's `receive` raises before the start is an exception like others."""
    error = OSError("gone")

    async def receive():
        raise error

    async def app(scope, receive, send):
        await receive()

    async def main():
        recorder = Recorder(http_scope())
        with pytest.raises(OSError, match="gone") as caught:
            await ServerErrorMiddleware(app)(http_scope(), receive, recorder.send)
        return recorder.sent, caught.value

    assert anyio.run(main) == (PLAIN, error)


def test_start_that_failed_counts_as_sent():
    """Where an outer `send` raises at the start, nobody knows how far it came: no second start is tried."""
    error, tried = ValueError("bad header"), []

    async def send(message):
        tried.append(message)
        raise error

    async def main():
        with pytest.raises(ValueError, match="bad header") as caught:
            await ServerErrorMiddleware(failing(START))(http_scope(), None, send)
        return caught.value

    assert anyio.run(main) is error
    assert tried == [START]


def test_message_without_a_type():
    """A message that is none fails in the application, and is answered."""
    sent, went_up = outcome(failing({}), http_scope())
    assert sent == PLAIN
    assert isinstance(went_up, KeyError)


@backends
@pytest.mark.parametrize(
    ("failure", "level"), [(OSError("gone"), logging.DEBUG), (RuntimeError("no"), logging.ERROR)], ids=["gone", "other"]
)
def test_answer_that_cannot_be_sent(backend, failure, level, caplog):
    """Where the 500 cannot be sent, the first exception goes up; an OSError says that the client has gone: no news."""
    error = BoomError()

    async def send(message):
        raise failure

    async def main():
        with pytest.raises(BoomError) as caught:
            await ServerErrorMiddleware(failing(error=error))(http_scope(), None, send)
        return caught.value

    with caplog.at_level(logging.DEBUG, "middlewares.server_errors"):
        assert anyio.run(main, backend=backend) is error
    assert [(record.name, record.levelno) for record in caplog.records if record.name != "asyncio"] == [
        ("middlewares.server_errors", level)
    ]


def test_cancellation_of_the_answer():
    """A cancellation while the 500 is being sent is the loop's matter: it goes up."""

    async def send(message):
        await anyio.sleep_forever()

    async def main():
        with anyio.move_on_after(0) as cancelled:
            await ServerErrorMiddleware(failing())(http_scope(), None, send)
        return cancelled.cancelled_caught

    assert anyio.run(main)


# WebSocket


@backends
@pytest.mark.parametrize("receives", [0, 1], ids=["before the connect", "after the connect"])
def test_handshake_is_denied(backend, receives):
    """An exception before the handshake is answered denies it with the 500, and goes up; the connect is taken first."""
    error, taken = BoomError(), []
    scope = websocket_scope()

    async def main():
        recorder = Recorder(scope)

        async def receive():
            taken.append(len(recorder.sent))
            return await recorder.receive()

        with pytest.raises(BoomError) as caught:
            await ServerErrorMiddleware(failing(error=error, receives=receives))(scope, receive, recorder.send)
        return recorder.sent, caught.value

    assert anyio.run(main, backend=backend) == (DENIAL, error)
    assert taken == [0]


@pytest.mark.parametrize(
    "message",
    [{"type": "websocket.accept"}, {"type": "websocket.close"}, {"type": "websocket.http.response.start", "status": 401}],
    ids=lambda message: message["type"],
)  # fmt: skip
def test_exception_after_the_handshake_was_answered(message):
    """An accepted, refused or denied handshake is answered: nothing is added, and the exception goes up."""
    error = BoomError()
    sent, went_up = outcome(failing(message, error=error, receives=1), websocket_scope())
    assert sent == [message]
    assert sent[0] is message
    assert went_up is error


def test_other_messages_do_not_answer_a_handshake():
    """Messages that nobody knows yet pass, and the denial still follows."""
    message = {"type": "websocket.later"}
    assert outcome(failing(message), websocket_scope())[0] == [message, *DENIAL]


@pytest.mark.parametrize("extensions", [{}, None, {"other": {}}], ids=repr)
def test_handshake_without_the_extension(extensions):
    """Without the extension the exception is only raised: servers answer 500 themselves, a close would mean 403."""
    error = BoomError()
    assert outcome(failing(error=error), websocket_scope(extensions=extensions)) == ([], error)


def test_scope_without_extensions():
    """Daphne's scopes have no extensions at all."""
    error, scope = BoomError(), websocket_scope()
    del scope["extensions"]
    assert outcome(failing(error=error), scope) == ([], error)


def test_denial_after_the_client_left(caplog):
    """Uvicorn's `send` raises an OSError once the client has gone: the exception of the application goes up."""

    async def send(message):
        raise OSError

    async def main():
        recorder = Recorder(websocket_scope())
        with pytest.raises(BoomError):
            await ServerErrorMiddleware(failing())(websocket_scope(), recorder.receive, send)

    anyio.run(main)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_connection_passes():
    """A connection that goes well is not touched."""
    accept, data, close = (
        {"type": "websocket.accept"},
        {"type": "websocket.send", "text": "x"},
        {"type": "websocket.close"},
    )

    async def app(scope, receive, send):
        assert (await receive())["type"] == "websocket.connect"
        for message in (accept, data, close):
            await send(message)
        assert (await receive())["type"] == "websocket.disconnect"

    sent = run(ServerErrorMiddleware(app), websocket_scope())
    assert [id(message) for message in sent] == [id(accept), id(data), id(close)]


# debug


@pytest.mark.parametrize(
    ("accept", "shown"),
    [(b"*/*", None), (b"text/html", b"<pre>Traceback (most recent call last):\n"), (b"text/plain", b"\n\nTraceback (most recent")],
    ids=["json", "html", "text"],
)  # fmt: skip
def test_debug(accept, shown):
    """With debug, the traceback is shown in every form, as the member `traceback` in JSON."""
    sent, went_up = outcome(failing(), http_scope(headers=[(b"accept", accept)]), debug=True)
    assert isinstance(went_up, BoomError)
    body = sent[1]["body"]
    assert dict(sent[0]["headers"])[b"content-length"] == b"%d" % len(body)
    if shown:
        assert shown in body
        assert b"BoomError: secret" in body
    else:
        members = json.loads(body)
        assert list(members) == ["title", "status", "traceback"]
        assert members["traceback"].startswith("Traceback (most recent call last):\n")
        assert members["traceback"].endswith("BoomError: secret\n")


@pytest.mark.parametrize("accept", [b"*/*", b"text/html", b"text/plain"])
@pytest.mark.parametrize(
    "text", ["</pre><script>alert(1)</script>", '"}', "\x1b[2J\x00", "\ud800", "é\U0001f600", "x" * 1_000_000],
    ids=["markup", "json", "controls", "surrogate", "unicode", "huge"],
)  # fmt: skip
def test_debug_with_any_text(accept, text):
    """Whatever the text of the exception is, the answer is well-formed, bounded, and markup-free."""
    error = BoomError(text)
    sent, went_up = outcome(failing(error=error), http_scope(headers=[(b"accept", accept)]), debug=True)
    assert went_up is error
    body = sent[1]["body"].decode()
    assert len(body) < 100_000
    assert "\x1b" not in body
    if accept == b"*/*":
        assert "BoomError" in json.loads(body)["traceback"]
    elif accept == b"text/html":
        assert "<script>" not in body


def test_debug_of_an_exception_without_text():
    """An exception whose `str()` raises is shown as such, and goes up."""

    class BrokenError(Exception):
        def __str__(self):
            raise RuntimeError

    error = BrokenError()
    sent, went_up = outcome(failing(error=error), http_scope(), debug=True)
    assert "BrokenError: <exception str() failed>" in json.loads(sent[1]["body"])["traceback"]
    assert went_up is error


def test_debug_denies_with_the_traceback():
    """A denied handshake shows the traceback as well."""
    sent, _ = outcome(failing(), websocket_scope(), debug=True)
    assert sent[0]["type"] == "websocket.http.response.start"
    assert "BoomError: secret" in json.loads(sent[1]["body"])["traceback"]


def test_debug_does_not_ask_the_handler():
    """Like Starlette's: while debugging, the traceback is shown instead of the handler's answer."""
    asked = []
    sent, _ = outcome(failing(), http_scope(), debug=True, handler=lambda *args: asked.append(args))
    assert asked == []
    assert "traceback" in json.loads(sent[1]["body"])


# handler

ANSWER = (503, [(b"content-type", b"text/plain")], b"Sorry.")
ANSWERED = [
    {
        "type": "http.response.start",
        "status": 503,
        "headers": [(b"content-type", b"text/plain"), (b"content-length", b"6")],
    },
    {"type": "http.response.body", "body": b"Sorry.", "more_body": False},
]


def plain(scope, exc):
    return ANSWER


async def coroutine(scope, exc):
    await anyio.lowlevel.checkpoint()
    return ANSWER


def returns_awaitable(scope, exc):
    return coroutine(scope, exc)


class Callable:
    async def __call__(self, scope, exc):
        return ANSWER

    async def method(self, scope, exc):
        return ANSWER


@backends
@pytest.mark.parametrize(
    "handler", [plain, coroutine, Callable(), Callable().method, returns_awaitable],
    ids=["plain", "async", "object", "method", "returns awaitable"],
)  # fmt: skip
def test_handler(handler, backend):
    """A handler makes the answer, plain or async in any way; the exception goes up all the same."""
    error = BoomError()
    assert outcome(failing(error=error), http_scope(), backend=backend, handler=handler) == (ANSWERED, error)


def test_handler_gets_scope_and_exception():
    """The handler sees the very scope and exception."""
    seen, scope, error = [], http_scope(), BoomError()

    def handler(scope, exc):
        seen.append((scope, exc))
        return ANSWER

    outcome(failing(error=error), scope, handler=handler)
    assert seen == [(scope, error)]
    assert seen[0][0] is scope


def test_handler_and_head():
    """HEAD gets the headers of the handler's answer, and no body."""
    assert outcome(failing(), http_scope("HEAD"), handler=plain)[0] == [ANSWERED[0], {**ANSWERED[1], "body": b""}]


def test_handler_denies():
    """The handler's answer denies a handshake, too; it finds a `websocket` scope."""
    sent, _ = outcome(failing(), websocket_scope(), handler=lambda scope, exc: (500, [], scope["type"].encode()))
    assert sent == [
        {"type": "websocket.http.response.start", "status": 500, "headers": [(b"content-length", b"9")]},
        {"type": "websocket.http.response.body", "body": b"websocket", "more_body": False},
    ]


def test_handler_is_asked_in_need_only():
    """Without an exception, or after the start, the handler is not called."""
    asked = []

    async def app(scope, receive, send):
        await send(START)
        await send(BODY)

    outcome(app, http_scope(), handler=lambda *args: asked.append(args))
    outcome(failing(START), http_scope(), handler=lambda *args: asked.append(args))
    assert asked == []


def fails(scope, exc):
    raise ZeroDivisionError("in the handler")


async def fails_later(scope, exc):
    await anyio.lowlevel.checkpoint()
    raise exc


@backends
@pytest.mark.parametrize(
    "handler",
    [fails, fails_later, lambda: None, lambda scope, exc: None, lambda scope, exc: (500, [], "text"), lambda scope, exc: (99, [], b""),
     lambda scope, exc: (500, [(b"a\n", b"b")], b""), lambda scope, exc: (500, [b"ab"], b""), lambda scope, exc: (500, (1 / 0 for _ in "a"), b"")],
    ids=["raises", "raises the same", "signature", "None", "str", "status", "newline", "no pairs", "iterator raises"],
)  # fmt: skip
def test_handler_that_fails(handler, backend, caplog):
    """A handler that raises or returns garbage is logged with its traceback, and the plain 500 is sent."""
    error = BoomError("secret")
    with caplog.at_level(logging.ERROR):
        assert outcome(failing(error=error), http_scope(), backend=backend, handler=handler) == (PLAIN, error)
    (record,) = [record for record in caplog.records if record.name == "middlewares.server_errors"]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert record.exc_info[1] is not None


def test_handler_that_is_cancelled():
    """Cancellation in a handler goes up: it is no failure of the handler."""

    async def handler(scope, exc):
        await anyio.sleep_forever()

    async def main():
        recorder = Recorder(http_scope())
        with anyio.move_on_after(0) as cancelled:
            await ServerErrorMiddleware(failing(), handler=handler)(http_scope(), recorder.receive, recorder.send)
        return cancelled.cancelled_caught, recorder.sent

    assert anyio.run(main) == (True, [])


# The rules of every middleware


@pytest.mark.parametrize("kind", ["lifespan", "later"])
def test_other_scopes_pass_with_the_same_objects(kind):
    """Scopes of other types pass with the same scope, receive and send, and their exceptions unchanged."""
    seen, error = [], ValueError("unsupported")

    async def app(*arguments):
        seen.extend(arguments)
        raise error

    scope, receive, send = {"type": kind}, object(), object()

    async def main():
        with pytest.raises(ValueError, match="unsupported") as caught:
            await ServerErrorMiddleware(app)(scope, receive, send)
        return caught.value

    assert anyio.run(main) is error
    assert [id(argument) for argument in seen] == [id(scope), id(receive), id(send)]


def test_call_by_keyword():
    """Daphne calls with keywords: scope, receive, send."""

    async def main():
        scope = http_scope()
        recorder = Recorder(scope)
        with pytest.raises(BoomError):
            await ServerErrorMiddleware(app=failing())(scope=scope, receive=recorder.receive, send=recorder.send)
        return recorder.sent

    assert anyio.run(main) == PLAIN


@pytest.mark.parametrize("place", ["__init__", "__call__"])
def test_asgi_2_application(place):
    """An ASGI 2 class works wrapped, stays `.app`, and is answered for wherever it raises."""

    class App:
        def __init__(self, scope):
            if place == "__init__":
                raise BoomError

        async def __call__(self, receive, send):
            raise BoomError

    assert ServerErrorMiddleware(App).app is App
    sent, went_up = outcome(App, http_scope())
    assert sent == PLAIN
    assert isinstance(went_up, BoomError)


@pytest.mark.parametrize("keywords", [{"debug": "false"}, {"handler": 5}], ids=repr)
def test_bad_configuration_fails_when_built(keywords):
    """A wrong keyword is named at construction."""
    with pytest.raises(TypeError, match=f"{next(iter(keywords))} must be"):
        ServerErrorMiddleware(failing(), **keywords)


def test_two_layers():
    """Stacked twice, the inner one answers, and the outer one sees a response that has begun."""
    error = BoomError()
    assert outcome(ServerErrorMiddleware(failing(error=error)), http_scope()) == (PLAIN, error)
