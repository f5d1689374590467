"""What constructors ask of the values of their keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def checked_bool(keyword: str, value: object) -> bool:
    """A switch.

    Raises:
        TypeError: It is something else, which is most often a mistake: `0`, `"false"`, a callable.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{keyword} must be True or False (got {value!r})")
    return value


def checked_int(keyword: str, value: Any, least: int, most: int | None = None) -> int:
    """A number within bounds.

    Raises:
        TypeError: It is no int.
        ValueError: It is out of the bounds.
    """
    bounds = f"{least} or more" if most is None else f"from {least} to {most}"
    if type(value) is not int:
        raise TypeError(f"{keyword} must be an int, {bounds} (got {value!r})")
    if value < least or (most is not None and value > most):
        raise ValueError(f"{keyword} must be {bounds} (got {value})")
    return value


def checked_callable(keyword: str, function: object, what: str) -> Callable[..., object]:
    """A plain function whose answer counts; `what` says what the keyword takes.

    Raises:
        TypeError: It cannot be called, or is async: a coroutine is true, whatever it would say, and lets everything in.
    """
    is_async = inspect.iscoroutinefunction
    if not callable(function) or is_async(function) or is_async(getattr(function, "__call__", None)):  # noqa: B004
        raise TypeError(f"{keyword} must be {what} (got {function!r})")
    return function
