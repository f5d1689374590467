"""Independent pure-ASGI middlewares that stack in front of any ASGI application.

Every name is loaded on first use, so that a room costs nothing where another one is used alone.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compression import CompressionMiddleware, DecompressionMiddleware
    from .cors import CORSMiddleware
    from .request_id import RequestIDMiddleware
    from .server_errors import ServerErrorMiddleware
    from .sessions import SessionMiddleware
    from .stack import OrderError, OrderProblem, OrderWarning, Stack, check, use, when, wrap
    from .timing import TimingMiddleware

__version__ = "0.1.0"

__all__ = [
    "CORSMiddleware",
    "CompressionMiddleware",
    "DecompressionMiddleware",
    "OrderError",
    "OrderProblem",
    "OrderWarning",
    "RequestIDMiddleware",
    "ServerErrorMiddleware",
    "SessionMiddleware",
    "Stack",
    "TimingMiddleware",
    "__version__",
    "check",
    "use",
    "when",
    "wrap",
]

if not TYPE_CHECKING:  # to a type checker, a module with `__getattr__` has every name, also a misspelt one

    def __getattr__(name):  # noqa: ANN001, ANN202
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        from ._index import ROOMS

        value = getattr(import_module(f".{ROOMS.get(name, 'stack')}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():  # noqa: ANN202
        return sorted({*globals(), *__all__})
