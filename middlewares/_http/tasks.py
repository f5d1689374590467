"""Tasks beside the request, on asyncio and trio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

_tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references


def run_detached(coroutine: Coroutine[Any, Any, None], ended: Callable[[], object] | None = None) -> None:
    """Run a coroutine that raises nothing in a task of its own.

    Args:
        coroutine: What to run.
        ended: Called when the task has ended, however that was: one that is cancelled before its first step, as a loop
            does at its end, runs nothing of the coroutine, not even its `finally`.

    Raises:
        RuntimeError: There is no event loop in this thread; the coroutine is closed.
    """
    trio: Any = sys.modules.get("trio")  # no request runs under trio where it was not imported
    try:
        if trio is not None and trio.lowlevel.in_trio_task():
            # In a copy of the context, as asyncio does: what runs there may ask for the request id.
            trio.lowlevel.spawn_system_task(_run, coroutine, ended, context=copy_context())
        else:
            task = asyncio.get_running_loop().create_task(coroutine)
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
            if ended is not None:
                task.add_done_callback(lambda _: ended())
    except RuntimeError:
        coroutine.close()
        raise


async def _run(coroutine: Coroutine[Any, Any, None], ended: Callable[[], object] | None) -> None:
    # On trio every task takes its first step, so that this is enough.
    try:
        await coroutine
    finally:
        if ended is not None:
            ended()
