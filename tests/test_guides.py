"""Each file of `examples/guides/` works as its page says, behind each layer; the pages show these files, and no other code."""

from __future__ import annotations

import runpy
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from .conftest import require
from .frameworks.checks import client

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "guides"
PAGES = sorted((ROOT / "docs" / "guides").glob("*.md"))
PAGE = {"Origin": "https://app.example"}

# What answers an exception itself, and with what: no way leads from there to server_errors.
ANSWERS = {"blacksheep_app": "text/plain", "litestar_own": "application/json", "sanic_app": "text/plain"}

# Example -> what it needs.
NEEDS = {
    "asgi2": [],
    "asgi3": [],
    "blacksheep_app": ["blacksheep"],
    "bottle_app": ["a2wsgi", "bottle"],
    "channels_asgi": ["channels", "django"],
    "django_asgi": ["django"],
    "django_wsgi": ["a2wsgi", "django"],
    "falcon_app": ["falcon"],
    "falcon_wsgi": ["a2wsgi", "falcon"],
    "fastapi_app": ["fastapi"],
    "fastapi_own": ["fastapi"],
    "flask_app": ["a2wsgi", "flask"],
    "hello_world": ["a2wsgi"],
    "litestar_app": ["litestar"],
    "litestar_own": ["litestar"],
    "pyramid_app": ["a2wsgi", "pyramid"],
    "quart_app": ["quart"],
    "sanic_app": ["sanic"],
    "starlette_app": ["starlette"],
    "starlette_own": ["starlette"],
}


@pytest.fixture
def load(monkeypatch):
    """Run an example, for the time of a test: Django has one configuration in a process, and Sanic one use of a name."""
    monkeypatch.setenv("SESSION_KEY", "a key for tests")
    with ExitStack() as stack:

        def loaded(name):
            for module in NEEDS[name]:
                require(module)
            if "django" in NEEDS[name]:
                from django.conf import empty, settings

                # By assignment alone does it forget what it has looked up; monkeypatch would look it up.
                stack.callback(setattr, settings, "_wrapped", vars(settings)["_wrapped"])
                settings._wrapped = empty
            if "sanic" in NEEDS[name]:
                from sanic import Sanic

                monkeypatch.setattr(Sanic, "_app_registry", {})
            names = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)
            return names.get("application") or names["app"]

        yield loaded


def ask(app, asking):
    """Let `asking` ask the application through a client, between its startup and its shutdown."""

    async def main():
        async with client(app) as opened:
            await asking(opened)

    anyio.run(main)


@pytest.mark.filterwarnings("ignore")  # of the frameworks about themselves
@pytest.mark.parametrize("name", NEEDS)
def test_each_layer(load, name):
    """Id, CORS, preflight, coding and session are those of the layers, and a page can read the problem of an exception."""

    async def asking(client):
        response = await client.get("/", headers={**PAGE, "Accept-Encoding": "gzip"})
        assert response.status_code == 200, response.text
        assert response.text.startswith(f"Request {response.headers['x-request-id']}\nA cup of tea\n")
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers.get_list("access-control-allow-origin") == ["https://app.example"]
        assert {"Accept-Encoding", "Origin"} <= set(response.headers.get_list("vary", split_commas=True))
        foreign = await client.get("/", headers={"Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.headers.get("access-control-allow-origin")) == (200, None)
        preflight = await client.options("/", headers={**PAGE, "Access-Control-Request-Method": "GET"})
        assert (preflight.status_code, preflight.headers["access-control-allow-credentials"]) == (204, "true")
        assert [(await client.get("/visits")).text for _ in range(3)] == ["1", "2", "3"]
        error = await client.get("/boom", headers=PAGE)
        assert (error.status_code, error.headers["access-control-allow-origin"]) == (500, "https://app.example")
        assert error.headers["content-type"].partition(";")[0] == ANSWERS.get(name, "application/problem+json")
        assert "for the log" not in error.text
        if name not in ANSWERS:
            assert error.json()["request_id"] == error.headers["x-request-id"]

    ask(load(name), asking)
