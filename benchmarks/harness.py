"""How cost is measured: process CPU time of many short interleaved rounds, each series taken at its quietest one.

Other programs on the machine only ever add to a figure, so the minimum is nearest to the truth. Whether it is near
enough is judged by what the rounds say of each other: see `Cost`.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SPREAD = 1.3
MAX_DRIFT = 0.1

App = Callable[[Any, Any, Any], Awaitable[Any]]
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def measure(
    series: Sequence[tuple[App, dict[str, Any]]], loop_factory: LoopFactory, *, rounds: int, requests: int
) -> list[list[float]]:
    """Nanoseconds of CPU time that one request took, for each series (an application, a scope) and each round."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_measure(series, rounds, requests))


async def _measure(series: Sequence[tuple[App, dict[str, Any]]], rounds: int, requests: int) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in series]
    order = list(range(len(series)))
    for app, scope in series:  # the interpreter specialises code that runs often: before the clock does
        await _time(app, scope, requests)
    gc.collect()
    gc.freeze()  # so that the collections between the rounds are short
    gc.disable()
    try:
        for _ in range(rounds):
            random.shuffle(order)  # nobody always runs behind the same neighbour
            for index in order:
                times[index].append(await _time(*series[index], requests))
            gc.collect()
    finally:
        gc.enable()
        gc.unfreeze()
    return times


async def _time(app: App, scope: dict[str, Any], requests: int) -> float:
    start = time.process_time_ns()
    for _ in range(requests):
        # As from a server: objects of the request's own, which layers may change.
        await app({**scope, "headers": scope["headers"].copy(), "state": {}}, receive, send)
    return (time.process_time_ns() - start) / requests


async def receive() -> dict[str, Any]:
    """A request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_message: Any) -> None:
    """Take what is answered, and do nothing with it."""


@dataclass(frozen=True)
class Cost:
    """What a series costs over the bare one of its run.

    Attributes:
        ns: Nanoseconds of CPU time per request.
        drift: How far the figures of the even and of the odd rounds alone lie apart, as a part of `ns`: whether the
            next run would say the same.
        spread: The median round over the quietest one: how busy the machine was.
    """

    ns: float
    drift: float
    spread: float

    @classmethod
    def over(cls, bare: list[float], times: list[float]) -> Cost:
        """The cost of `times` over `bare`, both with a figure for each round."""
        ns = max(min(times) - min(bare), 1.0)
        even, odd = (min(times[half::2]) - min(bare[half::2]) for half in (0, 1))
        return cls(ns, abs(even - odd) / ns, statistics.median(times) / min(times))


def verdict(costs: Sequence[Cost]) -> str:
    """One line on whether the figures of a run are to be trusted."""
    spread = max(cost.spread for cost in costs)
    drift = max(cost.drift for cost in costs)
    seen = f"median round at most {spread:.2f} of the quietest, halves of the run at most {drift:.0%} apart"
    if spread > MAX_SPREAD or drift > MAX_DRIFT:
        return f"TOO NOISY, do not trust these ratios, run again on an idle machine: {seen}"
    return f"quiet enough: {seen}"
