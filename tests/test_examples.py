"""Each file of `examples/` runs, in process; `tests/servers/test_demo.py` serves the demo for real."""

from __future__ import annotations

import functools
import re
import runpy
import tomllib
from pathlib import Path

import anyio
import httpx
import pytest

from middlewares.testing import Lint

from .conftest import require

EXAMPLES = Path(__file__).parents[1] / "examples"
TESTED = {"demo", "middlewares", "minimal", "teas", "write_your_own"}


@functools.cache
def _load(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)


def _get(app, path, headers=()):
    async def get():
        transport = httpx.ASGITransport(Lint(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get(path, headers=headers)

    return anyio.run(get)


def test_each_example_is_tested():
    """No example is forgotten below."""
    assert {path.stem for path in EXAMPLES.iterdir() if path.is_file()} == TESTED


def test_minimal():
    """The README's first application answers with the headers that the README shows."""
    require("starlette")
    response = _get(_load("minimal")["app"], "/", {"Origin": "https://app.example"})
    assert (response.status_code, response.text) == (200, "Hello, world!\n")
    assert response.headers["access-control-allow-origin"] == "https://app.example"
    assert response.headers["vary"] == "Origin"
    assert len(response.headers["x-request-id"]) == 32


def test_teas():
    """The first application of the documentation answers with the headers that its home page shows."""
    require("fastapi")
    page = (EXAMPLES.parent / "docs" / "index.md").read_text()
    [answer] = re.findall(r"^HTTP/1.1 200 OK\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = httpx.Headers([line.split(": ", 1) for line in answer.splitlines()])
    app = _load("teas")["app"]
    response = _get(app, "/teas", {"Origin": "https://app.example", "Accept-Encoding": "zstd"})
    assert set(response.headers) | {"date", "server"} == set(shown)
    for name in ("content-type", "vary", "content-encoding", "access-control-allow-origin"):
        assert response.headers[name] == shown[name]
    assert len(response.headers["x-request-id"]) == len(shown["x-request-id"])
    assert _digits(response.headers["server-timing"]) == _digits(shown["server-timing"])
    plain = _get(app, "/teas", {"Accept-Encoding": "identity"})
    assert f"{len(plain.content):,} bytes".replace(",", " ") in page


def _digits(text):
    return re.sub("[0-9]+", "0", text)


def test_write_your_own():
    """The middleware of the guide passes the tests that the guide shows."""
    example = _load("write_your_own")
    example["test_header_is_added"]()
    example["test_asgi_is_kept"]()
    with pytest.raises(ValueError, match="frame_options"):
        example["FrameMiddleware"](example["app"], frame_options="ALLOWALL")


def test_configuration_of_the_command(tmp_path, monkeypatch):
    """The TOML file has a table for each room, and the stack that the command makes of it does what the tables say."""
    require("click")
    from middlewares._cli.serving import Plan, build
    from middlewares._options import ORDER

    file = EXAMPLES / "middlewares.toml"
    assert tomllib.loads(file.read_text()).keys() == ORDER.keys()
    monkeypatch.chdir(tmp_path)  # where its SQLite store lies
    monkeypatch.setenv("SESSION_KEY", "a key for tests")
    app = build(Plan("tests.test_docs:hello", config=str(file)))
    for origin, path, allowed in (
        ("https://app.example", "/", "https://app.example"),
        ("https://evil.example", "/", None),
        ("https://evil.example", "/public/tea", "*"),
        ("https://app.example", "/legacy", None),
    ):
        response = _get(app, path, {"Origin": origin})
        assert (response.status_code, response.headers.get("access-control-allow-origin")) == (200, allowed)
        assert len(response.headers["x-request-id"]) == 32
    assert "server-timing" not in _get(app, "/static/logo.svg").headers


@pytest.mark.parametrize("path", ["/hello", "/legacy/report", "/boom", "/legacy/boom"])
def test_demo(path):
    """What Starlette and Flask answer, errors too, is readable to the allowed page, and has the id."""
    for name in ("a2wsgi", "flask", "prometheus_client", "starlette", "uvicorn"):
        require(name)
    response = _get(_load("demo")["app"], path, {"Origin": "https://app.example"})
    assert response.status_code == (500 if path.endswith("boom") else 200)
    assert response.headers.get_list("access-control-allow-origin") == ["https://app.example"]
    assert response.json()["request_id"] == response.headers["x-request-id"]
