"""Metrics for OpenTelemetry, on its official API, which is imported when an exporter is made."""

from __future__ import annotations

from typing import Any

from ..asgi import Scope
from .labels import BUCKETS, SCHEMES, VERSIONS, known_method, sent_status
from .records import TimingRecord


class OpenTelemetryExporter:
    """Records as the stable metric `http.server.request.duration`; WebSockets are left out.

    Args:
        meter_provider: The provider that makes the meter. None is the global one.

    Raises:
        ImportError: The API is missing; the extra `asgi-middlewares[opentelemetry]` brings it.

    Source: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
    """

    def __init__(self, meter_provider: Any = None) -> None:
        try:
            from opentelemetry import metrics
        except ImportError as error:
            raise ImportError("OpenTelemetryExporter needs `pip install 'asgi-middlewares[opentelemetry]'`") from error
        self._duration = metrics.get_meter("middlewares.timing", meter_provider=meter_provider).create_histogram(
            "http.server.request.duration",
            unit="s",
            description="Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )

    def on_start(self, scope: Scope) -> None:
        """Nothing: the count of active requests is no stable metric."""

    def on_complete(self, record: TimingRecord) -> None:
        """Record a request that is over."""
        if record.type != "http":
            return
        attributes: dict[str, Any] = {"http.request.method": known_method(record)}
        status = sent_status(record)  # semantic conventions: "if and only if one was received/sent"
        if status is not None:
            attributes["http.response.status_code"] = status
        if record.scheme in SCHEMES:
            attributes["url.scheme"] = record.scheme
        if record.route is not None:
            attributes["http.route"] = record.route
        if record.http_version in VERSIONS:
            attributes["network.protocol.version"] = record.http_version
        if record.error is not None:
            attributes["error.type"] = type(record.error).__qualname__
        elif status is not None and status >= 500:
            attributes["error.type"] = str(status)
        self._duration.record(record.duration, attributes)
