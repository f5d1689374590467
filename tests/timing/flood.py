"""Flood the middleware and its exporters: `python -m tests.timing.flood 1000000 [seed]` prints what is left behind.

Random methods, paths, versions, schemes, headers, spans and ends of requests, against an application on Starlette with
mounts and parameters. `tests/timing/test_flood.py` runs it for a few seconds.
"""

import asyncio
import contextlib
import gc
import logging
import random
import string
import sys
import tracemalloc
from dataclasses import dataclass

import prometheus_client
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from middlewares.testing import Recorder, http_scope
from middlewares.timing import (
    AccessLog,
    OpenTelemetryExporter,
    PrometheusExporter,
    TimingMiddleware,
    TimingRecord,
    add,
    span,
)
from middlewares.timing.exchange import Exchange

SERIES = "http_server_request_duration_seconds_count"
# Templates and what a path must look like to get there; each value is another one.
TEMPLATES = {
    "/": "/",
    "/items/{number:int}": "/items/#",
    "/t/{tenant}/x/{name}": "/t/?/x/?",
    "/boom/{name}": "/boom/?",
    "/stream/{name}": "/stream/?",
}


class BoomError(Exception):
    pass


def application():
    """Answers with parameters in all places; spans are called what the client says."""

    async def answer(request):
        name = request.scope["path"]
        with span(name, name):
            add(name, 1)
        return Response("x", status_code=200 + 203 * (len(name) % 2))

    async def boom(request):
        raise BoomError

    async def stream(request):
        return StreamingResponse(iter(["a", "b"]))

    inner = [Route("/x/{name}", answer)]
    routes = [
        Route("/", answer),
        Route("/items/{number:int}", answer),
        Mount("/t/{tenant}", routes=inner),
        Route("/boom/{name}", boom),
        Route("/stream/{name}", stream),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # which knows no scheme but http
    return app


def _word(rng):
    return "".join(rng.choices(string.printable + "äß\u2028\U0001f600", k=rng.randrange(1, 12)))


def _path(rng):
    if rng.random() < 0.5:
        return "/" + "/".join(_word(rng) for _ in range(rng.randrange(1, 4)))
    template = rng.choice(list(TEMPLATES.values()))
    return "".join(
        str(rng.randrange(10**9)) if c == "#" else _word(rng).replace("/", "_") if c == "?" else c for c in template
    )


def request(rng):
    """A scope, and the messages of its client, who leaves early in one of ten."""
    scope = http_scope(
        rng.choice(["GET", "GET", "HEAD", "POST", _word(rng)]),
        _path(rng),
        [(b"user-agent", _word(rng).encode()), (b"te", b"trailers")],
        scheme=rng.choice(["http", "https", _word(rng)]),
        http_version=rng.choice(["1.1", "2", _word(rng)]),
        query_string=_word(rng).encode(),
        state={"request_id": _word(rng)},
        extensions={"http.response.trailers": {}},
    )
    return scope, [{"type": "http.disconnect"}] if rng.random() < 0.1 else []


@dataclass
class Remains:
    """What is left behind."""

    records: int
    series: int
    points: int
    active: float
    routes: set
    methods: set
    lines: int
    live: int
    kept: int


def flood(requests, seed=0, trace=False):
    """Send requests, and look at what is left; `kept` is how many bytes the second half has added, if traced."""
    rng = random.Random(seed)
    registry, reader = prometheus_client.CollectorRegistry(), InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    logger = logging.Logger("flood", logging.INFO)  # noqa: LOG001 - nobody else's
    counts = {"lines": 0, "records": 0}

    def line(record):
        counts["lines"] += 1
        assert record.getMessage().isprintable()
        return False

    async def count(record):
        counts["records"] += 1

    logger.addFilter(line)
    app = TimingMiddleware(
        application(),
        trailers=True,
        on_complete=count,
        exporters=[AccessLog(logger=logger), PrometheusExporter(registry), OpenTelemetryExporter(provider)],
    )

    async def some(number):
        for _ in range(number):
            scope, incoming = request(rng)
            recorder = Recorder(scope, *incoming)
            with contextlib.suppress(BoomError, TimeoutError):
                await app(scope, recorder.receive, recorder.send)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main():
        await some(requests // 2)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        await some(requests - requests // 2)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    if trace:
        tracemalloc.start()
    try:
        kept = asyncio.run(main())
    finally:
        if trace:
            tracemalloc.stop()
    samples = [sample for metric in registry.collect() for sample in metric.samples if sample.name == SERIES]
    (metric,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    return Remains(
        counts["records"],
        len(samples),
        len(metric.data.data_points),
        registry.get_sample_value("http_server_active_requests"),
        {sample.labels["route"] for sample in samples},
        {sample.labels["method"] for sample in samples},
        counts["lines"],
        # By type: `isinstance` asks the lazy objects of a framework what they are, which makes them.
        sum(issubclass(type(thing), TimingRecord | Exchange) for thing in gc.get_objects()),
        kept,
    )


if __name__ == "__main__":
    import resource

    flood(2000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(flood(int(sys.argv[1]), int((sys.argv[2:] or [0])[0])))  # noqa: T201
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"most memory: {before} KB after the first 2000 requests, {after} KB at the end")  # noqa: T201
