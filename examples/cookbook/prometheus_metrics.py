"""Durations by route for Prometheus, on a port that only it reaches."""

import os

from prometheus_client import CollectorRegistry, start_http_server
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from middlewares import TimingMiddleware
from middlewares.timing import PrometheusExporter

registry = CollectorRegistry()  # PrometheusExporter() alone takes the client's default one


async def tea(request):
    return PlainTextResponse(request.path_params["name"] + "\n")


app = TimingMiddleware(
    Starlette(routes=[Route("/teas/{name}", tea)]),
    exporters=[PrometheusExporter(registry)],
    exclude=["/health"],
    expose=lambda scope: scope["path"].startswith("/internal"),  # and no Server-Timing for the public
)

if "METRICS_PORT" in os.environ:
    start_http_server(int(os.environ["METRICS_PORT"]), addr="127.0.0.1", registry=registry)
