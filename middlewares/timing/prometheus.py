"""Metrics for Prometheus, on its official client, which is imported when an exporter is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from ..asgi import Scope
from .labels import BUCKETS, final_status, known_method
from .records import TimingRecord

# A registry takes each name once: the exporters of several applications share what is in it.
_metrics: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()


class PrometheusExporter:
    """Records as metrics of Prometheus; WebSockets are left out.

    - `http_server_request_duration_seconds`: a histogram with the labels `method` (`_OTHER` for an unknown one),
      `route` (the template; empty where none is known) and `status` (500 for an unhandled exception; empty without
      a response).
    - `http_server_active_requests`: a gauge of the requests that run.

    Args:
        registry: The `CollectorRegistry`; several exporters may share one. None is the client's default registry.

    Raises:
        ImportError: prometheus-client is missing; the extra `asgi-middlewares[prometheus]` brings it.
        ValueError: The registry has metrics of these names that are not ours.
    """

    def __init__(self, registry: Any = None) -> None:
        try:
            import prometheus_client
        except ImportError as error:
            raise ImportError("PrometheusExporter needs `pip install 'asgi-middlewares[prometheus]'`") from error
        registry = prometheus_client.REGISTRY if registry is None else registry
        metrics: tuple[Any, Any] = _metrics.get(registry) or (
            prometheus_client.Histogram(
                "http_server_request_duration_seconds",
                "Duration of HTTP server requests.",
                ("method", "route", "status"),
                buckets=BUCKETS,
                registry=None,
            ),
            prometheus_client.Gauge(
                "http_server_active_requests",
                "Number of HTTP server requests that run.",
                registry=None,
                multiprocess_mode="livesum",
            ),
        )
        self._duration, self._active = metrics
        _unregister(registry, metrics)  # whether they are there: somebody may have emptied the registry, as tests do
        try:
            for metric in metrics:
                registry.register(metric)
        except ValueError:  # one of the names is taken
            _unregister(registry, metrics)
            raise
        _metrics[registry] = metrics
        # The client takes longer to find a series than to add to it. There are no more of them than it has itself.
        self._observe: dict[tuple[str, str, int | None], Callable[[float], None]] = {}

    def on_start(self, scope: Scope) -> None:
        """Count a request that begins."""
        if scope["type"] == "http":
            self._active.inc()

    def on_complete(self, record: TimingRecord) -> None:
        """Observe a request that is over."""
        if record.type == "http":
            self._active.dec()
            labels = (known_method(record), record.route or "", final_status(record))
            observe = self._observe.get(labels)
            if observe is None:
                method, route, status = labels
                series = self._duration.labels(method, route, "" if status is None else str(status))
                observe = self._observe[labels] = series.observe
            observe(record.duration)


def _unregister(registry: Any, metrics: tuple[Any, Any]) -> None:
    for metric in metrics:
        with suppress(KeyError):
            registry.unregister(metric)
