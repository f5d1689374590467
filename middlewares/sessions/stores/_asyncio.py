"""What stores share whose engines are reached through asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple, Unpack
from weakref import WeakValueDictionary

from . import WAIT_SECONDS

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_left_alone: dict[asyncio.Task[Any], object] = {}  # with their stores; the loop itself holds tasks weakly


async def within_time(
    store: object,
    fn: Callable[[Unpack[Arguments]], Coroutine[Any, Any, T]],
    *arguments: *Arguments,
    patience: float = 0,
) -> T:
    """Await `fn(*arguments)`, at most for as long as a call of a store may take.

    It runs in a task of its own. When the time is over, that is left alone for the seconds of `patience`, and then
    cancelled, but never waited for: drivers answer a cancellation with a farewell to the server, and one that is frozen
    never hears it (asyncpg issues 1326 and 1356). A caller that is cancelled goes at once, and the task runs on: no
    driver is disturbed in the midst of its work, and what was begun takes effect wholly.

    Raises:
        TimeoutError: The time is over.
        RuntimeError: The event loop is none of asyncio's.
    """
    name = type(store).__name__
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError as error:
        raise RuntimeError(f"{name} runs on asyncio only; on trio, use SQLiteStore or MemoryStore") from error
    end = loop.time() + WAIT_SECONDS + patience
    task = loop.create_task(fn(*arguments))
    try:
        done, _ = await asyncio.wait({task}, timeout=WAIT_SECONDS)
    finally:
        if not task.done():
            _left_alone[task] = store
            task.add_done_callback(_ended)
            loop.call_at(end, task.cancel)
    if not done:
        raise TimeoutError(f"{name} had no answer for {WAIT_SECONDS} seconds")
    return task.result()


async def rest(store: object) -> None:
    """Wait, as long as for a call, until nothing runs on that was left alone: then connections can be closed."""
    loop = asyncio.get_running_loop()
    tasks = [task for task, owner in _left_alone.items() if owner is store and task.get_loop() is loop]
    if tasks:
        await asyncio.wait(tasks, timeout=WAIT_SECONDS)


def _ended(task: asyncio.Task[Any]) -> None:
    del _left_alone[task]
    if not task.cancelled():
        task.exception()  # nobody is there to whom it could be told


class Turns:
    """One lock for each key that is in use: the updates of one record by one process wait in line.

    Without it, all of them would read the same, and all but one would have to begin anew.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock, which stays the same as long as somebody holds it or waits for it."""
        return self._locks.setdefault((asyncio.get_running_loop(), key), asyncio.Lock())
