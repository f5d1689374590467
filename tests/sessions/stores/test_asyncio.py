"""How long a call may take, whatever a driver does; and whose turn it is."""

import asyncio
import gc

import pytest

from middlewares.sessions.stores import _asyncio
from middlewares.sessions.stores._asyncio import Turns, rest, within_time


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(_asyncio, "WAIT_SECONDS", 0.05)


class Driver:
    """Answers a cancellation with a farewell that takes its time, and may fail."""

    def __init__(self, error=None):
        self.error = error
        self.cancelled, self.ended = asyncio.Event(), asyncio.Event()

    async def hang(self):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            await asyncio.sleep(0.3)
            self.ended.set()
            if self.error is not None:
                raise self.error from None
            raise


async def returns(value):
    return value


async def raises(error):
    raise error


@pytest.mark.anyio
async def test_in_time():
    """The result, or the exception itself."""
    assert 5 == await within_time(object(), returns, 5)
    error = LookupError("mine")
    with pytest.raises(LookupError) as raised:
        await within_time(object(), raises, error)
    assert error is raised.value


@pytest.mark.anyio
@pytest.mark.parametrize("error", [None, OSError("no farewell")], ids=["cancelled", "fails"])
async def test_farewell_is_not_waited_for(soon, caplog, error):
    """What takes too long is cancelled and left alone (asyncpg issue 1356); its end is nobody's business."""
    driver = Driver(error)
    with pytest.raises(TimeoutError, match=r"^Driver had no answer for 0\.05 seconds$"):
        await within_time(driver, driver.hang)
    assert not driver.ended.is_set()
    await driver.ended.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert {} == _asyncio._left_alone
    assert [] == caplog.records


@pytest.mark.anyio
async def test_patience(soon):
    """A task that is left alone may go on for a while; then it is cancelled, too."""
    driver = Driver()
    with pytest.raises(TimeoutError):
        await within_time(driver, driver.hang, patience=0.1)
    await asyncio.sleep(0)
    assert not driver.cancelled.is_set()
    await asyncio.wait_for(driver.ended.wait(), 5)


@pytest.mark.anyio
async def test_cancelled_from_outside():
    """A caller that is cancelled goes at once, and what it has begun takes effect."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work():
        begun.set()
        await asyncio.sleep(0.05)
        ended.set()

    task = asyncio.create_task(within_time(object(), work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.anyio
async def test_rest():
    """Closing waits for what was left alone by the same store, and for nothing else."""
    driver, other = Driver(), Driver()
    tasks = [asyncio.create_task(within_time(store, store.hang)) for store in (driver, other)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    mine, its = _asyncio._left_alone
    mine.cancel()
    await rest(driver)
    assert [its] == list(_asyncio._left_alone)
    assert driver.ended.is_set()
    its.cancel()
    await rest(other)
    await rest(other)
    assert {} == _asyncio._left_alone


@pytest.mark.anyio
async def test_turns():
    """One lock for a key as long as anybody has it; nothing is kept after that."""
    turns = Turns()
    async with turns.of("a") as _:
        assert turns.of("a").locked()
        assert not turns.of("b").locked()
    assert not turns.of("a").locked()
    assert 0 == len(turns._locks)
