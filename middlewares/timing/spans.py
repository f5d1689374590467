"""Spans: what application code measures, kept for the request that it runs for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar, cast

from .._http.shared import shared

_MOST_SECONDS = 1e9

MOST_SPANS = 10_000
"""Of one request: a stream or a WebSocket without end may have a span for each message. Later ones are left out."""

_F = TypeVar("_F", bound=Callable[..., Any])

Timed: TypeAlias = tuple[str, float | None, str | None]


class Span(NamedTuple):
    """A part of a request, as records show it.

    Attributes:
        name: As given.
        duration: Seconds; None for an entry without one.
        desc: As given, or None.
    """

    name: str
    duration: float | None
    desc: str | None


Collector: TypeAlias = list[list[Timed] | None]
"""The spans of one request: the only item, which is None once they are closed. The contexts of its tasks and threads
share it. No class, since it is made for each request, and a list takes half the time."""

current: ContextVar[Collector | None] = shared(ContextVar("middlewares.timing", default=None))


class span:  # noqa: N801 - a context manager and a decorator, as `contextlib.suppress` is
    """Measure a part of the request: a `with` block, or each call of a plain or async function that it decorates.

    It belongs to the request whose context it runs in, also in tasks and in threads that got a copy of the context
    (`asyncio.to_thread`, `anyio.to_thread.run_sync`). Outside of a request, and after its end, it does nothing.

    Args:
        name: The name of the entry. In the header, characters that are not allowed become `_`, and equal names one
            entry with the sum.
        desc: A description in words, which browsers show. Clients can read it. None: none.

    Attributes:
        name: The name of the entry.
        desc: Its description; it may still be set within the block.
    """

    __slots__ = ("_collector", "_started", "desc", "name")

    def __init__(self, name: str, desc: str | None = None) -> None:
        self.name = name if name.__class__ is str else str(name)
        self.desc = desc
        self._started = 0.0  # while no block runs

    def __enter__(self) -> Self:
        """Start the clock."""
        if self._started:
            raise RuntimeError("a span measures one block at a time: call span() for each")
        self._collector = current.get()
        self._started = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the clock; also where the block raises, which goes on."""
        took = perf_counter() - self._started
        self._started = 0.0
        collector, desc = self._collector, self.desc
        if collector is not None and (spans := collector[0]) is not None and len(spans) < MOST_SPANS:
            spans.append((self.name, took, desc if desc is None else str(desc)))

    def __call__(self, function: _F) -> _F:
        """Decorate a plain or an async function.

        Raises:
            TypeError: It is a generator, whose call is over before it has begun to run.
        """
        name, desc = self.name, self.desc
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def timed_async(*args: Any, **kwargs: Any) -> Any:
                with span(name, desc):
                    return await function(*args, **kwargs)

            return cast("_F", timed_async)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"span() decorates functions; in a generator, use `with span(...)` (got {function!r})")

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with span(name, desc):
                return function(*args, **kwargs)

        return cast("_F", timed)


def add(name: str, duration: float | None = None, desc: str | None = None) -> None:
    """Add an entry that was measured elsewhere, or is no time at all: `add("cache", desc="hit")`.

    Args:
        name: The name of the entry (see `span`).
        duration: Seconds. None, and what no clock can show (negative, infinite, not a number), is an entry without.
        desc: A description in words. None: none.
    """
    collector = current.get()
    if collector is not None and (spans := collector[0]) is not None and len(spans) < MOST_SPANS:
        spans.append((str(name), _seconds(duration), desc if desc is None else str(desc)))


def _seconds(duration: Any) -> float | None:
    """A duration as a float that can be sent; None for what no clock measures: negative, infinite, no number."""
    try:
        seconds = float(duration) + 0.0  # -0.0 is 0.0 from here on
    except (TypeError, ValueError, ArithmeticError):
        return None
    return seconds if 0.0 <= seconds <= _MOST_SECONDS else None
