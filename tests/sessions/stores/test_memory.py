"""The store in memory: what every store promises, its bound, and threads."""

import logging
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from middlewares.sessions.stores.memory import MemoryStore
from tests.sessions.model import store_machine
from tests.sessions.store_contract import LONG, Clock, StoreContract, new_id


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


TestModel = store_machine(lambda _: MemoryStore())


@pytest.mark.anyio
class TestBound:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_least_used_goes(self, caplog):
        """A full store drops the record that was neither read nor written for longest, and warns once."""
        store = MemoryStore(max_records=3)
        for id in "abc":
            await store.create(id, id.encode(), LONG)
        await store.get("a")
        await store.update("b", lambda data: data, LONG)
        assert [] == caplog.records
        for id in "de":
            await store.create(id, id.encode(), LONG)
        assert [None, b"b", None, b"d", b"e"] == [await store.get(id) for id in "abcde"]
        assert [("middlewares.sessions", logging.WARNING)] == [(one.name, one.levelno) for one in caplog.records]
        assert "max_records=3" in caplog.text

    async def test_expired_goes_first(self, caplog):
        """No living record is dropped while there are expired ones; a replaced record needs no room."""
        store = MemoryStore(max_records=2)
        store._clock = Clock()
        await store.create("long", b"1", LONG)
        await store.create("short", b"2", 1)
        await store.create("short", b"2", 1)
        store._clock.now += 1
        await store.create("new", b"3", LONG)
        assert [b"1", None, b"3"] == [await store.get(id) for id in ("long", "short", "new")]
        assert [] == caplog.records

    async def test_memory_does_not_grow(self):
        """Updates of the same records leave nothing behind, however many there are."""
        store = MemoryStore()
        store._clock = Clock()
        for id in "ab":
            await store.create(id, b"0", LONG)
        for _ in range(1000):
            store._clock.now += 1
            assert await store.update("a", lambda data: data, LONG)
        assert len(store._ends) < 110
        assert b"0" == await store.get("a")
        assert 1 == await store.purge()
        store._clock.now += LONG
        assert 1 == await store.purge()
        assert [] == store._ends


def test_threads():
    """Event loops in several threads share one store, and lose no update."""
    store, id = MemoryStore(), new_id()

    async def write():
        for _ in range(200):
            assert await store.update(id, lambda data: b"%d" % (int(data) + 1), LONG)

    anyio.run(store.create, id, b"0", LONG)
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(anyio.run, write) for _ in range(4)]:
            future.result()
    assert b"800" == anyio.run(store.get, id)


@pytest.mark.parametrize(
    ("value", "error"), [("9", TypeError), (1.5, TypeError), (True, TypeError), (None, TypeError), (0, ValueError)]
)
def test_wrong_bound(value, error):
    """A bound that cannot hold is refused when the store is made, by the name of the keyword."""
    with pytest.raises(error, match=r"max_records must be .*1 or more"):
        MemoryStore(max_records=value)
