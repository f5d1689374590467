"""Records in a file of SQLite, on the standard library's `sqlite3`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet, finalize

from . import WAIT_SECONDS, Update

if TYPE_CHECKING:
    from sqlite3 import Connection

T = TypeVar("T")

_READERS = 4  # threads; SQLite's readers do not wait for each other, its writers do
_PURGED_AT_ONCE = 1000  # so that no purge holds the lock for long
_numbers = count()
_stores: WeakSet[SQLiteStore] = WeakSet()


class SQLiteStore:
    """Sessions in one file, shared by all threads and processes of one machine.

    The file is made on first use, in SQLite's WAL mode, where readers wait for nobody. Work is done in threads, off the
    event loop, on asyncio and trio. A locked file is waited for, up to 3 seconds in all. Each creation also removes a
    few expired records, so that the file does not grow without end; `purge` removes all.

    A crash of the process loses nothing that was stored. When power fails, the writes of the last moments may be lost,
    but the file stays whole (`PRAGMA synchronous = NORMAL`). The file must lie on a disk of the machine: locks and WAL
    do not work over a network.

    A server may fork its workers after the store was made and used, but not while one of its calls runs.

    Args:
        path: The file. It is made, and its directory must be there. Who can read it can read the sessions' data.

    Raises:
        TypeError: `path` is no str and no `Path`.
        ValueError: `path` names no file, or its directory is missing.

    Source: https://www.sqlite.org/wal.html
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Third-party or slow to import, so not with the room; here, so not on the first request.
        import sqlite3
        from pathlib import Path

        from anyio import CapacityLimiter, fail_after, to_thread
        from anyio.lowlevel import RunVar

        if not isinstance(path, str) and not (isinstance(path, os.PathLike) and isinstance(os.fspath(path), str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"path must be a str or a Path, such as 'sessions.sqlite' (got {path!r})")
        if (name := os.fspath(path)) in {"", ":memory:"} or "\0" in name or name.startswith("file:"):
            raise ValueError(f"path must name a file, such as 'sessions.sqlite' (got {name!r}); or use MemoryStore()")
        self._path = Path(path).absolute()  # where it is does not change when the process changes its directory
        if self._path.is_dir():
            raise ValueError(f"path must name a file (got {name!r}, which is a directory)")
        if not self._path.parent.is_dir():
            raise ValueError(f"path must lie in a directory that exists (got {name!r}): make {self._path.parent}")

        self._sqlite3 = sqlite3
        self._fail_after = fail_after
        self._run_sync = to_thread.run_sync
        self._new_limiter = CapacityLimiter
        number = next(_numbers)  # anyio once told such variables apart by their names
        self._readers: RunVar[Any] = RunVar(f"middlewares.sessions.sqlite.readers.{number}")
        self._writers: RunVar[Any] = RunVar(f"middlewares.sessions.sqlite.writers.{number}")
        self._clock = time.time
        self._idle: list[Connection] = []
        finalize(self, _close, self._idle)
        _stores.add(self)

    async def get(self, id: str) -> bytes | None:
        """See `SessionStore.get`."""

        def read(connection: Connection) -> bytes | None:
            return self._data(connection, id)

        return await self._in_thread(self._readers, read)

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        """See `SessionStore.create`."""

        def write(connection: Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            now = self._clock()  # after the wait for the lock
            self._drop_expired(connection, 10)
            connection.execute("INSERT OR REPLACE INTO asgi_sessions VALUES (?, ?, ?)", (id, data, now + ttl))
            connection.execute("COMMIT")

        await self._in_thread(self._writers, write)

    async def update(self, id: str, fn: Update, ttl: int) -> bool:
        """See `SessionStore.update`. `fn` runs in a thread."""

        def write(connection: Connection) -> bool:
            connection.execute("BEGIN IMMEDIATE")
            data = self._data(connection, id)
            if data is not None:
                data = fn(data)
            if data is None:
                connection.execute("ROLLBACK")
                return False
            connection.execute(
                "UPDATE asgi_sessions SET data = ?, expires = ? WHERE id = ?", (data, self._clock() + ttl, id)
            )
            connection.execute("COMMIT")
            return True

        return await self._in_thread(self._writers, write)

    async def delete(self, id: str) -> None:
        """See `SessionStore.delete`."""

        def write(connection: Connection) -> None:
            connection.execute("DELETE FROM asgi_sessions WHERE id = ?", (id,))

        await self._in_thread(self._writers, write)

    async def purge(self) -> int:
        """Remove all expired records, and tell how many there were."""

        def write(connection: Connection) -> int:
            return self._drop_expired(connection, _PURGED_AT_ONCE)

        total = 0
        while True:
            dropped = await self._in_thread(self._writers, write)
            total += dropped
            if dropped < _PURGED_AT_ONCE:
                return total

    async def aclose(self) -> None:
        """Close the file. Calls that come all the same open it again."""
        await self._run_sync(_close, self._idle)

    async def _in_thread(self, limiters: Any, work: Callable[[Connection], T]) -> T:
        limiter = limiters.get(None)
        if limiter is None:
            # Threads of our own: slow endpoints, which share the default ones, do not keep sessions waiting. One writer
            # at a time in each event loop: they wait in line here, while SQLite's way to wait is to try again.
            limiter = self._new_limiter(_READERS if limiters is self._readers else 1)
            limiters.set(limiter)
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            with self._fail_after(WAIT_SECONDS):  # until there is a thread; a thread that works is not left alone
                return await self._run_sync(self._work, work, deadline, limiter=limiter)
        except TimeoutError:
            raise TimeoutError(f"{self._path} was busy for {WAIT_SECONDS} seconds") from None

    def _work(self, work: Callable[[Connection], T], deadline: float) -> T:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect(deadline)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_tenths_left(deadline) * 100}")
            result = work(connection)
        except BaseException:
            connection.close()  # takes back what is not committed, also where a ROLLBACK would fail
            raise
        self._idle.append(connection)
        return result

    def _connect(self, deadline: float) -> Connection:
        connection = self._sqlite3.connect(
            self._path, timeout=_tenths_left(deadline) / 10, isolation_level=None, check_same_thread=False
        )
        try:
            while True:
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    break
                except self._sqlite3.OperationalError as error:
                    # SQLite itself does not wait for the lock that a change of the mode takes.
                    if error.sqlite_errorcode & 0xFF != self._sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS asgi_sessions "
                "(id TEXT PRIMARY KEY, data BLOB NOT NULL, expires REAL NOT NULL)"
            )
            connection.execute("CREATE INDEX IF NOT EXISTS asgi_sessions_expires ON asgi_sessions (expires)")
        except BaseException:
            connection.close()
            raise
        return connection

    def _data(self, connection: Connection, id: str) -> bytes | None:
        row = connection.execute(
            "SELECT data FROM asgi_sessions WHERE id = ? AND expires > ?", (id, self._clock())
        ).fetchone()
        return None if row is None else row[0]

    def _drop_expired(self, connection: Connection, most: int) -> int:
        return connection.execute(
            "DELETE FROM asgi_sessions WHERE id IN (SELECT id FROM asgi_sessions WHERE expires <= ? LIMIT ?)",
            (self._clock(), most),
        ).rowcount


def _tenths_left(deadline: float) -> int:
    """How many tenths of a second are left; so coarse that the statements made of it are few."""
    return max(0, round((deadline - time.monotonic()) * 10))


def _close(connections: list[Connection]) -> None:
    while connections:
        connections.pop().close()


def _close_all() -> None:
    for store in list(_stores):
        _close(store._idle)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


# A connection that a child inherits must be neither used nor closed there (https://www.sqlite.org/howtocorrupt.html
# 2.6): it gets none. Windows has no fork, and no such function.
getattr(os, "register_at_fork", dict)(before=_close_all)
