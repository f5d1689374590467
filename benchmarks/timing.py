"""The scenarios of timing: a header alone, spans, exporters of metrics, the access log."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import prometheus_client
from asgi_request_duration.middleware import RequestDurationMiddleware
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_fastapi_instrumentator.middleware import PrometheusInstrumentatorMiddleware
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware
from timing_asgi import TimingClient
from timing_asgi import TimingMiddleware as TimingASGIMiddleware
from uvicorn.logging import AccessFormatter
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

from middlewares.testing import run
from middlewares.timing import AccessLog, OpenTelemetryExporter, PrometheusExporter, TimingMiddleware, span

from . import apps
from .harness import App
from .layers import Check, Goal, Layer, Scenario, answers

# ---- The header


class Client(TimingClient):
    """What timing-asgi gives its figures to; it sends no header."""

    emitted = 0

    def timing(self, *_args: Any, **_keywords: Any) -> None:
        """Count one figure."""
        self.emitted += 1


def _timing_asgi(app: App) -> App:
    return TimingASGIMiddleware(app, client=Client())


def _emits(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    app: Any = wrap(apps.bare)
    return len(run(app, scope)) == 2 and app.client.emitted == 2  # wall and CPU time


# ---- Spans

_PARTS = [f"part-{number}" for number in range(10)]
_tracer = TracerProvider().get_tracer("benchmarks")


def _with_parts(measured: Callable[[str], Any], parts: Sequence[str], _app: App = apps.bare) -> App:
    """The same application around the bare one, with a span for each part. It takes the place of what is wrapped."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for name in parts:
            with measured(name):
                pass
        await apps.bare(scope, receive, send)

    return TimingMiddleware(app)


def _names_parts(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    ((_, value),) = [pair for pair in run(wrap(apps.bare), scope)[0]["headers"] if pair[0] == b"server-timing"]
    return all(b" %b;dur=" % name.encode() in value for name in _PARTS)


def _opens_spans(_wrap: Callable[[App], App], _scope: dict[str, Any]) -> bool:
    with _tracer.start_as_current_span("probe") as probe:
        return probe.is_recording()


# ---- Exporters: the peers look for the route themselves, ours reads what the router has left in the scope


class _Application(Starlette):
    def __deepcopy__(self, _memo: object) -> _Application:
        return self  # it stands in the scope, which checks get a copy of


async def _endpoint(_request: Request) -> None:
    """Never called: `_routed` answers."""


_TEMPLATE = "/orders/{number}"
_route = Route(_TEMPLATE, _endpoint)
_starlette = _Application(routes=[_route])
_ROUTED = {**apps.SAME_ORIGIN, "app": _starlette}


async def _routed(scope: Any, receive: Any, send: Any) -> None:
    """The bare application, behind what the router of Starlette leaves in the scope."""
    scope["router"] = _starlette.router
    scope["route"] = _route
    scope["endpoint"] = _endpoint
    scope["path_params"] = {"number": "4711"}
    await apps.bare(scope, receive, send)


def _counting(app: Any, count: Callable[[], float]) -> App:
    app.counted = count
    return app


def _counts(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    """The answer arrives, and one request more is counted, under its template."""
    app: Any = wrap(_routed)
    before = app.counted()
    return run(app, scope)[1]["body"] == apps.BODY and app.counted() == before + 1


def _sample(registry: prometheus_client.CollectorRegistry, name: str, **labels: str) -> Callable[[], float]:
    return lambda: registry.get_sample_value(name, labels) or 0.0


def _instrumentator(app: App) -> App:
    registry = prometheus_client.CollectorRegistry()
    wrapped = PrometheusInstrumentatorMiddleware(app, registry=registry)
    return _counting(wrapped, _sample(registry, "http_requests_total", method="GET", handler=_TEMPLATE, status="2xx"))


def _starlette_exporter(app: App) -> App:
    labels = {"method": "GET", "path": _TEMPLATE, "status_code": "200", "app_name": "starlette"}
    return _counting(
        PrometheusMiddleware(app), _sample(prometheus_client.REGISTRY, "starlette_requests_total", **labels)
    )


def _prometheus(app: App) -> App:
    registry = prometheus_client.CollectorRegistry()
    return _counting(
        TimingMiddleware(app, exporters=[PrometheusExporter(registry)]),
        _sample(registry, "http_server_request_duration_seconds_count", method="GET", route=_TEMPLATE, status="200"),
    )


def _points(reader: InMemoryMetricReader, name: str) -> float:
    data = reader.get_metrics_data()
    return sum(
        point.count
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    )


def _opentelemetry_asgi(app: App) -> App:
    reader = InMemoryMetricReader()
    wrapped = OpenTelemetryMiddleware(app, meter_provider=MeterProvider(metric_readers=[reader]))
    return _counting(wrapped, partial(_points, reader, "http.server.duration"))


def _opentelemetry(app: App) -> App:
    reader = InMemoryMetricReader()
    exporter = OpenTelemetryExporter(MeterProvider(metric_readers=[reader]))
    return _counting(
        TimingMiddleware(app, exporters=[exporter]), partial(_points, reader, "http.server.request.duration")
    )


# ---- The access log, written to a stream that forgets


class _Last(io.StringIO):
    """Holds the last line."""

    line = ""

    def write(self, text: str) -> int:
        self.line = text
        return len(text)


def _logger(name: str, formatter: logging.Formatter) -> tuple[logging.Logger, _Last]:
    stream = _Last()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger(name, logging.INFO)  # noqa: LOG001 - nobody else's, and without a parent
    logger.addHandler(handler)
    return logger, stream


def _logging(app: Any, stream: _Last) -> App:
    app.stream = stream
    return app


def _logs(wrap: Callable[[App], App], scope: dict[str, Any]) -> bool:
    app: Any = wrap(apps.bare)
    return len(run(app, scope)) == 2 and "/orders/4711" in app.stream.line


def _uvicorn_log(app: App) -> App:
    """A layer that does what uvicorn does in its protocols, and only there."""
    formatter = AccessFormatter(
        '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s', use_colors=False
    )
    logger, stream = _logger("benchmarks.uvicorn", formatter)

    async def logged(scope: Any, receive: Any, send: Any) -> None:
        async def send_logged(message: Any) -> None:
            if message["type"] == "http.response.start":
                logger.info(
                    '%s - "%s %s HTTP/%s" %d',
                    get_client_addr(scope),
                    scope["method"],
                    get_path_with_query_string(scope),
                    scope["http_version"],
                    message["status"],
                )
            await send(message)

        await app(scope, receive, send_logged)

    return _logging(logged, stream)


def _access_log(form: str, app: App) -> App:
    logger, stream = _logger("benchmarks.ours", logging.Formatter())
    return _logging(TimingMiddleware(app, header=None, exporters=[AccessLog(logger=logger, format=form)]), stream)


_TIMED: Check = answers((b"server-timing", None))

SCENARIOS = [
    Scenario(
        "timing of a GET",
        apps.SAME_ORIGIN,
        [
            Layer("timing-asgi, sends no header", _timing_asgi, _emits),
            Layer("asgi-request-duration", RequestDurationMiddleware, answers((b"x-request-duration", None))),
            Layer("our TimingMiddleware", TimingMiddleware, _TIMED, Goal("timing-asgi, sends no header", 0.30, 0.22)),
            Layer("our TimingMiddleware, a record", partial(TimingMiddleware, on_complete=id), _TIMED),
        ],
    ),
    Scenario(
        "10 spans in a request, over the same request without",
        apps.SAME_ORIGIN,
        [
            Layer("OpenTelemetry SDK", partial(_with_parts, _tracer.start_as_current_span, _PARTS), _opens_spans),
            Layer("our span, in the header", partial(_with_parts, span, _PARTS), _names_parts, Goal(15_000, 1.0)),
        ],
        bare=_with_parts(span, []),
    ),
    Scenario(
        "exporters of metrics",
        _ROUTED,
        [
            Layer("prometheus-fastapi-instrumentator", _instrumentator, _counts),
            Layer("starlette-exporter", _starlette_exporter, _counts),
            Layer(
                "our PrometheusExporter, and the header",
                _prometheus,
                _counts,
                Goal("prometheus-fastapi-instrumentator", 0.5),
            ),
            Layer("opentelemetry-instrumentation-asgi", _opentelemetry_asgi, _counts),
            Layer(
                "our OpenTelemetryExporter, and the header",
                _opentelemetry,
                _counts,
                Goal("opentelemetry-instrumentation-asgi"),
            ),
        ],
        bare=_routed,
    ),
    Scenario(
        "access log",
        apps.SAME_ORIGIN,
        [
            Layer("uvicorn's own line", _uvicorn_log, _logs),
            Layer("our AccessLog, combined", partial(_access_log, "combined"), _logs),
            Layer("our AccessLog, json", partial(_access_log, "json"), _logs),
        ],
    ),
]
