"""Sessions (the manual page comes with the middleware)."""

from typing import TYPE_CHECKING

from .middleware import SessionMiddleware
from .session import Session
from .stores import SessionStore

if TYPE_CHECKING:
    from .stores.memory import MemoryStore
    from .stores.redis import RedisStore
    from .stores.sqlalchemy import SQLAlchemyStore
    from .stores.sqlite import SQLiteStore

__all__ = [
    "MemoryStore",
    "RedisStore",
    "SQLAlchemyStore",
    "SQLiteStore",
    "Session",
    "SessionMiddleware",
    "SessionStore",
]

if not TYPE_CHECKING:  # each store is loaded on first use, with what it imports

    def __getattr__(name):  # noqa: ANN001, ANN202
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".stores.{name.removesuffix('Store').lower()}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():  # noqa: ANN202
        return sorted({*globals(), *__all__})
