"""The lint as a middleware: on both backends, inside and outside of others, around ASGI 2, and when nobody listens."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from middlewares.testing import Lint, LintError, Recorder, http_scope, lifespan_scope, run, websocket_scope

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
START = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"1")]}
END = {"type": "http.response.body", "body": b"x"}


async def good(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await receive()
        await send(START)
        await send(END)
        assert await receive() == {"type": "http.disconnect"}
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["text"] == "a"
        await send({"type": "websocket.close", "code": 1000})
    else:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


class Good2:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await good(self.scope, receive, send)


@BACKENDS
@pytest.mark.parametrize("app", [good, Good2], ids=["asgi3", "asgi2"])
@pytest.mark.parametrize("layers", [1, 3])
def test_legal_conversations(app, layers, backend):
    """What is legal goes through any number of layers unchanged, over all three protocols."""
    for _ in range(layers):
        app = Lint(app)
    assert run(app, http_scope(), backend=backend) == [START, END]
    chat = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "a"}]
    assert [message["type"] for message in run(app, websocket_scope(), *chat, backend=backend)] == [
        "websocket.accept",
        "websocket.close",
    ]
    assert len(run(app, lifespan_scope(), backend=backend)) == 2


def test_app_is_kept():
    """`.app` is what was passed, also an ASGI 2 class, positional or by keyword."""
    assert Lint(Good2).app is Good2
    assert Lint(app=good).app is good


def test_same_objects():
    """Scope and messages go through as the same objects."""
    scope, request = http_scope(), {"type": "http.request", "body": b""}
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([scope, await receive()])
        await send(START)
        await send(END)

    sent = run(Lint(app), scope, request)
    assert [id(item) for item in [*seen, *sent]] == [id(item) for item in (scope, request, START, END)]


def test_unknown_scope_types():
    """A scope type without a specification is passed on with the same `receive` and `send`."""
    seen: list[Any] = []

    async def app(*args: Any) -> None:
        seen.extend(args)

    async def play() -> None:
        recorder = Recorder({"type": "telegraph"})
        scope, receive, send = {"type": "telegraph"}, recorder.receive, recorder.send
        await Lint(app)(scope, receive, send)
        assert all(given is passed for given, passed in zip(seen, (scope, receive, send), strict=True))

    anyio.run(play)
    assert len(seen) == 3


@BACKENDS
def test_application_at_fault(backend):
    """The error comes out of `send`, before the server has got the message."""
    recorded: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(END)

    async def play() -> None:
        recorder = Recorder(http_scope())
        try:
            await Lint(app)(http_scope(), recorder.receive, recorder.send)
        finally:
            recorded.extend(recorder.sent)

    with pytest.raises(LintError, match=r"the application broke a rule: http\.response\.body before the start"):
        anyio.run(play, backend=backend)
    assert recorded == []


@BACKENDS
def test_server_at_fault(backend):
    """The error comes out of `receive`, or of the call where it is the scope."""
    with pytest.raises(LintError, match=r"the server broke a rule: http\.request: body is ''"):
        run(Lint(good), http_scope(), {"type": "http.request", "body": ""}, backend=backend)
    with pytest.raises(LintError, match="the server broke a rule: scope: path is b'/'"):
        run(Lint(good), {**http_scope(), "path": b"/"}, backend=backend)


def test_middleware_between():
    """Inside and outside of a middleware: inside it is the server, outside the application."""

    def middleware(spoil_scope: bool) -> Any:
        async def spoils(scope: Any, receive: Any, send: Any) -> None:
            async def spoiled(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [(b"X-Big", b"1")]}
                await send(message)

            if spoil_scope:
                await Lint(good)({**scope, "headers": [(b"X-Big", b"1")]}, receive, send)
            else:
                await Lint(good)(scope, receive, spoiled)

        return spoils

    for spoil_scope, fault in ((True, "server"), (False, "application")):
        with pytest.raises(LintError) as caught:
            run(Lint(middleware(spoil_scope)), http_scope())
        assert caught.value.fault == fault


def test_response_not_completed():
    """An application that returns without an end of its response is at fault; one that raises has its own error."""

    async def stops(scope: Any, receive: Any, send: Any) -> None:
        await send(START)

    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        raise KeyError("own")

    with pytest.raises(LintError, match=r"it returned, but no final http\.response\.body"):
        run(Lint(stops), http_scope())
    with pytest.raises(KeyError, match="own"):
        run(Lint(breaks), http_scope())


@BACKENDS
def test_client_leaves(backend):
    """Who was told that the client has left may stop at once."""

    async def stops(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        assert await receive() == {"type": "http.disconnect"}

    assert run(Lint(stops), http_scope(), {"type": "http.disconnect"}, backend=backend) == [START]


def test_send_raises():
    """An OSError of the server passes unchanged, and who catches it may stop ("Disconnected Client")."""
    error = OSError("gone")

    async def send(message: Any) -> None:
        raise error

    async def stops(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(OSError, match="gone") as caught:
            await send(START)
        assert caught.value is error

    async def play() -> None:
        await Lint(stops)(http_scope(), Recorder(http_scope()).receive, send)

    anyio.run(play)


def test_swallowed_errors():
    """An error that the application swallows is raised at the end."""

    async def swallows(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            with pytest.raises(LintError):
                await send({**START, "status": "200"})

    with pytest.raises(LintError, match="status is '200'"):
        run(Lint(swallows), http_scope())


def test_server_changes_a_message():
    """A layer above that writes into the application's message is found out at once."""

    async def writes(message: Any) -> None:
        if "headers" in message:
            message["headers"].append((b"server", b"x"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": []})

    async def play() -> None:
        await Lint(app)(http_scope(), Recorder(http_scope()).receive, writes)

    with pytest.raises(LintError, match="the server broke a rule: a message that was sent was changed"):
        anyio.run(play)


def test_application_changes_what_it_received():
    """A message that was received and then written to is found when the next one is asked for."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        message["body"] = b""
        await receive()

    with pytest.raises(LintError, match="a message that was received was changed"):
        run(Lint(app), http_scope(), {"type": "http.request", "body": b"a"}, {"type": "http.disconnect"})


class _Awaitable:
    """What granian's `receive` and `send` return: an awaitable that is no coroutine."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Any:
        return self._coroutine.__await__()


def test_awaitables():
    """`receive` and `send` of the server may return any awaitable."""
    sent: list[Any] = []

    async def play() -> None:
        recorder = Recorder(http_scope())
        await Lint(good)(
            http_scope(), lambda: _Awaitable(recorder.receive()), lambda message: _Awaitable(recorder.send(message))
        )
        sent.extend(recorder.sent)

    anyio.run(play)
    assert sent == [START, END]
