"""Metrics on the official clients: names, labels that cannot grow without end, and what a missing client says."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from middlewares.testing import http_scope, run, websocket_scope
from middlewares.timing import OpenTelemetryExporter, PrometheusExporter, TimingMiddleware
from tests.conftest import require

BODY = {"type": "http.response.body", "body": b"abc", "more_body": False}


class Route:
    path = "/x/{y}"


class BoomError(Exception):
    pass


async def app(scope, receive, send):
    """Answers with the status that stands in the path; 0 raises, 1 is silent, and 2 raises after the start."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    status = int(scope["path"].strip("/"))
    if status == 0:
        raise BoomError
    if status > 1:
        if status == 200:
            scope["route"] = Route
        await send({"type": "http.response.start", "status": 200 if status == 2 else status, "headers": []})
        if status == 2:
            raise BoomError
        await send(BODY)


def drive(exporter):
    wrapped = TimingMiddleware(app, exporters=[exporter], websockets=True)
    for method, path in [("GET", 200), ("GET", 200), ("POST", 404), ("EVIL", 503), ("GET", 0), ("GET", 1), ("GET", 2)]:
        with contextlib.suppress(BoomError):
            run(wrapped, http_scope(method, f"/{path}"))
    run(wrapped, http_scope("GET", "/999", scheme=None, http_version=None))
    run(wrapped, http_scope("GET", "/999", scheme="gopher", http_version="9.9"))  # made up by a client
    run(wrapped, websocket_scope())


def test_prometheus():
    """A scrape: method or `_OTHER`, template or empty, status, 500 for an exception; WebSockets are left out."""
    prometheus_client = require("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    drive(PrometheusExporter(registry))
    drive(PrometheusExporter(registry))  # two applications share a registry
    text = prometheus_client.generate_latest(registry).decode()
    counts = sorted(line for line in text.splitlines() if line.startswith("http_server_request_duration_seconds_count"))
    assert counts == [
        f"http_server_request_duration_seconds_count{{{labels}}} {count}"
        for labels, count in [
            ('method="GET",route="",status=""', "6.0"),
            ('method="GET",route="",status="500"', "4.0"),
            ('method="GET",route="/x/{y}",status="200"', "4.0"),
            ('method="POST",route="",status="404"', "2.0"),
            ('method="_OTHER",route="",status="503"', "2.0"),
        ]
    ]
    assert "http_server_active_requests 0.0" in text
    assert 'le="0.075"' in text
    assert 'le="7.5"' in text


def test_emptied_registry():
    """A registry that somebody has emptied gets the metrics again."""
    prometheus_client = require("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    first = PrometheusExporter(registry)
    registry.unregister(first._duration)
    registry.unregister(first._active)
    drive(PrometheusExporter(registry))
    assert "http_server_request_duration_seconds_count{" in prometheus_client.generate_latest(registry).decode()


@pytest.mark.parametrize("name", ["http_server_request_duration_seconds", "http_server_active_requests"])
def test_name_that_is_taken(name):
    """Where one of the names is taken, the registry is left as it was, and is good once the name is free."""
    prometheus_client = require("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    theirs = prometheus_client.Gauge(name, "Theirs.", registry=registry)
    for _ in range(2):
        with pytest.raises(ValueError, match=name):
            PrometheusExporter(registry)
    assert [metric.name for metric in registry.collect()] == [name]
    registry.unregister(theirs)
    PrometheusExporter(registry)


def test_active_requests():
    """The gauge counts the requests that run."""
    prometheus_client = require("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    seen = []

    async def looking(scope, receive, send):
        seen.append(registry.get_sample_value("http_server_active_requests"))

    run(TimingMiddleware(looking, exporters=[PrometheusExporter(registry)]), http_scope())
    assert [*seen, registry.get_sample_value("http_server_active_requests")] == [1, 0]


def test_series_are_bounded():
    """Random methods and paths make no further series."""
    prometheus_client = require("prometheus_client")
    registry = prometheus_client.CollectorRegistry()

    async def found(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send(BODY)

    wrapped = TimingMiddleware(found, exporters=[PrometheusExporter(registry)])
    for number in range(50):
        run(wrapped, http_scope(f"M{number}", f"/{number}"))
    assert prometheus_client.generate_latest(registry).decode().count("seconds_count{") == 1


def test_opentelemetry():
    """An export: the attributes of the stable conventions, `error.type`, and no address and no path."""
    sdk = require("opentelemetry.sdk.metrics")
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    drive(OpenTelemetryExporter(sdk.MeterProvider(metric_readers=[reader])))
    (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.unit) == ("http.server.request.duration", "s")
    points = metric.data.data_points
    assert points[0].explicit_bounds[:3] == (0.005, 0.01, 0.025)
    common = {"url.scheme": "http", "network.protocol.version": "1.1"}
    found = [(dict(point.attributes), point.count) for point in points]
    method, status, route, error = "http.request.method", "http.response.status_code", "http.route", "error.type"
    expected = [
        ({method: "GET", status: 200, route: "/x/{y}", **common}, 2),
        ({method: "POST", status: 404, **common}, 1),
        ({method: "_OTHER", status: 503, error: "503", **common}, 1),
        ({method: "GET", status: 500, error: "BoomError", **common}, 1),
        ({method: "GET", status: 200, error: "BoomError", **common}, 1),
        ({method: "GET", **common}, 1),
        ({method: "GET"}, 2),
    ]
    assert len(found) == len(expected)
    assert all(row in found for row in expected)


def test_status_is_what_was_sent():
    """OpenTelemetry's status is of a response that was sent (semantic conventions): none for a client that has left."""
    sdk = require("opentelemetry.sdk.metrics")
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    async def left(scope, receive, send):
        await receive()
        raise BoomError

    reader = InMemoryMetricReader()
    exporter = OpenTelemetryExporter(sdk.MeterProvider(metric_readers=[reader]))
    with pytest.raises(BoomError):
        run(TimingMiddleware(left, exporters=[exporter]), http_scope(), {"type": "http.disconnect"})
    [point] = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert "http.response.status_code" not in point.attributes
    assert point.attributes["error.type"] == "BoomError"


WORKERS = """
import os, sys
import prometheus_client
from prometheus_client import multiprocess
from middlewares.testing import http_scope, run
from middlewares.timing import PrometheusExporter, TimingMiddleware

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

wrapped = TimingMiddleware(app, exporters=[PrometheusExporter()])
run(wrapped, http_scope())
for worker in range(2):
    if os.fork() == 0:
        for _ in range(3):
            run(wrapped, http_scope())
        os._exit(0)
while True:
    try:
        assert os.wait()[1] == 0
    except ChildProcessError:
        break
registry = prometheus_client.CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
sys.stdout.write(prometheus_client.generate_latest(registry).decode())
"""


def test_several_processes(tmp_path):
    """In the client's mode for several processes, forked workers add up, each series that was found before the fork too."""
    require("prometheus_client")
    done = subprocess.run(
        [sys.executable, "-c", WORKERS],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert 'seconds_count{method="GET",route="",status="200"} 7.0' in done.stdout
    assert "http_server_active_requests 0.0" in done.stdout


@pytest.mark.parametrize(
    ("exporter", "module", "extra"),
    [
        (PrometheusExporter, "prometheus_client", "prometheus"),
        (OpenTelemetryExporter, "opentelemetry", "opentelemetry"),
    ],
)
def test_missing(exporter, module, extra, monkeypatch):
    """Without its client, constructing an exporter names the extra to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"asgi-middlewares\[{extra}\]"):
        exporter()
