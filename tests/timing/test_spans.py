"""Spans: what is timed, whose request it belongs to, and when it is ignored."""

import asyncio
import threading
from contextvars import copy_context

import pytest

from middlewares.timing import add, span
from middlewares.timing.spans import MOST_SPANS, Collector, current


@pytest.fixture
def collector():
    """The collector of a request that runs."""
    found: Collector = [[]]
    token = current.set(found)
    yield found
    current.reset(token)


def names(collector):
    return [name for name, _, _ in collector[0]]


def test_with(collector):
    """A block is timed; its description may be set within; where it raises, the exception goes on."""
    with span("db") as timer:
        timer.desc = "late"
    with pytest.raises(KeyError), span("broken", "text"):
        raise KeyError
    (first, took, desc), second = collector[0]
    assert (first, desc) == ("db", "late")
    assert 0 <= took < 60
    assert (second[0], second[2]) == ("broken", "text")


def test_decorators(collector):
    """Each call of a plain and of an async function is a span; they stay what they are."""

    @span("plain")
    def plain(a):
        """Doc."""
        return a

    @span("slow")
    async def slow(a):
        await asyncio.sleep(0)
        return a

    async def main():
        return await asyncio.gather(slow(1), slow(2))

    assert plain(3) == 3
    assert plain.__doc__ == "Doc."
    assert asyncio.run(main()) == [1, 2]
    assert names(collector) == ["plain", "slow", "slow"]


def test_generators():
    """The call of a generator is over before it runs: decorating one is an error."""
    with pytest.raises(TypeError, match="with span"):

        @span("x")
        def generator():
            yield

    with pytest.raises(TypeError, match="with span"):

        @span("x")
        async def async_generator():
            yield


def test_used_again(collector):
    """A span object can be used again when its block is over, not before."""
    timer = span("a")
    with timer, pytest.raises(RuntimeError, match="one block at a time"), timer:
        pass
    with timer:
        pass
    assert names(collector) == ["a", "a"]


def test_add(collector):
    """`add` takes seconds, a description, or nothing; names and descriptions of any kind are text."""
    add("cache", desc="hit")
    add("db", 0.5)
    add("bad", float("nan"))
    add(7, 1, 8)
    with span(7, 8):
        pass
    with span("set") as timer:
        timer.desc = 9
    assert collector[0][5][2] == "9"
    assert collector[0][:4] == [("cache", None, "hit"), ("db", 0.5, None), ("bad", None, None), ("7", 1.0, "8")]
    assert collector[0][4][::2] == ("7", "8")


def test_outside_and_late(collector):
    """Outside of a request, and after its end, spans and entries do nothing."""
    timer = span("late")
    with timer:
        collector[0] = None
    add("late")

    def outside():
        current.set(None)
        with span("x"):
            add("y")

    copy_context().run(outside)
    assert collector[0] is None


def test_bounded(collector):
    """A request keeps a bounded number of spans, also one that never ends."""
    collector[0].extend([("x", None, None)] * MOST_SPANS)
    with span("late"):
        add("late")
    assert len(collector[0]) == MOST_SPANS


def test_threads(collector):
    """Threads with a copy of the context share the collector."""

    def work():
        for _ in range(200):
            with span("t"):
                pass

    threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(collector) == ["t"] * 800
