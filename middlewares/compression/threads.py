"""The threads that code what is large. This file imports anyio, so it is imported as a middleware is constructed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
A = TypeVar("A")

# Of each event loop. All middlewares share it: it is about the cores.
_limiters: RunVar[CapacityLimiter] = RunVar("middlewares.compression")


def _cores() -> int:
    """How many cores this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


async def run_in_thread(function: Callable[[A], T], argument: A) -> T:
    """`function(argument)` in a thread, at most as many at once as there are cores."""
    limiter = _limiters.get(None)
    if limiter is None:
        limiter = CapacityLimiter(_cores())
        _limiters.set(limiter)
    return await to_thread.run_sync(function, argument, limiter=limiter)
