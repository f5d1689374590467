"""Every application behind the whole stack once more, on a real server, asked by real clients."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest

from ..conftest import require
from ..servers.harness import SERVERS, Server, serve, start
from .apps import SECRET
from .checks import CHECKS, FOREIGN, OURS, Client
from .matrix import BRIDGES, GAPS

pytestmark = pytest.mark.servers

SILENT = {"Litestar"}
"""Frameworks that answer an exception, and log it only where they are told to."""

# Row -> what it needs, and its server. Where a server is not there, the combination cannot work (docs/guides/bridges.md).
PLACES = {
    "bare ASGI 3": ("", "hypercorn-trio"),
    "bare ASGI 2": ("", "granian"),
    "Starlette": ("starlette", "hypercorn-trio"),
    "FastAPI": ("fastapi", "uvicorn"),
    "Quart": ("quart", "hypercorn-asyncio"),
    "Litestar": ("litestar", "granian"),
    "Falcon": ("falcon", "daphne"),
    "Sanic": ("sanic", "uvicorn"),
    "BlackSheep": ("blacksheep", "granian"),
    "Django": ("django", "hypercorn-asyncio"),
    "Channels": ("channels", "daphne"),
    "bare WSGI, a2wsgi": ("a2wsgi", "daphne"),
    "Flask, a2wsgi": ("flask", "uvicorn"),
    "Flask, asgiref": ("flask", "daphne"),
    "Flask, uvicorn's bridge": ("flask", "uvicorn"),
    "Flask, hypercorn's bridge": ("flask", "hypercorn-asyncio"),
    "Django, WSGI, a2wsgi": ("django", "hypercorn-asyncio"),
    "Falcon, WSGI, a2wsgi": ("falcon", "hypercorn-asyncio"),
    "Pyramid, a2wsgi": ("pyramid", "daphne"),
    "Bottle, a2wsgi": ("bottle", "uvicorn"),
}


@contextmanager
def serving(row: str, server: str):
    """The application of a row, on a server."""
    require(server.partition("-")[0])
    command = SERVERS[server]
    with start(
        lambda port: ["-m", *command.format(app="tests.frameworks.served:app", port=port).split()],
        lambda _: {"FRAMEWORKS_ROW": row},
    ) as running:
        yield running


@pytest.mark.parametrize("row", PLACES)
def test_application(row: str) -> None:
    """The checks of the matrix pass over a network, too, and the log has the exception that was raised, and no other."""
    module, name = PLACES[row]
    if module:
        require(module)
    with serving(row, name) as server:
        anyio.run(_check, row, server)
        assert row in SILENT or server.logs(SECRET), server.log()
    lines = re.findall(r"^[\w.]*(?:Error|Exception|Group)(?::.*|$)", server.log(), re.MULTILINE)
    assert set(lines) == (set() if row in SILENT else {f"RuntimeError: {SECRET}"}), server.log()


async def _check(row: str, server: Server) -> None:
    # Behind asgiref's bridge every request has a connection of its own: test_a_request_in_the_context_of_another_s_end.
    limits = httpx.Limits(max_keepalive_connections=0 if "asgiref" in row else None)
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False, limits=limits) as http:
        for name, check in CHECKS.items():
            if name in GAPS[row]:
                continue
            try:
                await (_talk(server) if name == "WebSocket" else check(Client(None, http)))
            except Exception as error:
                error.add_note(f"{name} of {row}:\n{server.log()}")
                raise


async def _talk(server: Server) -> None:
    client: Any = require("websockets.asyncio.client")
    url = f"ws://127.0.0.1:{server.port}/ws"
    async with client.connect(url, origin=OURS["origin"], proxy=None, open_timeout=30) as socket:
        await socket.send("tea")
        assert await socket.recv() == "tea"
    with pytest.raises(require("websockets.exceptions").InvalidStatus) as refused:
        await client.connect(url, origin=FOREIGN["origin"], proxy=None, open_timeout=30)
    assert refused.value.response.status_code == 403


# ---- Bridges, without us

TRIO = "hypercorn's bridge for trio"
FAILING = {
    "granian": {"a2wsgi", "hypercorn's bridge", TRIO},  # its functions return no coroutines, which threads need
    "hypercorn-trio": {*BRIDGES},  # asyncio does not run there
}


@pytest.mark.parametrize("server", FAILING)
def test_bridges(server: str) -> None:
    """Bare: which bridges read a body there; on granian, the adapter of the guide makes all of them do it."""
    for name in ("a2wsgi", "asgiref", "hypercorn", server.partition("-")[0]):
        require(name)
    adapted = {f"{name}, adapted" for name in BRIDGES} if server == "granian" else set()
    with serve(server, "tests.frameworks.bridges_app:app") as running:
        answers = {
            name: httpx.post(f"{running.url}/{name}", content=bytes(100_000), timeout=30, trust_env=False)
            for name in {*BRIDGES, TRIO, *adapted}
        }
    failed = {name for name, answer in answers.items() if answer.status_code == 500}
    assert failed == FAILING[server], running.log()
    assert {answers[name].text for name in {*answers} - failed} == {"100000 bytes"}
