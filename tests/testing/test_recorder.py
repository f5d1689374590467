"""The recorder: what it feeds, when it says that the client has left, what it keeps."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from middlewares.testing import Recorder, http_scope, lifespan_scope, record, run, websocket_scope

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b""}
MORE = {"type": "http.response.body", "body": b"x", "more_body": True}


def received(app_sends: list[Any], scope: Any, *incoming: Any, count: int, backend: str = "asyncio") -> list[Any]:
    """What an application receives that sends all of `app_sends` first."""
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in app_sends:
            await send(message)
        got.extend([await receive() for _ in range(count)])

    assert run(app, scope, *incoming, backend=backend) == app_sends
    return got


def test_http_scope():
    """The scope has every key of the specification that servers give ("HTTP Connection Scope"), with their types."""
    assert http_scope() == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


def test_websocket_scope():
    """A WebSocket's scope has no method, but subprotocols ("Websocket Connection Scope") and the denial extension."""
    scope = websocket_scope("/chat")
    assert scope["type"] == "websocket"
    assert scope["scheme"] == "ws"
    assert scope["subprotocols"] == []
    assert scope["extensions"] == {"websocket.http.response": {}}
    assert "method" not in scope


def test_lifespan_scope():
    """A lifespan's scope has a state, and nothing of a connection ("Lifespan", "Scope")."""
    assert lifespan_scope() == {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}


@pytest.mark.parametrize("make", [http_scope, websocket_scope, lifespan_scope])
def test_more_keys(make):
    """Keywords add keys to a scope or replace them."""
    scope = make(state={"a": 1}, own="x")
    assert scope["state"] == {"a": 1}
    assert scope["own"] == "x"


def test_scopes_share_nothing():
    """Each scope has its own mutable parts."""
    headers = [(b"a", b"1")]
    scope = http_scope(headers=headers)
    scope["state"]["x"] = 1
    scope["headers"].append((b"b", b"2"))
    assert http_scope()["state"] == {}
    assert headers == [(b"a", b"1")]


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/", b"/"),
        ("/a b", b"/a%20b"),
        ("/中", b"/%E4%B8%AD"),
        ("/50%", b"/50%25"),
        ("/x?y", b"/x%3Fy"),
        ("/~a:b", b"/~a:b"),
    ],
)
def test_raw_path(path, raw):
    """`raw_path` is what a client has sent to be given this `path`: percent-encoded."""
    assert http_scope(path=path)["raw_path"] == raw


@BACKENDS
@pytest.mark.parametrize(
    ("scope", "sends", "expected"),
    [
        pytest.param(
            http_scope(),
            [START, END],
            [{"type": "http.request", "body": b"", "more_body": False}, *[{"type": "http.disconnect"}] * 2],
            id="http",
        ),
        pytest.param(
            websocket_scope(),
            [{"type": "websocket.close"}],
            [{"type": "websocket.connect"}, *[{"type": "websocket.disconnect", "code": 1006}] * 2],
            id="websocket",
        ),
        pytest.param(
            lifespan_scope(), [], [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}], id="lifespan"
        ),
    ],
)
def test_default_messages(scope, sends, expected, backend):
    """Without messages, the client sends what the smallest client does; after the end, it is gone."""
    assert received(sends, scope, count=len(expected), backend=backend) == expected


@BACKENDS
@pytest.mark.parametrize(
    ("scope", "gone"),
    [
        (http_scope(), {"type": "http.disconnect"}),
        (websocket_scope(), {"type": "websocket.disconnect", "code": 1001}),
    ],
    ids=["http", "websocket"],
)
def test_disconnect_in_the_middle(scope, gone, backend):
    """A disconnect that was given comes before the end of the response, and then again and again."""
    assert received([], scope, gone, count=3, backend=backend) == [gone] * 3


@pytest.mark.parametrize(
    ("scope", "open_", "end"),
    [
        pytest.param(http_scope(), [START, MORE], END, id="body"),
        pytest.param(http_scope(), [START], {"type": "http.response.pathsend", "path": "/a"}, id="pathsend"),
        pytest.param(http_scope(), [START], {"type": "http.response.zerocopysend", "file": 1}, id="zerocopysend"),
        pytest.param(
            http_scope(),
            [
                {**START, "trailers": True},
                END,
                {"type": "http.response.trailers", "headers": [], "more_trailers": True},
            ],
            {"type": "http.response.trailers", "headers": []},
            id="trailers",
        ),
        pytest.param(
            websocket_scope(),
            [{"type": "websocket.http.response.start", "status": 403}],
            {"type": "websocket.http.response.body"},
            id="denial",
        ),
        pytest.param(
            websocket_scope(), [{"type": "websocket.accept"}], {"type": "websocket.close", "code": 1000}, id="close"
        ),
        pytest.param(
            lifespan_scope(),
            [{"type": "lifespan.startup.complete"}],
            {"type": "lifespan.shutdown.complete"},
            id="lifespan",
        ),
    ],
)
def test_end(scope, open_, end):
    """`receive` waits for the message that ends the response, and for no other."""
    seen: list[str] = []

    async def play() -> None:
        recorder = Recorder(scope, {"type": "first"})
        await recorder.receive()

        async def wait() -> None:
            seen.append((await recorder.receive())["type"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for message in open_:
                await recorder.send(message)
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            await recorder.send(end)

    anyio.run(play)
    assert seen == [f"{scope['type']}.disconnect"]


@BACKENDS
def test_asgi2(backend):
    """An ASGI 2 application is run, too."""

    class App:
        def __init__(self, scope: Any) -> None:
            self.scope = scope

        async def __call__(self, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "path": self.scope["path"]})

    expected = [{"type": "http.response.start", "status": 200, "path": "/a"}]
    assert run(App, http_scope(path="/a"), backend=backend) == expected
    assert anyio.run(record, App, http_scope(path="/a"), backend=backend) == expected


def test_exceptions_pass():
    """An exception of the application reaches the test; a recorder still has what was sent before."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        run(app, http_scope())

    async def play() -> list[Any]:
        recorder = Recorder(http_scope())
        with pytest.raises(KeyError, match="gone"):
            await app(http_scope(), recorder.receive, recorder.send)
        return recorder.sent

    assert anyio.run(play) == [START]
