"""Timing."""

from .access_log import AccessLog
from .middleware import TimingMiddleware
from .opentelemetry import OpenTelemetryExporter
from .prometheus import PrometheusExporter
from .records import TimingRecord
from .spans import Span, add, span

__all__ = [
    "AccessLog",
    "OpenTelemetryExporter",
    "PrometheusExporter",
    "Span",
    "TimingMiddleware",
    "TimingRecord",
    "add",
    "span",
]
