"""Sessions (the manual page comes with the middleware)."""

from .middleware import SessionMiddleware
from .session import Session
from .stores import SessionStore

__all__ = ["Session", "SessionMiddleware", "SessionStore"]
