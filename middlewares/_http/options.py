"""What constructors ask of the values of their keywords."""

from __future__ import annotations


def checked_bool(keyword: str, value: object) -> bool:
    """A switch.

    Raises:
        TypeError: It is something else, which is most often a mistake: `0`, `"false"`, a callable.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{keyword} must be True or False (got {value!r})")
    return value
