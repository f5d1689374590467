"""What constructors ask of the values of their keywords."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def checked_bool(keyword: str, value: object) -> bool:
    """A switch.

    Raises:
        TypeError: It is something else, which is most often a mistake: `0`, `"false"`, a callable.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{keyword} must be True or False (got {value!r})")
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
