"""Tasks beside the request."""

from __future__ import annotations

import anyio
import pytest

from middlewares._http.tasks import run_detached


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_runs_beside(backend):
    """A coroutine runs in a task of its own, on asyncio and trio, while the caller goes on."""

    async def main():
        done = anyio.Event()
        order = []

        async def beside():
            order.append("beside")
            done.set()

        run_detached(beside())
        order.append("caller")
        with anyio.fail_after(10):
            await done.wait()
        assert order == ["caller", "beside"]

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tells_its_end(backend):
    """`ended` is called once, after the task, and also where the loop ends before its first step or within it."""
    order = []

    async def beside(name, seconds):
        try:
            await anyio.sleep(seconds)
        finally:
            order.append(name)

    async def main():
        done = anyio.Event()
        run_detached(beside("short", 0), lambda: (order.append("short ended"), done.set()))
        run_detached(beside("long", 3600), lambda: order.append("long ended"))
        with anyio.fail_after(10):
            await done.wait()
        assert order == ["short", "short ended"]
        run_detached(anyio.sleep(3600), lambda: order.append("not begun"))

    anyio.run(main, backend=backend)
    assert order[:2] == ["short", "short ended"]
    assert sorted(order[2:]) == ["long", "long ended", "not begun"]
    assert order.index("long") < order.index("long ended")


def test_without_a_loop():
    """Without an event loop it fails, and the coroutine is closed: no warning of one that was never awaited."""

    async def never():
        raise AssertionError

    with pytest.raises(RuntimeError, match="no running event loop"):
        run_detached(never())
