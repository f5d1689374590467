"""The store in a table: on a file of SQLite and on a real PostgreSQL what every store promises; and their failures."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from contextlib import AsyncExitStack

import anyio
import pytest

from middlewares.sessions.stores import _asyncio
from middlewares.sessions.stores.sqlalchemy import SQLAlchemyStore
from tests.conftest import require
from tests.sessions.store_contract import LONG, Clock, StoreContract, new_id, with_key


@pytest.fixture
def anyio_backend():
    return "asyncio"


def create_engine(url, **options):
    require("aiosqlite")
    return require("sqlalchemy.ext.asyncio").create_async_engine(url, **options)


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite+aiosqlite:///{tmp_path}/app.sqlite"


@pytest.fixture
async def sqlite_engine(sqlite_url):
    engine = create_engine(sqlite_url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres_engine(postgres_server):
    engine = create_engine(postgres_server.url)
    yield engine
    await engine.dispose()


class TestOnSQLite(StoreContract):
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    async def store(self, sqlite_engine):
        store = SQLAlchemyStore(sqlite_engine)
        yield store
        await store.aclose()


@pytest.mark.servers
class TestOnPostgreSQL(StoreContract):
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    async def store(self, postgres_engine):
        store = SQLAlchemyStore(postgres_engine, table=f"t{new_id()[:20]}")  # nobody else's records are purged
        yield store
        await store.aclose()


@pytest.mark.anyio
async def test_table(sqlite_engine):
    """A table of the name that was given, made on first use, beside others; it can be made before, more than once."""
    one, other = SQLAlchemyStore(sqlite_engine), SQLAlchemyStore(sqlite_engine, table="more")
    await one.create("a", b"1", LONG)
    for _ in range(2):
        await other.create_table()
    assert await other.get("a") is None
    await other.create("a", b"2", LONG)
    assert [b"1", b"2"] == [await store.get("a") for store in (one, other)]
    assert ["asgi_sessions", "more"] == [one.table.name, other.table.name]
    sa = require("sqlalchemy")
    async with sqlite_engine.connect() as connection:
        assert {"asgi_sessions", "more"} == {
            *await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        }


@pytest.mark.anyio
async def test_table_of_another_process(sqlite_engine, sqlite_url):
    """A table that another process makes a moment earlier, or another call of this one, is as good."""
    sa = require("sqlalchemy")
    store, made = SQLAlchemyStore(sqlite_engine), []

    @sa.event.listens_for(sqlite_engine.sync_engine, "before_cursor_execute")
    def make_first(connection, cursor, statement, *_):
        if statement.strip().startswith("CREATE TABLE"):
            made.append(statement)
            other = sqlite3.connect(sqlite_url.partition("///")[2])
            other.execute(statement)
            other.close()

    assert [None] * 3 == await asyncio.gather(*(store.get(new_id()) for _ in range(3)))
    assert 1 == len(made)


@pytest.mark.anyio
async def test_transactions_of_others(sqlite_engine):
    """A write of the store is committed when the call returns, whatever the engine's other connections do."""
    sa = require("sqlalchemy")
    store, other, id = SQLAlchemyStore(sqlite_engine), create_engine(sqlite_engine.url), new_id()
    async with sqlite_engine.connect() as connection:  # it goes back to the pool with its own isolation level
        await connection.execute(sa.text("SELECT 1"))
    await store.create(id, b"data", LONG)
    assert b"data" == await SQLAlchemyStore(other).get(id)
    async with sqlite_engine.connect() as connection:
        await connection.execute(store.table.delete())
        await connection.rollback()
    assert b"data" == await store.get(id)
    await other.dispose()


@pytest.mark.anyio
async def test_purge_of_many(sqlite_engine):
    """However many records have expired, `purge` removes and counts them all."""
    store = SQLAlchemyStore(sqlite_engine)
    store._clock = clock = Clock()
    await store.create(new_id(), b"", LONG)
    rows = [{"id": new_id(), "data": b"", "expires": clock.now, "version": 1} for _ in range(1203)]
    async with sqlite_engine.begin() as connection:
        await connection.execute(store.table.insert(), rows)
    assert 1203 == await store.purge()
    assert 0 == await store.purge()


@pytest.mark.anyio
async def test_answer_lost(sqlite_engine):
    """A statement whose answer was lost with the connection is sent again, and does not update twice."""
    sa = require("sqlalchemy")
    store, id, lost = SQLAlchemyStore(sqlite_engine), new_id(), []
    await store.create(id, b"1", LONG)

    @sa.event.listens_for(sqlite_engine.sync_engine, "after_cursor_execute")
    def lose(connection, cursor, statement, *_):
        if statement.startswith("UPDATE") and not lost:
            lost.append(statement)
            raise sa.exc.DBAPIError(statement, None, Exception("connection lost"), connection_invalidated=True)

    assert await store.update(id, lambda data: data + b"1", LONG) is True
    assert 1 == len(lost)
    assert b"11" == await store.get(id)


@pytest.mark.servers
@pytest.mark.anyio
async def test_locked_file(sqlite_engine, sqlite_url):
    """A file that another connection locks is an error within 5 s, also where the driver would wait longer."""
    store = SQLAlchemyStore(sqlite_engine)
    await store.get(new_id())
    other = sqlite3.connect(sqlite_url.partition("///")[2], isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    errors = await asyncio.gather(timed_out(store.get(new_id())), timed_out(store.create(new_id(), b"", LONG)))
    assert {TimeoutError} == set(map(type, errors))
    other.execute("COMMIT")
    other.close()
    assert await store.get(new_id()) is None
    await store.aclose()
    assert {} == _asyncio._left_alone


async def timed_out(call):
    """Check that a call raises within 5 s, and give back what."""
    start = time.monotonic()
    with pytest.raises(Exception) as raised:
        await call
    assert time.monotonic() - start < 5
    return raised.value


@pytest.mark.servers
@pytest.mark.anyio
async def test_several_processes(postgres_server):
    """Stores that begin at once with no table, and update one record, lose nothing; the isolation does not matter."""
    table, id, calls = f"t{new_id()[:20]}", new_id(), 0

    async def write(store, name):
        def fn(data):
            nonlocal calls
            calls += 1
            return with_key(name)(data)

        assert await store.update(id, fn, LONG) is True

    async with AsyncExitStack() as stack:
        stores = []
        for level in ("READ COMMITTED", "SERIALIZABLE", "REPEATABLE READ", "AUTOCOMMIT"):
            engine = create_engine(postgres_server.url, isolation_level=level)
            stack.push_async_callback(engine.dispose)
            stores.append(SQLAlchemyStore(engine, table=table))
        assert [None] * 4 == await asyncio.gather(*(store.get(id) for store in stores))
        await asyncio.gather(*(store.create(id, b"{}", LONG) for store in stores))
        async with anyio.create_task_group() as tasks:
            for number in range(32):
                tasks.start_soon(write, stores[number % 4], f"{number}")
        assert {f"{number}" for number in range(32)} == json.loads(await stores[0].get(id)).keys()
    assert 32 < calls  # the stores did meet


@pytest.mark.servers
@pytest.mark.anyio
async def test_no_right_to_create(postgres_server, postgres_engine):
    """Who may not make a table is told so by each call, and can use one that another user has made."""
    sa = require("sqlalchemy")
    role, table = f"r{new_id()[:20]}", f"t{new_id()[:20]}"
    engine = create_engine(postgres_server.url.replace("app@", f"{role}@"))
    store = SQLAlchemyStore(engine, table=table)
    async with postgres_engine.begin() as connection:
        await connection.execute(sa.text(f"CREATE ROLE {role} LOGIN"))
        await connection.execute(sa.text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    for _ in range(2):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            await store.get(new_id())
    await SQLAlchemyStore(postgres_engine, table=table).create_table()
    async with postgres_engine.begin() as connection:
        await connection.execute(sa.text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}"))
    id = new_id()
    await store.create(id, b"data", LONG)
    assert b"data" == await store.get(id)
    await engine.dispose()


@pytest.mark.servers
@pytest.mark.anyio
async def test_frozen(postgres_server, postgres_engine):
    """While the database is frozen, each call raises within 5 s; when it goes on, so does the store."""
    store, id = SQLAlchemyStore(postgres_engine), new_id()
    await store.create(id, b"1", LONG)
    postgres_server.freeze()
    try:
        calls = [
            store.get(id),
            store.create(new_id(), os.urandom(5_000_000), LONG),  # more than sockets take
            store.update(id, lambda data: data, LONG),
            store.delete(new_id()),
            *(store.get(new_id()) for _ in range(30)),  # more than there are connections
        ]
        errors = await asyncio.gather(*map(timed_out, calls))
        assert ["SQLAlchemyStore had no answer for 3 seconds"] * len(calls) == [str(error) for error in errors]
    finally:
        postgres_server.thaw()
    assert b"1" == await store.get(id)
    assert await store.update(id, lambda data: data + b"2", LONG) is True
    assert b"12" == await store.get(id)
    await store.aclose()
    assert {} == _asyncio._left_alone


@pytest.mark.servers
@pytest.mark.anyio
async def test_killed_and_restarted(postgres_server, postgres_engine):
    """A database that is gone is an error of each call, and no absent record; when it is back, the records are, too."""
    store, id = SQLAlchemyStore(postgres_engine), new_id()
    await store.create(id, b"1", LONG)
    postgres_server.kill()
    try:
        for call in (
            store.get(id),
            store.create(id, b"2", LONG),
            store.update(id, lambda data: data, LONG),
            store.delete(id),
        ):
            assert isinstance(await timed_out(call), OSError | require("sqlalchemy").exc.DBAPIError)
    finally:
        postgres_server.start()
    assert b"1" == await store.get(id)
    postgres_server.kill()
    postgres_server.start()
    assert await store.update(id, lambda data: data + b"2", LONG) is True  # also when nobody has asked in the meantime
    assert b"12" == await store.get(id)


@pytest.mark.parametrize("dialect", ["mysql", "postgresql", "sqlite", "oracle"])
def test_dialects(dialect, sqlite_url):
    """On MySQL data is as long as elsewhere, and times are as exact; the table can be told to each dialect."""
    sa = require("sqlalchemy")
    dialects = require(f"sqlalchemy.dialects.{dialect}")
    store = SQLAlchemyStore(create_engine(sqlite_url))
    statement = str(sa.schema.CreateTable(store.table).compile(dialect=dialects.dialect()))
    names = {"mysql": ("LONGBLOB", "DOUBLE"), "postgresql": ("BYTEA", "DOUBLE PRECISION"), "sqlite": ("BLOB", "DOUBLE")}
    for name in names.get(dialect, ("BLOB", "DOUBLE PRECISION")):
        assert f" {name} NOT NULL" in statement


def test_trio(sqlite_url):
    """On trio the store says at once what to use instead."""
    store = SQLAlchemyStore(create_engine(sqlite_url))
    with pytest.raises(RuntimeError, match="SQLAlchemyStore runs on asyncio only; on trio, use SQLiteStore"):
        anyio.run(store.get, new_id(), backend="trio")


@pytest.mark.parametrize("engine", [None, "sqlite+aiosqlite://", "a synchronous engine"])
def test_no_engine(engine):
    """What is no asynchronous engine is refused when the store is made (house rule 10)."""
    if engine == "a synchronous engine":
        engine = require("sqlalchemy").create_engine("sqlite://")
    with pytest.raises(TypeError, match="async_engine must be an AsyncEngine, such as create_async_engine"):
        SQLAlchemyStore(engine)


@pytest.mark.parametrize(("table", "error"), [(None, TypeError), (b"a", TypeError), ("", ValueError)])
def test_wrong_table(table, error, sqlite_url):
    """A name that is none is refused when the store is made (house rule 10)."""
    with pytest.raises(error, match=r"table must .*such as 'asgi_sessions'"):
        SQLAlchemyStore(create_engine(sqlite_url), table=table)


def test_missing_extra(monkeypatch):
    """Without SQLAlchemy, the error says which extra to install."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ImportError, match=r"asgi-middlewares\[sqlalchemy\]"):
        SQLAlchemyStore(None)
