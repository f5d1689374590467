"""The keyword that both middlewares of this room take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast


def checked_encodings(encodings: Iterable[str], known: Sequence[str]) -> list[str]:
    """The names of content codings, each once.

    Raises:
        TypeError: It is no list of them.
        ValueError: It is empty, or has a name that is not among the known ones.
    """
    if isinstance(encodings, str | bytes) or not isinstance(cast("Any", encodings), Iterable):
        raise TypeError(f"encodings must be a list of names, such as {tuple(known[:2])} (got {encodings!r})")
    names = list(encodings)
    for name in names:
        if name not in known:
            raise ValueError(f"encodings has the unknown name {name!r}; it takes {', '.join(known)}")
    if not names:
        raise ValueError("encodings must name at least one coding; without any, leave the middleware out")
    return list(dict.fromkeys(names))
