"""Hooks, contained: none of them changes anything for the client, and none is waited for."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from .._http.tasks import run_detached

logger = logging.getLogger("middlewares.timing")

Hook: TypeAlias = Callable[[Any], Any]


def collected(keyword: str, values: Any) -> tuple[Any, ...]:
    """What can be iterated, as a tuple.

    Raises:
        TypeError: It cannot be iterated.
    """
    try:
        return tuple(values)
    except TypeError:
        raise TypeError(f"{keyword} must be a list of what it takes (got {values!r})") from None


def checked_hooks(keyword: str, hooks: Any) -> tuple[Hook, ...]:
    """A callable, several, or None, as a tuple.

    Raises:
        TypeError: One cannot be called.
    """
    found: tuple[Any, ...] = () if hooks is None else (hooks,) if callable(hooks) else collected(keyword, hooks)
    for hook in found:
        if not callable(hook):
            raise TypeError(f"{keyword} must be a callable or a list of callables (got {hook!r})")
    return found


def checked_exporters(exporters: Any) -> tuple[Any, ...]:
    """Objects with the methods of an exporter, as a tuple.

    Raises:
        TypeError: It is no list, or one lacks a method.
    """
    found = collected("exporters", exporters)
    for exporter in found:
        for method in ("on_start", "on_complete"):
            if isinstance(exporter, type) or not callable(getattr(exporter, method, None)):
                raise TypeError(f"exporters must hold objects with on_start and on_complete (got {exporter!r})")
    return found


def notify(hooks: tuple[Hook, ...], argument: Any) -> None:
    """Call each hook, whatever the others do; what an async one returns runs in a task of its own."""
    for hook in hooks:
        try:
            result = hook(argument)
            if result is not None and inspect.isawaitable(result):
                _detach(hook, result)
        except Exception:
            logger.exception("hook %r failed", hook)


def asked(keyword: str, question: Callable[[Any], Any], scope: Any) -> bool:
    """The answer of a function of the user; one that raises is logged, and counts as no."""
    try:
        return bool(question(scope))
    except Exception:
        logger.exception("%s failed", keyword)
        return False


def _detach(hook: Hook, awaitable: Awaitable[Any]) -> None:
    try:
        run_detached(_contained(hook, awaitable))
    except RuntimeError:  # a bridge calls `send` from a thread without a loop
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise


async def _contained(hook: Hook, awaitable: Awaitable[Any]) -> None:
    try:
        await awaitable
    except Exception:
        logger.exception("hook %r failed", hook)
