"""What every store promises (`SessionStore`), as tests: the module of each store subclasses them with a factory."""

import json
import os
import secrets

import anyio
import anyio.lowlevel
import pytest

LONG = 1000


def new_id():
    """An id as the middleware makes them: 64 hexadecimal digits."""
    return secrets.token_hex(32)


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.mark.anyio
class StoreContract:
    """Subclasses give a fixture `store`: an open store, which they close."""

    purges = True
    """Whether `purge` removes records; an engine that does it by itself leaves nothing to remove."""

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request):
        return request.param

    @pytest.fixture
    def clock(self, store):
        """The store's own clock, held still; None where the engine tells the time."""
        store._clock = Clock()
        return store._clock

    async def pass_time(self, clock, seconds):
        if clock is None:
            await anyio.sleep(seconds + 0.02)  # the engine's clock is not ours
        else:
            clock.now += seconds

    async def test_absent(self, store):
        """What was never created is None, is not updated and can be deleted all the same."""
        id = new_id()
        assert await store.get(id) is None
        assert await store.update(id, self.not_called, LONG) is False
        assert await store.delete(id) is None
        assert await store.get(id) is None

    async def test_created(self, store):
        """What was created is there, byte for byte, as often as it is asked for."""
        id = new_id()
        assert await store.create(id, b"data", LONG) is None
        assert b"data" == await store.get(id)
        assert b"data" == await store.get(id)
        assert await store.get(new_id()) is None

    @pytest.mark.parametrize(
        "data",
        [b"", bytes(range(256)), b"\xff\xfe\x00", "ä€𝄞".encode(), os.urandom(1_000_000)],
        ids=["empty", "all bytes", "no text", "text", "1 MB"],
    )
    async def test_data_is_opaque(self, store, data):
        """Any bytes come back as they were, from create, into `fn`, and from update."""
        id, seen = new_id(), []
        await store.create(id, data, LONG)
        assert data == await store.get(id)
        assert await store.update(id, lambda old: seen.append(old) or data[::-1], LONG) is True
        assert [data] == seen
        found = await store.get(id)
        assert data[::-1] == found
        assert type(found) is bytes

    async def test_create_replaces(self, store):
        """A record that is there is replaced, and its time to live with it."""
        id = new_id()
        await store.create(id, b"old", 1)
        await store.create(id, b"new", LONG)
        assert b"new" == await store.get(id)

    async def test_deleted(self, store):
        """A deleted record is absent to all calls; deleting it again is no error."""
        id = new_id()
        await store.create(id, b"data", LONG)
        await store.delete(id)
        assert await store.get(id) is None
        assert await store.update(id, self.not_called, LONG) is False
        await store.delete(id)
        assert await store.get(id) is None

    async def test_update(self, store):
        """`fn` gets the stored bytes, and what it returns is stored."""
        id = new_id()
        await store.create(id, b"a", LONG)
        for expected in (b"ab", b"abb"):
            assert await store.update(id, lambda old: old + b"b", LONG) is True
            assert expected == await store.get(id)

    async def test_update_to_none(self, store, clock):
        """`fn` returning None leaves data and time to live as they are."""
        id = new_id()
        await store.create(id, b"data", 1)
        await self.pass_time(clock, 0.6)
        assert await store.update(id, lambda _: None, LONG) is False
        assert b"data" == await store.get(id)
        await self.pass_time(clock, 0.4)
        assert await store.get(id) is None

    async def test_update_that_raises(self, store):
        """What `fn` raises goes up, the very object; the record is as it was, and can be written."""
        id, error = new_id(), LookupError("mine")

        def fail(_):
            raise error

        await store.create(id, b"data", LONG)
        with pytest.raises(LookupError) as raised:
            await store.update(id, fail, LONG)
        assert error is raised.value
        assert b"data" == await store.get(id)
        assert await store.update(id, lambda _: b"new", LONG) is True

    async def test_expired(self, store, clock):
        """At its time to live a record is absent, was it removed or not; it can be created anew."""
        id = new_id()
        await store.create(id, b"data", 2)
        await self.pass_time(clock, 1.5)
        assert b"data" == await store.get(id)
        await self.pass_time(clock, 0.5)
        assert await store.get(id) is None
        assert await store.update(id, self.not_called, LONG) is False
        assert await store.get(id) is None
        await store.create(id, b"new", LONG)
        assert b"new" == await store.get(id)

    async def test_what_renews(self, store, clock):
        """An update begins the time to live anew; reading does not."""
        updated, read = new_id(), new_id()
        await store.create(updated, b"data", 1)
        await store.create(read, b"data", 1)
        await self.pass_time(clock, 0.6)
        assert await store.update(updated, lambda old: old, 1) is True  # also when the data stays the same
        assert b"data" == await store.get(read)
        await self.pass_time(clock, 0.4)
        assert await store.get(read) is None
        assert b"data" == await store.get(updated)
        await self.pass_time(clock, 0.6)
        assert await store.get(updated) is None

    async def test_update_shortens(self, store, clock):
        """The time to live of an update counts also where it ends before the one of the creation."""
        id = new_id()
        await store.create(id, b"data", LONG)
        assert await store.update(id, lambda _: b"new", 1) is True
        await self.pass_time(clock, 1)
        assert await store.get(id) is None

    async def test_purge(self, store, clock):
        """Expired records are removed and counted; those that live stay."""
        await store.purge()
        ids = [new_id() for _ in range(3)]
        for id, ttl in zip(ids, (1, 1, LONG), strict=True):
            await store.create(id, b"data", ttl)
        await self.pass_time(clock, 1)
        assert (2 if self.purges else 0) == await store.purge()
        assert 0 == await store.purge()
        assert [None, None, b"data"] == [await store.get(id) for id in ids]

    async def test_concurrent_updates(self, store):
        """Many updates of one record at once: each is in, none is lost."""
        id, writers, turns = new_id(), 16, 5
        await store.create(id, b"{}", LONG)

        async def write(key):
            for turn in range(turns):
                assert await store.update(id, with_key(f"{key}.{turn}"), LONG) is True

        async with anyio.create_task_group() as tasks:
            for key in range(writers):
                tasks.start_soon(write, key)
        expected = {f"{key}.{turn}" for key in range(writers) for turn in range(turns)}
        assert expected == json.loads(await store.get(id)).keys()

    async def test_no_revival(self, store):
        """Once `delete` has returned, no update that runs brings the record back."""
        id = new_id()
        await store.create(id, b"{}", LONG)
        deleted = anyio.Event()

        async def write(key):
            turn = 0
            while True:
                after = deleted.is_set()
                written = await store.update(id, with_key(f"{key}.{turn}"), LONG)
                assert not (after and written)
                if not written:
                    return
                turn += 1
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            for key in range(8):
                tasks.start_soon(write, key)
            await anyio.sleep(0.05)
            await store.delete(id)
            deleted.set()
            assert await store.get(id) is None
        assert await store.get(id) is None

    async def test_cancelled(self, store):
        """A cancelled call took effect wholly or not at all, and the store goes on working."""
        old, new = b"o" * 100_000, b"n" * 100_000
        for step in range(20):
            id = new_id()
            await store.create(id, old, LONG)
            with anyio.move_on_after(step / 5000):
                assert await store.update(id, lambda _: new, LONG) is True
            assert await store.get(id) in (old, new)
            with anyio.move_on_after(step / 5000):
                await store.delete(id)
            assert await store.get(id) in (old, new, None)
        id = new_id()
        await store.create(id, old, LONG)
        assert await store.update(id, lambda _: new, LONG) is True
        assert new == await store.get(id)

    async def test_closed_twice(self, store):
        """Closing is no error when it is closed, nor when it was never used."""
        await store.aclose()
        await store.create(new_id(), b"data", LONG)
        await store.aclose()
        await store.aclose()

    @staticmethod
    def not_called(data):
        """For updates of records that are not there."""
        raise AssertionError(f"fn was called with {data!r}")


def with_key(key):
    """What adds a key to a JSON object, as the middleware merges what a request has set."""
    return lambda data: json.dumps({**json.loads(data), key: 1}).encode()
