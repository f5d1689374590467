"""Timing under real servers: metrics of the demo under load, trailers on the wire, lines of the access log."""

from __future__ import annotations

import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from ..conftest import require
from .harness import SERVERS, serve, start

pytestmark = pytest.mark.servers

# What is asked of the demo -> the method, the route and the status of the metrics.
LOAD = {
    ("GET", "/hello"): ("GET", "/hello", 200),
    ("PUT", "/hello"): ("PUT", "/hello", 200),
    ("GET", "/menu"): ("GET", "/menu", 200),
    ("GET", "/boom"): ("GET", "/boom", 500),
    ("GET", "/stream"): ("GET", "/stream", 200),
    ("GET", "/legacy/report"): ("GET", "/legacy", 200),
    ("GET", "/legacy/boom"): ("GET", "/legacy", 500),
    ("DELETE", "/hello"): ("DELETE", "/hello", 405),
    ("PROPFIND", "/hello"): ("_OTHER", "/hello", 405),  # uvicorn's parser knows a few methods more than the conventions
    ("GET", "/wp-admin/{}"): ("GET", "", 404),
    ("MKCOL", "/cgi-bin/{}"): ("_OTHER", "", 404),
}
TIMES = 12


def _load(url):
    """Ask everything several times, eight requests at a time; returns how many of each series there must be."""
    asked = [(method, path, number) for number in range(TIMES) for method, path in LOAD]
    # uvicorn closes the connection when an exception reaches it: none is used twice. (A pool that is to keep none idle
    # may use one again before it has closed it.)
    headers = {"Connection": "close"}
    with (
        httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers) as client,
        ThreadPoolExecutor(8) as pool,
    ):

        def ask(request):
            method, path, number = request
            return client.request(method, path.format(number)).status_code

        statuses = list(pool.map(ask, asked))
    expected = [LOAD[method, path] for method, path, _ in asked]
    assert statuses == [status for _, _, status in expected]
    return Counter(expected)


@pytest.fixture(scope="module")
def demo():
    """The running demo."""
    for name in ("a2wsgi", "flask", "prometheus_client", "starlette", "uvicorn"):
        require(name)
    with start(lambda _: ["examples/demo.py"], lambda port: {"PORT": str(port)}) as server:
        yield server


def test_prometheus_scrape_of_the_demo_under_load(demo):
    """The text that Prometheus scrapes counts each request under its method, template and status, and none runs on."""
    parse = require("prometheus_client.parser").text_string_to_metric_families
    expected = _load(demo.url)
    response = httpx.get(f"{demo.url}/metrics", follow_redirects=True, timeout=30, trust_env=False)
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "server-timing" not in response.headers  # the demo leaves the page itself out
    samples = [sample for family in parse(response.text) for sample in family.samples]

    def each(suffix):
        name = f"http_server_request_duration_seconds_{suffix}"
        return {
            (labels["method"], labels["route"], int(labels["status"])): sample.value
            for sample in samples
            if sample.name == name and (labels := sample.labels).get("le", "+Inf") == "+Inf"
        }

    assert each("count") == expected
    assert each("bucket") == expected
    # 0.2 s of sleep between five pieces, and 12 ms and 3 ms; timers of uvloop may be up to 1 ms early (uvloop #739)
    assert each("sum")["GET", "/stream", 200] / TIMES >= 0.8 - 0.004
    assert each("sum")["GET", "/menu", 200] / TIMES >= 0.015 - 0.001
    assert [sample.value for sample in samples if sample.name == "http_server_active_requests"] == [0]


def test_access_log_of_the_demo(demo):
    """Each request is one line, with its id, in place of uvicorn's."""
    response = httpx.get(f"{demo.url}/menu?token=s3cret&q=1", timeout=30, trust_env=False)
    request_id = response.headers["x-request-id"]
    assert demo.logs(f" request_id={request_id} ")
    (line,) = [line for line in demo.log().splitlines() if request_id in line]
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[[^]]+\] "GET /menu\?token=\*\*\*&q=1 HTTP/1\.1" 200 94 "-" "python-httpx/[^"]+"'
        rf" request_id={request_id} duration=0\.\d{{6}} ttfb=0\.\d{{6}} route=/menu",
        line,
    )


def test_header_of_the_demo(demo):
    """The spans around the query and the template are entries of the header, and lie within the whole."""
    value = httpx.get(f"{demo.url}/menu", timeout=30, trust_env=False).headers["server-timing"]
    found = re.fullmatch(r'app;dur=(\S+), db;dur=(\S+);desc="SELECT name FROM teas", template;dur=(\S+)', value)
    app, db, template = map(float, found.groups())
    assert db >= 12 - 1  # timers of uvloop may be up to 1 ms early (uvloop #739)
    assert template >= 3
    assert app >= db + template - 0.2  # rounded


def test_opentelemetry_export_of_the_demo_under_load():
    """The export counts each request under the attributes of the stable conventions, and no others."""
    for name in ("a2wsgi", "flask", "opentelemetry.sdk", "prometheus_client", "starlette", "uvicorn"):
        require(name)
    with serve("uvicorn", "tests.servers.timing_app:demo") as server:
        expected = _load(server.url)
        export = httpx.get(f"{server.url}/export", timeout=30, trust_env=False).json()
    (scope,) = export["resource_metrics"][0]["scope_metrics"]
    (metric,) = scope["metrics"]
    assert (metric["name"], metric["unit"]) == ("http.server.request.duration", "s")
    found = Counter()
    for point in metric["data"]["data_points"]:
        attributes = dict(point["attributes"])
        method, status = attributes.pop("http.request.method"), attributes.pop("http.response.status_code")
        found[method, attributes.pop("http.route", ""), status] += point["count"]
        # The 500 is an answer of `server_errors`, which raises the exception on when the response has ended.
        error = {"error.type": "500"} if status == 500 else {}
        assert attributes == {"url.scheme": "http", "network.protocol.version": "1.1", **error}
        assert point["explicit_bounds"][0] == 0.005
    assert found == expected


@pytest.mark.parametrize("server", SERVERS)
def test_access_log_on_servers(server):
    """Every server gives what a line needs; its duration ends with the response, before background work."""
    require(server.partition("-")[0])
    with serve(server, "tests.servers.timing_app:logged") as running:
        response = httpx.post(f"{running.url}/a%20b?x=1", content=b"body", timeout=30, trust_env=False)
        assert (response.status_code, response.text) == (201, "pieces")
        assert re.fullmatch(r"app;dur=\d+\.\d", response.headers["server-timing"])
        assert running.logs("background")
    lines = running.log().splitlines()
    ours = [number for number, line in enumerate(lines) if "ttfb=" in line]
    assert len(ours) == 1
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[[^]]+\] "POST /a%20b\?x=1 HTTP/1\.1" 201 6 "-" "python-httpx/[^"]+"'
        r" request_id=- duration=\d+\.\d{6} ttfb=\d+\.\d{6} route=-",
        lines[ours[0]],
    )
    assert "background" in lines[ours[0] + 1 :]


def _events(port, headers):
    """The events of one HTTP/2 request without TLS, to its end."""
    connection = require("h2.connection").H2Connection()
    events = require("h2.events")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        connection.initiate_connection()
        connection.send_headers(1, headers, end_stream=True)
        wire.sendall(connection.data_to_send())
        while True:
            for event in connection.receive_data(wire.recv(65_536)):
                yield event
                if isinstance(event, events.StreamEnded | events.StreamReset | events.ConnectionTerminated):
                    return
            wire.sendall(connection.data_to_send())


@pytest.mark.parametrize("worker", ["hypercorn-asyncio", "hypercorn-trio"])
@pytest.mark.parametrize("te", [True, False], ids=["te", "no-te"])
def test_trailers_on_http2(worker, te):
    """A client of HTTP/2 that takes trailers gets the whole time and the late spans in them; another gets none."""
    require("hypercorn")
    events = require("h2.events")
    with serve(worker, "tests.servers.timing_app:logged") as server:
        asked = [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", f"127.0.0.1:{server.port}"),
            (":path", "/"),
            *([("te", "trailers")] if te else []),
        ]
        seen = list(_events(server.port, asked))
    (response,) = [event for event in seen if isinstance(event, events.ResponseReceived)]
    headers = dict(response.headers)
    assert re.fullmatch(rb"app;dur=\d+\.\d", headers[b"server-timing"])
    assert headers.get(b"trailer") == (b"server-timing" if te else None)
    trailers = [dict(event.headers) for event in seen if isinstance(event, events.TrailersReceived)]
    assert len(trailers) == te
    if te:
        assert re.fullmatch(rb"total;dur=\d+\.\d, early;dur=\d+\.\d, late;dur=\d+\.\d", trailers[0][b"server-timing"])
