"""The store in a file: what every store promises, and what a file adds: locks, several processes, faults of the disk."""

import gc
import json
import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from middlewares.sessions.stores.sqlite import SQLiteStore
from tests.sessions.model import store_machine
from tests.sessions.processes import SECONDS, output, python
from tests.sessions.store_contract import LONG, Clock, StoreContract, new_id, with_key


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sessions.sqlite"


@pytest.fixture
async def store(path):
    store = SQLiteStore(path)
    yield store
    await store.aclose()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def store(self, store):
        return store


TestModel = store_machine(lambda directory: SQLiteStore(directory / "sessions.sqlite"))


@pytest.mark.anyio
async def test_file(store, path, monkeypatch):
    """One file in WAL mode, where the process was when the store was made; another store reads what this one wrote."""
    monkeypatch.chdir(path.parent)
    relative, id = SQLiteStore(path.name), new_id()
    monkeypatch.chdir("/")
    await relative.create(id, b"data", LONG)
    assert b"data" == await store.get(id)
    await relative.aclose()
    connection = sqlite3.connect(path)
    assert [("wal",)] == connection.execute("PRAGMA journal_mode").fetchall()
    connection.close()


@pytest.mark.anyio
async def test_file_does_not_grow(store, path):
    """Each creation removes a few of the expired records, and `purge` all of them, also where they are many."""
    store._clock = clock = Clock()
    await store.create(new_id(), b"", 1)
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO asgi_sessions VALUES (?, '', ?)", [(new_id(), clock.now + 1) for _ in range(2499)]
    )
    connection.commit()
    clock.now += 1
    await store.create(new_id(), b"", LONG)
    assert [(2491,)] == connection.execute("SELECT count(*) FROM asgi_sessions").fetchall()
    assert 2490 == await store.purge()
    assert [(1,)] == connection.execute("SELECT count(*) FROM asgi_sessions").fetchall()
    connection.close()


def test_left_open(path):
    """A store that goes without being closed closes its file, and warns of nothing."""
    store = SQLiteStore(path)
    anyio.run(store.get, new_id())
    idle = store._idle
    assert 1 == len(idle)
    del store
    gc.collect()
    assert [] == idle


@pytest.mark.parametrize("path", [b"a.sqlite", None, 5], ids=repr)
def test_no_path(path):
    """What is no path is refused when the store is made (house rule 10)."""
    with pytest.raises(TypeError, match="path must be a str or a Path"):
        SQLiteStore(path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "must name a file.*MemoryStore"),
        (":memory:", "must name a file.*MemoryStore"),
        ("file:a.sqlite?mode=ro", "must name a file"),
        ("a\0.sqlite", "must name a file"),
        (Path("/"), "must name a file.*is a directory"),
        ("/no/such/directory/a.sqlite", "must lie in a directory that exists.*make /no/such/directory"),
        ("sqlite:///a.sqlite", "must lie in a directory that exists"),
    ],
)
def test_wrong_path(path, message):
    """A path that cannot work is refused when the store is made, with the way out (house rule 10)."""
    with pytest.raises(ValueError, match=f"path {message}"):
        SQLiteStore(path)


LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
connection.execute("CREATE TABLE IF NOT EXISTS other (a)")
print("locked")
sys.stdin.readline()
connection.execute("COMMIT")
connection.close()
print("free")
"""


@pytest.mark.servers
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"], indirect=True)
async def test_locked_for_long(store, path):
    """While another process locks the file, all writes fail in 1 to 5 s, the loop runs on, and reads go on (WAL).

    When the lock is gone, the store works again.
    """
    id = new_id()
    await store.create(id, b"{}", LONG)
    results, ticks = [], 0

    async def write(key):
        start = time.monotonic()
        with pytest.raises((sqlite3.OperationalError, TimeoutError)) as raised:
            await store.update(id, with_key(f"{key}"), LONG)
        results.append((time.monotonic() - start, raised.value))

    with python(LOCK, path) as process:
        assert "locked\n" == process.stdout.readline()
        async with anyio.create_task_group() as tasks:
            for key in range(20):
                tasks.start_soon(write, key)
            while len(results) < 20:
                assert b"{}" == await store.get(id)
                ticks += 1
                await anyio.sleep(0.01)
        process.stdin.write("\n")
        process.stdin.flush()
        assert "free\n" == process.stdout.readline()
    assert 1 < min(seconds for seconds, _ in results)
    assert max(seconds for seconds, _ in results) < 5
    assert all("locked" in str(error) or f"{path} was busy for 3 seconds" == str(error) for _, error in results)
    assert ticks > 50
    assert await store.update(id, with_key("a"), LONG) is True
    assert b'{"a": 1}' == await store.get(id)


@pytest.mark.servers
@pytest.mark.anyio
async def test_locked_for_a_moment(store, path):
    """A write waits for at least 1 s until the file is free, and is done then."""
    await store.get(new_id())
    with python(LOCK, path) as process:
        assert "locked\n" == process.stdout.readline()
        start, id = time.monotonic(), new_id()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.create, id, b"data", LONG)
            await anyio.sleep(1.2)
            process.stdin.write("\n")
            process.stdin.flush()
        assert time.monotonic() - start > 1.2
    assert b"data" == await store.get(id)


@pytest.mark.servers
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_new_file_locked(store, path):
    """A file that has not yet the WAL mode is waited for, too; a read that fails is an error, not an absent record."""
    with python(LOCK, path) as process:
        assert "locked\n" == process.stdout.readline()
        start = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await store.get(new_id())
        assert 1 < time.monotonic() - start < 5
        process.stdin.write("\n")
        process.stdin.flush()
        assert "free\n" == process.stdout.readline()
    assert await store.get(new_id()) is None


@pytest.mark.anyio
async def test_new_file_written(store, path):
    """A writer holds up the change to WAL, for which SQLite itself does not wait."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE other (a)")
    connection.execute("BEGIN IMMEDIATE")
    id, created = new_id(), anyio.Event()

    async def create():
        await store.create(id, b"data", LONG)
        created.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(create)
        await anyio.sleep(0.1)
        assert not created.is_set()
        connection.execute("COMMIT")
    connection.close()
    assert b"data" == await store.get(id)


@pytest.mark.anyio
async def test_unreachable(tmp_path):
    """A directory that goes away is an error of each call, and forgotten when it is back."""
    directory = tmp_path / "data"
    directory.mkdir()
    store = SQLiteStore(directory / "sessions.sqlite")
    directory.rename(tmp_path / "away")
    for call in (store.get(new_id()), store.create(new_id(), b"", LONG), store.delete(new_id())):
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            await call
    (tmp_path / "away").rename(directory)
    assert await store.get(new_id()) is None
    await store.aclose()


@pytest.mark.anyio
async def test_no_database(store, path):
    """A file that is none of SQLite's is an error, and stays as it is."""
    path.write_bytes(b"something else" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        await store.get(new_id())
    assert b"something else" * 100 == path.read_bytes()


FULL = """
import anyio, resource, sqlite3, sys
from middlewares.sessions.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.create("a", b"old", 1000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    for call in (store.create("b", bytes(200_000), 1000), store.update("a", lambda _: bytes(200_000), 1000)):
        try:
            await call
        except sqlite3.OperationalError as error:
            print(error)
    print(await store.get("a"), await store.get("b"))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    print(await store.update("a", lambda _: b"new", 1000), await store.get("a"))
    await store.aclose()

anyio.run(main)
"""


@pytest.mark.servers
def test_full_disk(path):
    """A write that finds no room raises and changes nothing; when there is room again, the store works."""
    *errors, kept, again = output(FULL, path).splitlines()
    assert 2 == len(errors)
    assert all("full" in error or "disk I/O error" in error for error in errors)
    assert ["b'old' None", "True b'new'"] == [kept, again]


MANY = """
import json, sys
import anyio
from middlewares.sessions.stores.sqlite import SQLiteStore
from tests.sessions.store_contract import with_key

async def main():
    store = SQLiteStore(sys.argv[1])
    print("ready")
    sys.stdin.readline()
    await store.create(sys.argv[2] * 8, b"mine", 1000)
    async with anyio.create_task_group() as tasks:
        for task in range(4):
            tasks.start_soon(write, store, f"{sys.argv[2]}.{task}")
    await store.aclose()

async def write(store, name):
    for turn in range(10):
        while not await store.update("shared", with_key(f"{name}.{turn}"), 1000):
            await anyio.sleep(0.01)  # until the record has been created

anyio.run(main, backend=sys.argv[3])
"""


@pytest.mark.servers
def test_processes(path):
    """Four processes that begin with no file at all, on asyncio and trio, write one record and lose nothing."""
    store = SQLiteStore(path)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(python(MANY, path, name, backend))
            for name, backend in zip("abcd", ["asyncio", "trio"] * 2, strict=True)
        ]
        for process in processes:
            assert "ready\n" == process.stdout.readline()
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        anyio.run(store.create, "shared", b"{}", LONG)
        assert [0] * 4 == [process.wait(SECONDS) for process in processes]
    keys = json.loads(anyio.run(store.get, "shared")).keys()
    assert {f"{name}.{task}.{turn}" for name in "abcd" for task in range(4) for turn in range(10)} == keys
    assert [b"mine"] * 4 == [anyio.run(store.get, name * 8) for name in "abcd"]
    anyio.run(store.aclose)


KILLED = """
import sys
import anyio
from middlewares.sessions.stores.sqlite import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    await store.create("count", b"0", 1000)
    while True:
        await store.update("count", lambda data: b"%d" % (int(data) + 1), 1000)
        print((await store.get("count")).decode())

anyio.run(main)
"""


@pytest.mark.servers
def test_killed_while_writing(path):
    """After a kill -9 in the midst of writing, all that a call had returned for is there, and the file is not locked."""
    store = SQLiteStore(path)
    for _ in range(3):
        with python(KILLED, path, measured=False) as process:
            for _ in range(20):
                committed = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().splitlines()  # a line is whole, or was cut off by the kill
        committed = max([committed, *(int(line) for line in rest[:-1])])
        assert committed <= int(anyio.run(store.get, "count"))
        assert anyio.run(store.update, "count", lambda _: b"0", LONG) is True
    anyio.run(store.aclose)


FORK = """
import os, sys
import anyio
from middlewares.sessions.stores.sqlite import SQLiteStore

async def work(name):
    for turn in range(20):
        assert await store.update("shared", lambda data: data + name, 1000)

store = SQLiteStore(sys.argv[1])
anyio.run(store.create, "shared", b"", 1000)
children = []
for name in (b"a", b"b"):
    child = os.fork()
    if child == 0:
        try:
            anyio.run(work, name)
        except BaseException:
            os._exit(1)
        os._exit(0)
    children.append(child)
anyio.run(work, b"p")
print([os.waitpid(child, 0)[1] for child in children])
print("".join(sorted(anyio.run(store.get, "shared").decode())))
"""


@pytest.mark.servers
def test_fork(path):
    """Children that are forked after the store was used write beside their parent (howtocorrupt.html 2.6)."""
    assert [str([0, 0]), "a" * 20 + "b" * 20 + "p" * 20] == output(FORK, path).splitlines()
