"""Stores that fail under the middleware: what a request gets, how soon, and that all is well when the store is back.

Contract: with `on_store_error="raise"` an error before any response, with `"ignore"` an empty session, a warning, and no
cookie set or removed; both within 8 seconds.
"""

import json
import logging
import sqlite3
import time
from contextlib import asynccontextmanager

import anyio
import pytest

from middlewares.sessions import SessionMiddleware
from middlewares.sessions.stores.redis import RedisStore
from middlewares.sessions.stores.sqlite import SQLiteStore
from middlewares.testing import Recorder, http_scope
from tests.conftest import require
from tests.sessions.engines import RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.anyio]

modes = pytest.mark.parametrize("on_store_error", ["raise", "ignore"])


@pytest.fixture
def anyio_backend(request):
    return getattr(request, "param", "asyncio")


async def application(scope, receive, send):
    """`/set/<key>` writes; the answer is the session as JSON."""
    if scope["path"].startswith("/set/"):
        scope["session"][scope["path"].removeprefix("/set/")] = 1
    body = json.dumps(scope["session"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def ask(app, path, cookie=None):
    """The session in the answer, and its Set-Cookie; the exception if there is no answer. In 8 s at most."""
    scope = http_scope("GET", path, [] if cookie is None else [(b"cookie", cookie)])
    recorder = Recorder(scope)
    start = time.monotonic()
    try:
        await app(scope, recorder.receive, recorder.send)
    except Exception as error:
        assert [] == recorder.sent
        return error, None
    finally:
        assert time.monotonic() - start < 8
    names = dict(recorder.sent[0]["headers"])
    return json.loads(recorder.sent[1]["body"]), names.get(b"set-cookie", b"").partition(b";")[0] or None


async def ask_all(app, *requests):
    """Several requests at once."""
    answers = {}

    async def one(request):
        answers[request] = await ask(app, *request)

    async with anyio.create_task_group() as tasks:
        for request in requests:
            tasks.start_soon(one, request)
    return [answers[request] for request in requests]


@asynccontextmanager
async def application_on(store, on_store_error):
    """The application on a store, and the cookie of a session with one key."""
    app = SessionMiddleware(application, secret_key="key", store=store, on_store_error=on_store_error)
    session, cookie = await ask(app, "/set/old")
    assert ({"old": 1}, True) == (session, cookie is not None)
    yield app, cookie
    await store.aclose()


def check(answers, on_store_error, caplog, errors):
    """Each request was answered as the contract says, and the log tells why."""
    if on_store_error == "raise":
        assert all(isinstance(answer, errors) for answer, _ in answers), answers
        return
    assert all(isinstance(answer, dict) and "old" not in answer and cookie is None for answer, cookie in answers)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(answers) <= len(warnings)
    assert all("the store of sessions failed" in record.getMessage() for record in warnings)


@modes
@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_redis_away(tmp_path, fault, on_store_error, caplog):
    """A redis-server that is killed or frozen; with it the sessions come back."""
    redis = require("redis")
    server = RedisServer(tmp_path, "--appendonly", "yes")
    try:
        server.start()
        async with application_on(RedisStore(server.url), on_store_error) as (app, cookie):
            server.kill() if fault == "killed" else server.freeze()
            answers = await ask_all(app, ("/", cookie), ("/set/new", cookie), ("/set/new",))
            check(answers, on_store_error, caplog, (redis.ConnectionError, TimeoutError))
            assert ({}, None) == await ask(app, "/")  # an untouched session asks no store
            server.start() if fault == "killed" else server.thaw()
            assert {"old": 1, "again": 1} == (await ask(app, "/set/again", cookie))[0]
            assert {"old": 1, "again": 1} == (await ask(app, "/", cookie))[0]
    finally:
        server.kill()


@modes
async def test_redis_full(tmp_path, on_store_error, caplog):
    """A redis-server without room: sessions are read, and writes fail; with room again they do not."""
    redis = require("redis")
    server = RedisServer(tmp_path)
    try:
        server.start()
        async with (
            redis.asyncio.Redis(port=server.port) as admin,
            application_on(RedisStore(server.url), on_store_error) as (app, cookie),
        ):
            await admin.config_set("maxmemory", 1)
            assert {"old": 1} == (await ask(app, "/", cookie))[0]
            (changed, set_cookie), created = await ask_all(app, ("/set/new", cookie), ("/set/new",))
            if on_store_error == "ignore":
                assert ({"old": 1, "new": 1}, None) == (changed, set_cookie)  # the application saw what it wrote
                changed = {}
            check([(changed, set_cookie), created], on_store_error, caplog, redis.ResponseError)
            await admin.config_set("maxmemory", 0)
            assert {"old": 1} == (await ask(app, "/", cookie))[0]
            await ask(app, "/set/new", cookie)
            assert {"old": 1, "new": 1} == (await ask(app, "/", cookie))[0]
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("on_store_error", "anyio_backend"), [("raise", "asyncio"), ("ignore", "trio")], indirect=["anyio_backend"]
)
async def test_sqlite_locked(tmp_path, on_store_error, caplog, anyio_backend):
    """A file that another connection locks: sessions are read, and writes fail; when it is free again they do not."""
    path = tmp_path / "sessions.sqlite"
    async with application_on(SQLiteStore(path), on_store_error) as (app, cookie):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        (changed, set_cookie), created, (read, _) = await ask_all(
            app, ("/set/new", cookie), ("/set/new",), ("/", cookie)
        )
        assert {"old": 1} == read
        if on_store_error == "ignore":
            assert ({"old": 1, "new": 1}, None) == (changed, set_cookie)
            changed = {}
        check([(changed, set_cookie), created], on_store_error, caplog, (sqlite3.OperationalError, TimeoutError))
        other.execute("COMMIT")
        other.close()
        await ask(app, "/set/new", cookie)
        assert {"old": 1, "new": 1} == (await ask(app, "/", cookie))[0]
