"""An ASGI 2 class behind each middleware, on every server."""

from __future__ import annotations

import httpx
import pytest

from middlewares._index import ROOMS

from ..conftest import require
from .harness import SERVERS, serve

pytestmark = pytest.mark.servers


def _get(server, app, *paths):
    require(server.partition("-")[0])
    with serve(server, f"tests.servers.asgi2_app:{app}") as running:
        answers = [httpx.get(running.url + path, timeout=20, trust_env=False) for path in paths]
    return answers, running.log()


@pytest.mark.parametrize("server", SERVERS)
def test_wrapped_class_answers(server):
    """The class works wrapped by any middleware, whatever the server knows of ASGI 2."""
    paths = [f"/{room}/asgi2" for room in ROOMS]
    answers, log = _get(server, "app", *paths)
    assert [(200, f"Hello, {path}!") for path in paths] == [(answer.status_code, answer.text) for answer in answers], (
        log
    )


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_bare_class_answers(server):
    """Uvicorn and daphne adapt ASGI 2 by themselves."""
    [response], log = _get(server, "bare", "/asgi2")
    assert response.status_code == 200, log


@pytest.mark.parametrize("server", ["hypercorn-asyncio", "hypercorn-trio", "granian"])
def test_bare_class_fails(server):
    """Hypercorn takes the class for a WSGI application, granian for an ASGI 3 one: the reason for the adapter."""
    [response], log = _get(server, "bare", "/asgi2")
    assert response.status_code == 500
    assert "TypeError" in log
