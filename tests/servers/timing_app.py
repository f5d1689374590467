"""Applications behind timing, for servers to import by name."""

from __future__ import annotations

import logging
import runpy
import sys
from pathlib import Path

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from middlewares.timing import AccessLog, OpenTelemetryExporter, TimingMiddleware, add, span

_logger = logging.Logger("timing_app", logging.INFO)  # noqa: LOG001 - out of reach of what servers configure
_logger.addHandler(logging.StreamHandler(sys.stdout))


async def _pieces(scope, receive, send):
    """Answers in two pieces with a span between them, and does some work afterwards; ends lifespan at once."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    with span("early"):
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]})
    with span("late"):
        await send({"type": "http.response.body", "body": b"pie", "more_body": True})
    await send({"type": "http.response.body", "body": b"ces"})
    print("background", flush=True)  # noqa: T201


logged = TimingMiddleware(_pieces, trailers=True, exporters=[AccessLog(logger=_logger)])


async def _called_names(scope, receive, send):
    """A page whose spans have names that would break the header if they stood there as they are."""
    add('a"\\b;c,\n dé', 0.001, 'e"f\\g, h;dur=1\r\ni\u2028')
    add("")
    add("__proto__", desc="x")
    kind = b"text/html" if scope["path"] == "/" else b"text/css"  # browsers block HTML that another origin asks for
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": b"<!doctype html><link rel='icon' href='data:,'>"})


hostile = TimingMiddleware(_called_names)
readable = TimingMiddleware(_called_names, timing_allow_origin="*")

_reader = InMemoryMetricReader()
_measured = TimingMiddleware(
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "demo.py"))["app"],
    header=None,
    exclude="/export",
    exporters=[OpenTelemetryExporter(MeterProvider(metric_readers=[_reader]))],
)


class _Exporting:
    """The demo, with what its exporter has in memory under /export."""

    async def __call__(self, scope, receive, send):
        if scope.get("path") != "/export":
            return await _measured(scope, receive, send)
        body = _reader.get_metrics_data().to_json().encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


demo = _Exporting()
