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


def test_without_a_loop():
    """Without an event loop it fails, and the coroutine is closed: no warning of one that was never awaited."""

    async def never():
        raise AssertionError

    with pytest.raises(RuntimeError, match="no running event loop"):
        run_detached(never())
