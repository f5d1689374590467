"""Timing."""

from .middleware import TimingMiddleware
from .records import TimingRecord
from .spans import Span, add, span

__all__ = ["Span", "TimingMiddleware", "TimingRecord", "add", "span"]
