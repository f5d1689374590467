"""Conditions on the path of a request: the same three everywhere: a prefix, a compiled pattern, a callable.

Prefixes and patterns are about the path below `root_path`, as the routes of most frameworks are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

from ..asgi import Scope
from .options import checked_callable

Condition: TypeAlias = str | re.Pattern[str] | Callable[[Any], bool]


def checked_prefix(keyword: str, prefix: str) -> str:
    """A path prefix in normal form, without a slash at its end (`""` covers every path).

    Raises:
        ValueError: it does not start with a slash, or holds a `..` segment, which no path can match.
    """
    if not prefix.startswith("/") or ".." in prefix.split("/"):
        raise ValueError(
            f"{keyword} must be a path prefix that starts with '/' and has no '..' segment (got {prefix!r})"
        )
    return prefix.rstrip("/")


def route_path(scope: Scope) -> str:
    """The path below `root_path`, which is what a mount adds, or a server behind a proxy that takes a prefix off.

    ASGI has `root_path` at the start of `path`; where a server leaves it out, the path is what it is. As in Starlette's
    `get_route_path`, the path of the root itself is `""`.
    """
    path: str = scope["path"]
    given: str = scope.get("root_path") or ""
    if given:
        # Of a root that ends with a slash, uvicorn makes `/api//health`; other servers leave `/api/health`.
        for root in (given, given.rstrip("/")):
            rest = path[len(root) :]
            if path.startswith(root) and (not rest or rest[0] == "/"):
                return rest
    return path


def covers(prefix: str, path: str) -> bool:
    """Whether a checked prefix covers a path, on segment borders: `/health` also `/health/live`, not `/healthy`.

    A path with a `..` segment is covered by no prefix: what serves it may resolve it to a place outside.
    """
    return (
        path.startswith(prefix)
        and (len(path) == len(prefix) or path[len(prefix)] == "/")
        and not (".." in path and ".." in path.split("/"))
    )


def matchers(keyword: str, conditions: Condition | Iterable[Condition]) -> tuple[Callable[[Scope], bool], ...]:
    """The tests that one condition, or a list of them, stands for (see `matcher`).

    Raises:
        TypeError: it is neither.
        ValueError: a prefix is not one.
    """
    if isinstance(conditions, str | re.Pattern) or callable(conditions):
        return (matcher(keyword, conditions),)
    try:
        found = tuple(conditions)
    except TypeError:
        raise TypeError(
            f"{keyword} must be a path prefix, a compiled pattern, a callable of the scope, or a list of them "
            f"(got {conditions!r})"
        ) from None
    return tuple([matcher(keyword, condition) for condition in found])


def matcher(keyword: str, condition: Condition) -> Callable[[Scope], bool]:
    """The test of a scope that a condition stands for; a pattern is searched in the path below `root_path`.

    Ask with the `root_path` that the request came with: Starlette's mounts write their own into the scope.

    Raises:
        TypeError: the condition is none of the three.
        ValueError: the prefix is not one (see `checked_prefix`).
    """
    if isinstance(condition, str):
        prefix = checked_prefix(keyword, condition)
        return lambda scope: covers(prefix, route_path(scope))
    if isinstance(condition, re.Pattern):
        if not isinstance(cast("re.Pattern[Any]", condition).pattern, str):
            raise TypeError(f"{keyword} must hold patterns of str, as paths are str (got {condition!r})")
        search = condition.search
        return lambda scope: search(route_path(scope)) is not None
    what = "a path prefix, a compiled pattern or a plain callable of the scope"
    return cast("Callable[[Scope], bool]", checked_callable(keyword, condition, what))
