"""Each recipe of `examples/cookbook/` does what it promises, on the page of the documentation as in the file."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import json
import re
import runpy
import zlib
from pathlib import Path

import anyio
import brotli
import httpx
import pytest

from middlewares import check
from middlewares.testing import Lint, Recorder, browser_allows, http_scope, run

from .compression.coded import zstd
from .conftest import require
from .servers.harness import start
from .sessions.conftest import redis_server  # noqa: F401  # a fixture

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "examples" / "cookbook"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.py"))
APP = "https://app.example"


def _recipe(name, *needs):
    for need in ("starlette", *needs):
        require(need)
    return runpy.run_path(str(FOLDER / f"{name}.py"), run_name=name)


@contextlib.asynccontextmanager
async def _client(app, base_url="http://testserver", lint=True):
    transport = httpx.ASGITransport(Lint(app) if lint else app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


def _ask(app, method, path, base_url="http://testserver", **more):
    async def ask():
        async with _client(app, base_url) as client:
            return await client.request(method, path, **more)

    return anyio.run(ask)


def test_each_recipe_is_tested_and_shown():
    """Each file has a test of its name here, and a section of the page that includes it."""
    assert len(RECIPES) >= 12
    assert {f"test_{name}" for name in RECIPES} <= globals().keys()
    page = (FOLDER.parents[1] / "docs" / "cookbook.md").read_text()
    assert sorted(re.findall(r'^--8<-- "examples/cookbook/(\w+)[.]py"$', page, re.MULTILINE)) == RECIPES


def test_cors_per_path():
    """The longest prefix decides; what an override does not name stays as outside."""
    app = _recipe("cors_per_path")["app"]

    def allowed(origin, path, method="PUT", credentials=False):
        return bool(anyio.run(browser_allows, app, origin, method, (), credentials, path))

    assert allowed(APP, "/", credentials=True)
    assert not allowed("https://evil.example", "/")
    assert allowed("https://evil.example", "/public/menu")
    assert not allowed("https://evil.example", "/public/menu", credentials=True)
    assert not allowed(APP, "/admin/users", "GET")
    assert app.explain(APP, path="/legacy") == ["no policy at '/legacy': overrides leave CORS there to the application"]


@pytest.mark.servers
def test_redis_sessions(redis_server, monkeypatch):  # noqa: F811
    """The session counts on for whoever has the cookie, on another worker too, until it is forgotten; Redis is left."""
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    one, other = _recipe("redis_sessions", "redis"), _recipe("redis_sessions")

    async def visits():
        async with _client(one["app"]) as here, _client(other["app"]) as there:
            counts = [(await here.get("/count")).json()["count"]]
            cookie = dict(here.cookies)
            for client in (there, here):
                client.cookies.update(cookie)
                counts.append((await client.get("/count")).json()["count"])
            await there.post("/forget")
            here.cookies.update(cookie)  # a copy that somebody kept
            counts.append((await here.get("/count")).json()["count"])
        for recipe in (one, other):
            sent = []
            recorder = Recorder({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}})
            await recipe["app"]({"type": "lifespan", "asgi": {"version": "3.0"}}, recorder.receive, recorder.send)
            sent = [message["type"] for message in recorder.sent]
            assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        return counts

    assert anyio.run(visits) == [1, 2, 3, 1]


def test_structlog_ids(capsys):
    """The line has the id that the response has, though the view runs in a thread."""
    response = _ask(_recipe("structlog_ids", "structlog")["app"], "GET", "/order")
    assert json.loads(capsys.readouterr().out) == {
        "request_id": response.headers["x-request-id"],
        "level": "info",
        "tea": "Assam",
        "event": "ordered",
    }


@pytest.mark.servers
def test_uvicorn_logs():
    """Access lines and tracebacks of uvicorn begin with the id that the response had."""
    require("uvicorn")
    with start(lambda _: ["examples/cookbook/uvicorn_logs.py"], lambda port: {"PORT": str(port)}) as server:
        response = httpx.get(f"{server.url}/tea", trust_env=False, timeout=30)
        assert server.logs(f"[{response.headers['x-request-id']}] INFO:     127.0.0.1:")
        httpx.get(f"{server.url}/boom", headers={"X-Request-ID": "order-7"}, trust_env=False, timeout=30)
        assert server.logs("[order-7] ERROR:    Exception in ASGI application")
        assert "[-] INFO:     Started server process" in server.log()


def test_outgoing_calls(monkeypatch):
    """The other service gets the id and the trace of the request; a host that is not named gets neither."""
    recipe = _recipe("outgoing_calls")
    seen = []

    def service(request):
        seen.append(request.headers)
        return httpx.Response(200, json={"paid": request.headers.get("x-request-id")})

    async def pay():
        async with httpx.AsyncClient(transport=httpx.MockTransport(service), event_hooks=recipe["hooks"]) as client:

            async def with_client(scope, receive, send):
                await client.get("http://elsewhere.example/")
                await recipe["app"]({**scope, "state": {"client": client}}, receive, send)

            async with _client(with_client, lint=False) as browser:
                return await browser.get("/pay", headers={"X-Request-ID": "order-7"})

    assert anyio.run(pay).json() == {"paid": "order-7"}
    elsewhere, billing = seen
    assert not {"x-request-id", "traceparent"} & set(elsewhere)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", billing["traceparent"])


def test_login():
    """A login takes a new id and a lifetime of its own, the id of before is dead, and a logout ends the session."""
    app = _recipe("login")["app"]

    async def visit():
        async with _client(app, "https://shop.example") as client:
            wrong = await client.post("/login", json={"user": "ada", "password": "byron"})
            assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
            ada = {"user": "ada", "password": "lovelace"}
            first = (await client.post("/login", json=ada)).headers["set-cookie"]
            again = (await client.post("/login", json={**ada, "remember": True})).headers["set-cookie"]
            assert first.split(";")[0] != again.split(";")[0]
            assert "Secure" in first
            assert "Max-Age=1209600" in first
            assert "Max-Age=2592000" in again
            assert (await client.get("/me")).json() == {"user": "ada"}
            kept = dict(client.cookies)
            await client.post("/logout")
            assert (await client.get("/me")).json() == {"user": None}
        for cookie in (first.split(";")[0].partition("=")[2], kept["__Host-session"]):
            async with _client(app, "https://shop.example") as thief:
                thief.cookies.set("__Host-session", cookie)
                assert (await thief.get("/me")).json() == {"user": None}

    anyio.run(visit)


def test_database_spans():
    """The queries of a request are one entry with the kind of the statement, and its text is nowhere."""
    recipe = _recipe("database_spans", "sqlalchemy", "aiosqlite")

    async def get():
        async with _client(recipe["app"]) as client:
            response = await client.get("/teas")
        await recipe["engine"].dispose()
        return response

    response = anyio.run(get)
    assert response.json() == ["Assam", "Sencha"]
    assert re.fullmatch(
        r'app;dur=[\d.]+, db;dur=[\d.]+;desc="SELECT", render;dur=[\d.]+', response.headers["server-timing"]
    )


def test_prometheus_metrics(monkeypatch):
    """Prometheus sees the template of the route, and never the path; the public sees no times."""
    monkeypatch.setenv("METRICS_PORT", "0")  # a free one
    started = []
    client = require("prometheus_client")
    real = client.start_http_server
    monkeypatch.setattr(client, "start_http_server", lambda *args, **more: started.append(real(*args, **more)))
    recipe = _recipe("prometheus_metrics")
    try:
        assert "server-timing" not in _ask(recipe["app"], "GET", "/teas/assam").headers
        port = started[0][0].server_port
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=30).text
    finally:
        for server, thread in started:
            server.shutdown()
            server.server_close()
            thread.join()
    assert 'request_duration_seconds_count{method="GET",route="/teas/{name}",status="200"} 1.0' in metrics
    assert "assam" not in metrics


def test_event_stream():
    """What was sent can be decoded before the next event comes, and the stream is readable to an allowed page."""
    app = _recipe("event_stream")["app"]
    scope = http_scope("GET", "/prices", [(b"origin", APP.encode()), (b"accept-encoding", b"gzip")])
    decoder, seen = zlib.decompressobj(31), []

    async def stream():
        recorder = Recorder(scope)

        async def send(message):
            await recorder.send(message)
            if message["type"] == "http.response.body" and message["body"]:
                seen.append(decoder.decompress(message["body"]).count(b"data: "))

        await Lint(app)(scope, recorder.receive, send)
        return dict(recorder.sent[0]["headers"])

    headers = anyio.run(stream)
    assert headers[b"content-encoding"] == b"gzip"
    assert headers[b"access-control-allow-origin"] == APP.encode()
    assert {b"x-request-id", b"server-timing"} <= headers.keys()
    assert [count for count in seen if count] == [1, 1, 1]


def test_json_deltas():
    """A client that has the version of before gets the change, by less than a hundredth of the bytes."""
    recipe = _recipe("json_deltas")

    def get(*headers):
        [first, *rest] = run(recipe["app"], http_scope("GET", "/prices", headers))
        return dict(first["headers"]), b"".join(message["body"] for message in rest)

    headers, coded = get((b"accept-encoding", b"gzip, br, zstd"))
    assert headers[b"use-as-dictionary"] == b'match="/prices*"'
    old = zstd.decompress(coded)
    recipe["prices"]["Tea No. 7"] = 5
    digest = base64.b64encode(hashlib.sha256(old).digest())
    headers, delta = get(
        (b"accept-encoding", b"gzip, br, zstd, dcb, dcz"), (b"available-dictionary", b":" + digest + b":")
    )
    assert headers[b"content-encoding"] == b"dcz"
    assert len(delta) * 100 < len(coded)
    decoder = zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(old, is_raw=True))
    assert json.loads(decoder.decompress(delta[40:])) == recipe["prices"]


def test_bounded_uploads():
    """An upload is decoded, a bomb is stopped, a plain giant is stopped by the view, and `br` is not taken."""
    app = _recipe("bounded_uploads")["app"]

    def post(body, **headers):
        return _ask(app, "POST", "/orders", content=body, headers=headers)

    order = json.dumps({"tea": "Assam"} | {str(n): n for n in range(1000)}).encode()
    for coding, coded in (("gzip", gzip.compress(order)), ("zstd", zstd.compress(order))):
        assert post(coded, **{"Content-Encoding": coding}).json() == {"bytes": len(order)}
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < 20_000
    assert post(bomb, **{"Content-Encoding": "gzip"}).status_code == 413
    assert post(bytes(1_000_001)).status_code == 413
    refused = post(brotli.compress(order), **{"Content-Encoding": "br"})
    assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "gzip, zstd")


def test_legacy_wsgi():
    """The WSGI application has the policy in place of its own header, is compressed, and sees uploads decoded."""
    app = _recipe("legacy_wsgi", "a2wsgi", "flask")["app"]
    response = _ask(app, "GET", "/report", headers={"Origin": APP, "Accept-Encoding": "gzip"})
    assert response.headers.get_list("access-control-allow-origin") == [APP]
    assert response.headers["content-encoding"] == "gzip"
    assert len(response.json()["rows"]) == 1000
    assert "access-control-allow-origin" not in _ask(app, "GET", "/report").headers
    upload = _ask(app, "POST", "/upload", content=gzip.compress(bytes(5000)), headers={"Content-Encoding": "gzip"})
    assert upload.json() == {"bytes": 5000}


def test_compression_levels():
    """Static text is smaller than the same text made anew, each is coded once, and the order is right."""
    recipe = _recipe("compression_levels")
    app = recipe["app"]
    assert check(app) == []
    accept = {"Accept-Encoding": "br"}
    hard, light = _ask(app, "GET", "/static/teas.txt", headers=accept), _ask(app, "GET", "/teas", headers=accept)
    assert [response.headers["content-encoding"] for response in (hard, light)] == ["br", "br"]
    assert hard.text == light.text == recipe["TEXT"]
    assert int(hard.headers["content-length"]) < int(light.headers["content-length"])


def test_lint_tests():
    """The tests that the recipe shows pass."""
    recipe = _recipe("lint_tests")
    tests = [value for name, value in recipe.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        test()
