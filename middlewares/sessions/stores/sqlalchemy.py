"""Records in one table of a database, on an asynchronous engine of SQLAlchemy, which is imported with a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from secrets import randbits
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

from . import Update
from ._asyncio import Turns, rest, within_time

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# A database that was frozen, and a file of SQLite that was locked for the 5 seconds that its driver waits, go on with
# what they were asked, and the connection is used again. A statement that is cancelled costs its connection, and with
# aiosqlite it may keep the event loop from ending.
_PATIENCE = 10
_PURGED_AT_ONCE = 500  # SQLite once took no more than 999 parameters


class SQLAlchemyStore:
    """Sessions in PostgreSQL, MySQL or another database that SQLAlchemy reaches asynchronously; on asyncio only.

    It needs one table, and makes it on first use unless it is there. Where the application's user may not do that, call
    `await store.create_table()` as another user, or let a migration make `store.table`.

    Expired records are absent, but stay in the table until `purge` removes them: call it once in a while, from one
    process, such as every hour. The hosts of all processes tell the time, so keep their clocks in step.

    Each call raises after 3 seconds, whatever the timeouts of the driver and of the pool, and works again when the
    database does. Statements commit by themselves, apart from the application's transactions. For a file of SQLite,
    use `SQLiteStore`: it is faster, and runs on trio, too.

    Args:
        async_engine: What `sqlalchemy.ext.asyncio.create_async_engine` makes. It stays yours to dispose of.
        table: The name of the table. Default: `"asgi_sessions"`.

    Attributes:
        table: The table, a `sqlalchemy.Table` with a `MetaData` of its own.

    Raises:
        ImportError: SQLAlchemy is missing; the extra `asgi-middlewares[sqlalchemy]` brings it.
        TypeError: `async_engine` is no `AsyncEngine`, or `table` is no str.
        ValueError: `table` is empty.
    """

    def __init__(self, async_engine: Any, *, table: str = "asgi_sessions") -> None:
        try:
            import sqlalchemy
            from sqlalchemy.dialects.mysql import LONGBLOB
            from sqlalchemy.exc import DBAPIError, IntegrityError
            from sqlalchemy.ext.asyncio import AsyncEngine
        except ImportError as error:
            raise ImportError("SQLAlchemyStore needs `pip install 'asgi-middlewares[sqlalchemy]'`") from error
        if not isinstance(async_engine, AsyncEngine):
            raise TypeError(
                "async_engine must be an AsyncEngine, such as "
                f"create_async_engine('postgresql+asyncpg://localhost/app') (got {async_engine!r})"
            )
        if not isinstance(table, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"table must be a str, such as 'asgi_sessions' (got {table!r})")
        if not table:
            raise ValueError("table must name a table, such as 'asgi_sessions' (got '')")
        sa = cast("Any", sqlalchemy)  # whose types are partly unknown
        self.table = sa.Table(
            table,
            sa.MetaData(),
            sa.Column("id", sa.String(64), primary_key=True),
            sa.Column("data", sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb"), nullable=False),
            sa.Column("expires", sa.Double(), nullable=False, index=True),  # seconds since 1970
            sa.Column("version", sa.BigInteger(), nullable=False),  # random, new with each write
        )
        self._engine = async_engine
        # Each call is made of statements that are whole in themselves: without transactions there is less to send, and
        # the isolation level of the engine does not matter.
        self._autocommit = async_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._inspect = sa.inspect
        self._database_error, self._integrity_error = DBAPIError, IntegrityError
        self._is_there = False
        self._turns = Turns()
        self._clock = time.time

        columns = self.table.c
        this, living = columns.id == sa.bindparam("this"), columns.expires > sa.bindparam("now")
        new: dict[str, Any] = {name: sa.bindparam(name) for name in ("data", "expires", "version")}
        self._select = sa.select(columns.data, columns.version).where(this, living)
        self._insert = self.table.insert().values(id=sa.bindparam("this"), **new)
        self._replace = self.table.update().where(this).values(**new)
        self._replace_unchanged = self._replace.where(living, columns.version == sa.bindparam("seen"))
        self._delete = self.table.delete().where(this)
        self._select_expired = sa.select(columns.id).where(~living).limit(_PURGED_AT_ONCE)
        self._delete_expired = self.table.delete().where(~living, columns.id.in_(sa.bindparam("ids", expanding=True)))

    async def get(self, id: str) -> bytes | None:
        """See `SessionStore.get`."""
        return await self._within_time(self._get, id)

    async def create(self, id: str, data: bytes, ttl: int) -> None:
        """See `SessionStore.create`."""
        await self._within_time(self._create, id, data, ttl)

    async def update(self, id: str, fn: Update, ttl: int) -> bool:
        """See `SessionStore.update`. `fn` is called again when another process wrote in between."""
        return await self._within_time(self._update, id, fn, ttl)

    async def delete(self, id: str) -> None:
        """See `SessionStore.delete`."""
        await self._within_time(self._execute, self._delete, {"this": id})

    async def purge(self) -> int:
        """Remove all expired records, and tell how many there were."""
        total = 0
        while True:
            found, deleted = await self._within_time(self._purge_some)
            total += deleted
            if found < _PURGED_AT_ONCE:
                return total

    async def aclose(self) -> None:
        """Wait until calls that were given up have ended; call it before you dispose of the engine, which is yours."""
        await rest(self)

    async def create_table(self) -> None:
        """Make the table and its index, unless they are there."""
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(self.table.metadata.create_all)
        except self._database_error:  # another process may have been a moment earlier
            if not await self._has_table():
                raise
        self._is_there = True

    async def _within_time(
        self, fn: Callable[[Unpack[Arguments]], Coroutine[Any, Any, T]], *arguments: *Arguments
    ) -> T:
        return await within_time(self, fn, *arguments, patience=_PATIENCE)

    async def _has_table(self) -> bool:
        async with self._engine.connect() as connection:
            return await connection.run_sync(lambda sync: self._inspect(sync).has_table(self.table.name) is True)

    async def _get(self, id: str) -> bytes | None:
        row = await self._execute(self._select, {"this": id, "now": self._clock()})
        return None if row is None else bytes(row.data)

    async def _create(self, id: str, data: bytes, ttl: int) -> None:
        created = False
        while not created:
            try:
                created = await self._execute(self._insert, self._new(id, data, ttl))
            except self._integrity_error:  # it is there, or was there
                created = await self._execute(self._replace, self._new(id, data, ttl))

    async def _update(self, id: str, fn: Update, ttl: int) -> bool:
        async with self._turns.of(id):
            written = None
            while True:
                row = await self._execute(self._select, {"this": id, "now": self._clock()})
                if row is None:
                    return False
                if row.version == written:  # though the answer was lost, and the statement sent again
                    return True
                data = fn(bytes(row.data))
                if data is None:
                    return False
                new = self._new(id, data, ttl)
                written = new["version"]
                if await self._execute(self._replace_unchanged, {**new, "now": self._clock(), "seen": row.version}):
                    return True

    async def _purge_some(self) -> tuple[int, int]:
        now = self._clock()
        ids = await self._execute(self._select_expired, {"now": now}, many=True)
        return len(ids), await self._execute(self._delete_expired, {"now": now, "ids": ids}) if ids else 0

    def _new(self, id: str, data: bytes, ttl: int) -> dict[str, Any]:
        return {"this": id, "data": data, "expires": self._clock() + ttl, "version": randbits(63)}

    async def _execute(self, statement: Any, parameters: dict[str, Any], *, many: bool = False) -> Any:
        """The first row or None, the first column with `many`, or the number of the rows that were changed."""
        if not self._is_there:
            async with self._turns.of(""):
                if not self._is_there:
                    await self.create_table()
        try:
            return await self._send(statement, parameters, many)
        except self._database_error as error:
            if not error.connection_invalidated:
                raise
            # The database was started anew: with this connection, SQLAlchemy has taken all old ones out of the pool.
            return await self._send(statement, parameters, many)

    async def _send(self, statement: Any, parameters: dict[str, Any], many: bool) -> Any:
        async with self._autocommit.connect() as connection:
            result = await connection.execute(statement, parameters)
            if not result.returns_rows:
                return result.rowcount
            return result.scalars().all() if many else result.first()
