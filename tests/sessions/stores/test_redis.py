"""The store on a real redis-server: what every store promises, every kind of client, and a server that fails."""

import asyncio
import gc
import json
import os
import random
import sys
import time
import warnings

import anyio
import pytest

from middlewares.sessions.stores.redis import RedisStore
from tests.conftest import require
from tests.servers.harness import free_port
from tests.sessions.engines import RedisServer
from tests.sessions.store_contract import LONG, StoreContract, new_id, with_key

DATA = b"\xff\x00\r\n{}"  # no text, and no end of a line


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def client(redis_server):
    """A client as users make it, with no timeouts at all."""
    client = require("redis.asyncio").Redis(port=redis_server.port, socket_timeout=None, socket_connect_timeout=None)
    yield client
    await client.aclose()


@pytest.fixture
def own_server(tmp_path):
    """A server that the test may stop."""
    require("redis")
    server = RedisServer(tmp_path)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.mark.servers
class TestRedisStore(StoreContract):
    purges = False

    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    def clock(self):
        return None  # the server's own

    @pytest.fixture
    async def store(self, redis_server):
        store = RedisStore(redis_server.url)
        yield store
        await store.aclose()


def redis_client(**options):
    return lambda server: require("redis.asyncio").Redis(port=server.port, **options)


CLIENTS = {
    "decode_responses": redis_client(decode_responses=True),
    "RESP2": redis_client(protocol=2),
    "RESP3, decoded": redis_client(protocol=3, decode_responses=True),
    "single connection": redis_client(single_connection_client=True),
    "one connection": lambda server: require("redis.asyncio").from_url(f"{server.url}?max_connections=1"),
    "a URL with options": lambda server: f"{server.url}?max_connections=2&decode_responses=True&socket_timeout=2",
}


async def round_trip(store):
    """All calls, with data that is no text."""
    id = new_id()
    assert await store.update(id, lambda data: data, LONG) is False
    await store.create(id, DATA, LONG)
    assert DATA == await store.get(id)
    assert await store.update(id, lambda data: data * 2, LONG) is True
    assert DATA * 2 == await store.get(id)
    await store.delete(id)
    assert await store.get(id) is None


@pytest.mark.servers
@pytest.mark.anyio
@pytest.mark.parametrize("make", CLIENTS.values(), ids=[*CLIENTS])
async def test_clients(redis_server, make):
    """Any client does, whatever it makes of answers; `aclose` leaves a ready one open."""
    client = make(redis_server)
    store = RedisStore(client)
    await round_trip(store)
    await store.aclose()
    if not isinstance(client, str):
        assert await client.ping()
        await client.aclose()


@pytest.mark.servers
@pytest.mark.anyio
async def test_cluster(tmp_path):
    """A cluster, here of one node: every call names one key."""
    redis = require("redis.asyncio")
    server = RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        server.start()
        async with redis.Redis(port=server.port) as node:
            await node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 30
            while b"cluster_state:ok" not in await node.execute_command("CLUSTER", "INFO"):
                assert time.monotonic() < deadline
                await anyio.sleep(0.05)
        async with redis.RedisCluster("127.0.0.1", server.port, decode_responses=True) as client:
            await round_trip(RedisStore(client))
    finally:
        server.kill()


@pytest.mark.servers
@pytest.mark.anyio
async def test_keys(redis_server, client):
    """A key is the prefix and the id; each has a time to live; another prefix is another store."""
    id = new_id()
    one, other = RedisStore(client), RedisStore(client, prefix="other:")
    await one.create(id, b"1", 100)
    assert await other.get(id) is None
    await other.create(id, b"2", 200)
    assert b"1" == await one.get(id)
    assert (100, 200) == (await client.ttl(f"session:{id}"), await client.ttl(f"other:{id}"))
    await one.update(id, lambda _: b"1" * 9, 300)
    assert 300 == await client.ttl(f"session:{id}")
    await one.delete(id)
    assert b"2" == await other.get(id)
    assert 0 == await client.exists(f"session:{id}")


@pytest.mark.servers
@pytest.mark.anyio
async def test_damaged(client):
    """What others have written under a key never raises where it is text, and is replaced; a list is an error."""
    redis = require("redis")
    store = RedisStore(client)
    for value in (b"short", b"", b"long enough to have a token"):
        id = new_id()
        await client.set(f"session:{id}", value)
        assert value[8:] == await store.get(id)
        assert await store.update(id, lambda _: b"new", LONG) is bool(value)
        await store.create(id, b"new", LONG)
        assert b"new" == await store.get(id)
    await client.rpush(f"session:{id}.list", "a")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        await store.get(f"{id}.list")


@pytest.mark.servers
@pytest.mark.anyio
async def test_contention(redis_server, client):
    """Stores of several processes that update one record at once lose nothing, and each gets its turn."""
    stores = [RedisStore(redis_server.url) for _ in range(4)] + [RedisStore(client)]
    id, calls = new_id(), 0

    async def write(store, name):
        def fn(data):
            nonlocal calls
            calls += 1
            return with_key(name)(data)

        assert await store.update(id, fn, LONG) is True

    await stores[0].create(id, b"{}", LONG)
    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(write, stores[number % 5], f"{number}")
    assert {f"{number}" for number in range(100)} == json.loads(await stores[0].get(id)).keys()
    assert 100 < calls  # the stores did meet
    for store in stores:
        await store.aclose()


@pytest.mark.servers
@pytest.mark.anyio
async def test_sent_twice(client):
    """A client that sends the script again, since the answer was lost on the way, does not update twice."""

    class Twice:
        async def execute_command(self, *command, **options):
            if command[0] == "EVAL":
                await client.execute_command(*command, **options)
            return await client.execute_command(*command, **options)

        async def aclose(self):
            pass

    store, id = RedisStore(Twice()), new_id()
    await store.create(id, b"1", LONG)
    assert await store.update(id, lambda data: data + b"1", LONG) is True
    assert b"11" == await store.get(id)


@pytest.mark.servers
@pytest.mark.anyio
async def test_answers_are_not_mixed_up(redis_server):
    """Calls that are cancelled at any moment never leave their answer to another call (CVE-2023-28858)."""
    store = RedisStore(redis_server.url)
    ids = [new_id() for _ in range(20)]
    for id in ids:
        await store.create(id, id.encode(), LONG)

    async def read(id):
        with anyio.move_on_after(random.random() / 200):
            assert id.encode() == await store.get(id)

    for _ in range(10):
        async with anyio.create_task_group() as tasks:
            for id in ids * 2:
                tasks.start_soon(read, id)
    for id in ids:
        assert id.encode() == await store.get(id)
    await store.aclose()


@pytest.mark.servers
def test_event_loops_that_ended(redis_server):
    """With a URL, connections of event loops that ended are let go, as Starlette's TestClient makes one per request."""
    store = RedisStore(redis_server.url)

    async def last():
        await round_trip(store)
        assert 1 == len(store._clients)
        await store.aclose()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # nobody closes the first ones
        for _ in range(3):
            anyio.run(round_trip, store)
        anyio.run(last)
        gc.collect()


@pytest.mark.servers
@pytest.mark.anyio
async def test_two_event_loops_at_once(redis_server):
    """With a URL, each of two event loops that run in two threads has connections of its own, and keeps them."""
    store = RedisStore(redis_server.url)

    async def beside():
        await round_trip(store)
        assert 2 == len(store._clients)
        await store.aclose()

    await round_trip(store)
    (mine,) = store._clients.values()
    await asyncio.to_thread(asyncio.run, beside())
    await round_trip(store)
    assert [mine] == [*store._clients.values()]
    await store.aclose()


@pytest.mark.servers
def test_several_event_loops(redis_server):
    """With a URL, one store serves any event loop, one after the other, also uvloop's."""
    store, id = RedisStore(redis_server.url), new_id()

    async def write(data):
        await store.create(id, data, LONG)
        await round_trip(store)
        await store.aclose()

    anyio.run(write, b"1")
    anyio.run(write, b"2", backend_options={"use_uvloop": True})

    async def read():
        assert b"2" == await store.get(id)
        await store.aclose()

    anyio.run(read)


async def timed_out(call):
    """Check that a call raises within 5 s, and give back what."""
    start = time.monotonic()
    with pytest.raises(Exception) as raised:
        await call
    assert time.monotonic() - start < 5
    return raised.value


@pytest.mark.servers
@pytest.mark.anyio
async def test_frozen(own_server):
    """While the server is frozen, each call raises within 5 s; when it goes on, so does the store.

    With a URL, and with a client that would wait for ever.
    """
    client = redis_client(socket_timeout=None, socket_connect_timeout=None)(own_server)
    stores, id = [RedisStore(own_server.url), RedisStore(client)], new_id()
    for store in stores:
        await store.create(id, b"1", LONG)
    own_server.freeze()
    calls = [
        call
        for store in stores
        for call in (
            store.get(id),
            store.create(new_id(), os.urandom(5_000_000), LONG),  # more than sockets take
            store.update(id, lambda data: data, LONG),
            store.delete(new_id()),
            *(store.get(new_id()) for _ in range(60)),  # more than there are connections
        )
    ]
    errors = await asyncio.gather(*map(timed_out, calls))
    assert ["RedisStore had no answer for 3 seconds"] * len(calls) == [str(error) for error in errors]
    own_server.thaw()
    for store, expected in zip(stores, (b"12", b"122"), strict=True):
        assert await store.update(id, lambda data: data + b"2", LONG) is True
        assert expected == await store.get(id)
    for store in stores:
        await store.aclose()
    await client.aclose()


@pytest.mark.servers
@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["URL", "client"])
async def test_killed_and_restarted(own_server, kind):
    """A server that is gone is an error of each call, and no absent record; when it is back, the store works."""
    client = None if kind == "URL" else redis_client()(own_server)
    store, id = RedisStore(client or own_server.url), new_id()
    await store.create(id, b"1", LONG)
    own_server.kill()
    calls = [
        store.get(id),
        store.create(id, b"2", LONG),
        store.update(id, lambda data: data, LONG),
        store.delete(id),
    ]
    errors = await asyncio.gather(*map(timed_out, calls))
    redis = require("redis")
    assert all(isinstance(error, redis.ConnectionError | TimeoutError) for error in errors)
    own_server.start()
    assert await store.get(id) is None
    await round_trip(store)
    own_server.kill()
    own_server.start()
    await round_trip(store)  # also when nobody has asked in the meantime
    await (client or store).aclose()


@pytest.mark.servers
@pytest.mark.anyio
async def test_full(own_server):
    """A full server that evicts nothing refuses writes and goes on reading; with room again, the store writes."""
    redis = require("redis")
    store, id = RedisStore(own_server.url), new_id()
    await store.create(id, b"old", LONG)
    async with redis.asyncio.Redis(port=own_server.port) as admin:
        await admin.config_set("maxmemory", (await admin.info("memory"))["used_memory"])
        with pytest.raises(redis.OutOfMemoryError):
            await store.create(new_id(), b"new", LONG)
        with pytest.raises(redis.ResponseError, match="maxmemory"):
            await store.update(id, lambda _: b"new", LONG)
        assert b"old" == await store.get(id)
        await store.delete(new_id())
        await admin.config_set("maxmemory", 0)
    assert await store.update(id, lambda _: b"new", LONG) is True
    assert b"new" == await store.get(id)
    await store.aclose()


def test_trio():
    """On trio the store says at once what to use instead."""
    require("redis")
    store = RedisStore("redis://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="RedisStore runs on asyncio only; on trio, use SQLiteStore"):
        anyio.run(store.get, new_id(), backend="trio")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["localhost:6379"], ValueError, "url_or_client must be a URL that redis understands"),
        (["redis://localhost:port"], ValueError, "url_or_client must be a URL that redis understands"),
        ([None], TypeError, r"url_or_client must be a URL.*or an asynchronous client.*got None"),
        ([b"redis://localhost"], TypeError, "url_or_client must be a URL"),
        (["redis://localhost", b"session:"], TypeError, "prefix must be a str"),
        (["redis://localhost", None], TypeError, "prefix must be a str"),
    ],
)
def test_wrong_configuration(arguments, error, message):
    """What cannot work is refused when the store is made, by the name of the keyword (house rule 10)."""
    require("redis")
    with pytest.raises(error, match=message):
        RedisStore(*arguments)


def test_synchronous_client():
    """A client that would block the event loop is refused."""
    client = require("redis").Redis()
    with pytest.raises(TypeError, match=r"url_or_client must be .*an asynchronous client"):
        RedisStore(client)
    client.close()


def test_missing_extra(monkeypatch):
    """Without redis, a URL says which extra to install; a client of another library needs none of it."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImportError, match=r"asgi-middlewares\[redis\]"):
        RedisStore("redis://localhost")

    class Client:
        execute_command = aclose = None

    RedisStore(Client())
