"""The parts `stores` and `sessions-load`: what a call of each store of sessions takes, and whether writes get lost.

The store of Redis is measured on a redis-server that is started for that; where none is installed, its row says so.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from middlewares.sessions import SessionMiddleware

from .harness import receive, send
from .report import Table

ID = "0" * 64
DATA = b'{"user": 12345, "cart": [1, 2, 3], "csrf": "5f4dcc3b5aa765d61d8327deb882cf99"}'
TTL = 3600
SHARED = ["SQLiteStore", "RedisStore"]
PROCESSES = 4
CLIENTS = 64
START_SECONDS = 60
NO_REDIS = "no redis-server here"

_barriers: list[Any] = []


def tables(*, rounds: int, requests: int) -> list[Table]:
    """One table: the time of each call of each store, one after the other."""
    return [
        Table(
            title=f"microseconds of wall time for a call of a store, at the quietest of {rounds} rounds of {requests}",
            columns=["store", "get", "update", "create", ""],
            rows=[_times(name, rounds, requests) for name in ("MemoryStore", *SHARED, "SQLAlchemyStore")],
        )
    ]


def load_tables(*, writes: int) -> list[Table]:
    """One table: many clients in several processes write keys of their own into one session, through the middleware."""
    return [
        Table(
            title=f"{CLIENTS} clients in {PROCESSES} processes, each writing its own key of one session {writes} times",
            columns=["store", "writes", "lost", "failed", "a second", "slowest ms", ""],
            rows=[_load(name, writes) for name in SHARED],
        )
    ]


def _times(name: str, rounds: int, requests: int) -> list[Any]:
    with _place(name) as place:
        return (
            [name, None, None, None, NO_REDIS] if place is None else asyncio.run(_time(name, place, rounds, requests))
        )


async def _time(name: str, place: str, rounds: int, requests: int) -> list[Any]:
    store, close = _store(name, place)
    await store.create(ID, DATA, TTL)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: store.get(ID),
        lambda: store.update(ID, lambda data: data, TTL),
        lambda: store.create(ID, DATA, TTL),
    ]
    quietest = [float("inf")] * len(calls)
    for _ in range(rounds):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(requests):
                await call()
            quietest[index] = min(quietest[index], time.perf_counter() - start)
    await close()
    return [name, *(round(took / requests * 1e6) for took in quietest)]


def _load(name: str, writes: int) -> list[Any]:
    with _place(name) as place:
        if place is None:
            return [name, None, None, None, None, None, NO_REDIS]
        cookie = asyncio.run(_begin(name, place))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, context, _meet_at, [context.Barrier(PROCESSES)]) as pool:
            futures = [pool.submit(_work, name, place, cookie, first, writes) for first in range(PROCESSES)]
            found = [future.result() for future in futures]
        starts, ends, slowest, failed, lost = zip(*found, strict=True)
        session = asyncio.run(_end(name, place, cookie))
    written = CLIENTS * writes - sum(failed)
    # Whether a write that failed was stored all the same is open.
    lost_at_last = sum(session.get(f"client {client}") != writes for client in range(CLIENTS)) if not sum(failed) else 0
    rate = written / (max(ends) - min(starts))
    return [name, written, sum(lost) + lost_at_last, sum(failed), round(rate), round(max(slowest) * 1000)]


def _meet_at(barrier: Any) -> None:
    """In each new process: keep what was inherited, which cannot be sent later."""
    _barriers.append(barrier)


def _work(name: str, place: str, cookie: bytes, first: int, writes: int) -> tuple[float, float, float, int, int]:
    """When the clients of one process began and ended, their slowest request, and how many failed or missed a write."""
    return asyncio.run(_clients(name, place, cookie, first, writes))


async def _clients(
    name: str, place: str, cookie: bytes, first: int, writes: int
) -> tuple[float, float, float, int, int]:
    store, close = _store(name, place)
    await store.get(ID)  # connected before the clock runs
    _barriers[0].wait(START_SECONDS)
    start = time.monotonic()  # of the machine: the same in all processes
    lists = await asyncio.gather(
        *(_client(store, cookie, f"client {client}", writes) for client in range(first, CLIENTS, PROCESSES))
    )
    end = time.monotonic()
    await close()
    slowest, failed, lost = zip(*lists, strict=True)
    return start, end, max(slowest), sum(failed), sum(lost)


async def _client(store: Any, cookie: bytes, key: str, writes: int) -> tuple[float, int, int]:
    slowest, failed, lost = 0.0, 0, 0
    expected: int | None = 0

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        nonlocal lost, expected
        found = scope["session"].get(key, 0)
        lost += expected is not None and found != expected
        scope["session"][key] = expected = found + 1
        await send({"type": "http.response.start", "status": 204, "headers": []})

    wrapped = SessionMiddleware(app, store=store)
    for _ in range(writes):
        start = time.monotonic()
        try:
            await wrapped({"type": "http", "headers": [(b"cookie", cookie)]}, receive, send)
        except Exception:  # noqa: BLE001 - counted, whatever it is
            failed += 1
            expected = None  # whether it was stored all the same is open
        slowest = max(slowest, time.monotonic() - start)
    return slowest, failed, lost


async def _begin(name: str, place: str) -> bytes:
    """A session, and its cookie."""
    cookie = b""

    async def send(message: Any) -> None:
        nonlocal cookie
        cookie = dict(message["headers"])[b"set-cookie"].partition(b";")[0]

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        scope["session"]["begun"] = True
        await send({"type": "http.response.start", "status": 204, "headers": []})

    store, close = _store(name, place)
    await SessionMiddleware(app, store=store)({"type": "http", "headers": []}, receive, send)
    await close()
    return cookie


async def _end(name: str, place: str, cookie: bytes) -> dict[str, Any]:
    """What the session holds."""
    found: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.update(scope["session"])

    store, close = _store(name, place)
    await SessionMiddleware(app, store=store)({"type": "http", "headers": [(b"cookie", cookie)]}, receive, send)
    await close()
    return found


def _store(name: str, place: str) -> tuple[Any, Callable[[], Awaitable[Any]]]:
    """A store, and what closes it. The modules of those that are not asked for need not be there."""
    if name == "SQLAlchemyStore":
        from sqlalchemy.ext.asyncio import create_async_engine

        from middlewares.sessions.stores.sqlalchemy import SQLAlchemyStore

        engine = create_async_engine(f"sqlite+aiosqlite:///{place}")
        return SQLAlchemyStore(engine), engine.dispose
    if name == "RedisStore":
        from middlewares.sessions.stores.redis import RedisStore

        store: Any = RedisStore(place)
    elif name == "SQLiteStore":
        from middlewares.sessions.stores.sqlite import SQLiteStore

        store = SQLiteStore(place)
    else:
        from middlewares.sessions.stores.memory import MemoryStore

        store = MemoryStore()
    return store, store.aclose


@contextmanager
def _place(name: str) -> Iterator[str | None]:
    """Where a store can be until the end of the block; None if this machine has no server for it."""
    with tempfile.TemporaryDirectory() as directory:
        program = shutil.which("redis-server")
        if name != "RedisStore":
            yield f"{directory}/sessions.sqlite"
        elif program is None:
            yield None
        else:
            path = f"{directory}/redis.socket"
            server = subprocess.Popen(
                [program, "--port", "0", "--unixsocket", path, "--dir", directory, "--save", ""],
                stdout=subprocess.DEVNULL,
            )
            try:
                _wait_for(path)
                yield f"unix://{path}"
            finally:
                server.kill()
                server.wait()


def _wait_for(path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                return probe.connect(path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.02)
