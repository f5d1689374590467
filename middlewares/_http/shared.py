"""What both names of the package have in common: `middlewares` and `asgi_middlewares` are two sets of modules."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from types import ModuleType
from typing import Any, TypeVar

_T = TypeVar("_T")


def shared(var: ContextVar[_T]) -> ContextVar[_T]:
    """`var`, or the one of its name that this package has made under its other name.

    The command builds its layers under one name, and the application may import the other one at any time after that,
    Django even in its first request: what the layers set is found under both. It is kept where neither name has a say.
    """
    kept = sys.modules.setdefault("_asgi_middlewares", ModuleType("_asgi_middlewares", __doc__))
    found: Any = vars(kept).setdefault(var.name, var)
    return found  # type: ignore[no-any-return]
