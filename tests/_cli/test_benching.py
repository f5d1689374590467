"""`bench`: what each layer costs."""

from __future__ import annotations

import re

import anyio
import pytest

from ..conftest import require

require("click")

from middlewares._cli.benching import BARE, WHOLE, bench  # noqa: E402
from middlewares._cli.config import Source  # noqa: E402
from middlewares._cli.loading import load  # noqa: E402

FAST = ["--seconds", "0.01"]
APPS = '''
import main  # noqa: E402

events = []


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            events.append(kind)
            scope["state"]["tea"] = "green"
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    assert scope["state"]["tea"] == "green"
    await main.app(scope, receive, send)


async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def streaming(scope, receive, send):
    """As Starlette's StreamingResponse: something waits for the client to leave."""
    import asyncio

    async def wait():
        while (await receive())["type"] != "http.disconnect":
            pass

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"tea"})
    waiting.cancel()


async def missing(scope, receive, send):
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body"})


async def raising(scope, receive, send):
    raise LookupError("tea")


async def silent(scope, receive, send):
    pass


async def needing(scope, receive, send):
    scope["session"]["seen"] = scope["state"]["request_id"]
    await main.app(scope, receive, send)


async def ending(scope, receive, send):
    scope["session"].invalidate()
    await main.app(scope, receive, send)


async def waiting(scope, receive, send):
    import asyncio

    await asyncio.sleep(0.01)
    await main.app(scope, receive, send)


async def shows(scope, receive, send):
    headers = dict(scope["headers"])
    assert (headers[b"x-tea"], headers[b"origin"]) == (b"green", b"https://b.example")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})
'''


@pytest.fixture(autouse=True)
def applications(project, monkeypatch):
    """The applications above, in batches that are too short for good figures."""
    project.write("apps.py", APPS)
    monkeypatch.setattr("middlewares._cli.benching._BATCH_SECONDS", 0.0005)


def test_table(project):
    """There is a row for the bare application, for each layer that `run` would place, and for all of them."""
    shown = project.run("bench", "main:app", "--cors-origin", "https://app.example", "--no-timing", *FAST).stdout
    first, _, *rows, last = shown.splitlines()
    assert re.fullmatch(r"GET /: 200, \d+ bytes behind all layers", first)
    names = ["application", "request_id", "cors", "server_errors", "compression", "all layers"]
    for name, row in zip(names, rows, strict=True):
        sign = "" if name == "application" else "[+-]"
        assert re.fullmatch(rf"{name} +{sign}\d+\.\d   {sign}\d+\.\d to {sign}\d+\.\d", row)
    assert re.fullmatch(r"\d+ rounds of \d+ requests, in random turns; layers over the bare application\.", last)


def test_figures(project):
    """A layer that is asked for costs something, and the middle half of the rounds is around the median."""
    loaded = load("main:app")
    report = anyio.run(lambda: bench(Source(), {}, loaded, path="/", headers=[], seconds=0.3))
    assert [report.rows[0].name, report.rows[-1].name] == [BARE, WHOLE]
    for row in report.rows:
        assert row.quartiles[0] <= row.median <= row.quartiles[1]
    # Bodies of 1400 bytes are coded: many times the work of an application that only sends.
    assert {row.name: row.median for row in report.rows}["compression"] > 0
    assert report.rounds >= 5


def test_lifespan(project):
    """The application is started and shut down as by a server, and requests have the state of its lifespan."""
    result = project.run("bench", "apps:app", *FAST)
    assert result.exit_code == 0, result.output
    import apps

    assert apps.events == ["lifespan.startup", "lifespan.shutdown"]


def test_waiting_takes_no_longer(project):
    """An application that waits, and computes nothing, is not asked so often that the time is exceeded."""
    last = project.run("bench", "apps:waiting", *FAST).stdout.splitlines()[-1]
    assert last.startswith("5 rounds of 1 requests")


def test_client_stays(project):
    """An application that waits for its client to leave is measured, too."""
    assert project.run("bench", "apps:streaming", *FAST).exit_code == 0


def test_what_layers_give(project):
    """An application that needs what a layer puts into its scope, a session or an id, is measured without it, too."""
    result = project.run("bench", "apps:needing", "--session-secret-env", "KEY", *FAST, KEY="a key for tests")
    assert result.exit_code == 0, result.output

    message = project.refused("bench", "apps:ending", "--session-secret-env", "KEY", exit_code=1, KEY="a key for tests")
    assert message.startswith("GET / raised AttributeError where a layer was left out: ")


def test_query(project):
    """A query is no part of the path, whose escapes are decoded (ASGI)."""
    project.write(
        "asked.py",
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'http':\n"
        "        assert (scope['path'], scope['raw_path']) == ('/a \xfc', b'/a%20%C3%BC'), scope['path']\n"
        "        assert scope['query_string'] == b'x=%20', scope['query_string']\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body'})\n",
    )
    result = project.run("bench", "asked:app", "--path", "/a%20\xfc?x=%20", *FAST)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("seconds", ["nan", "inf", "0"])
def test_seconds(project, seconds):
    """What is no time that passes is refused."""
    assert project.refused("bench", "main:app", "--seconds", seconds).startswith("Invalid value for '--seconds': ")


def test_headers(project):
    """Headers can be added and replaced."""
    headers = ["--header", "X-Tea: green", "--header", "Origin: https://b.example"]
    assert project.run("bench", "apps:shows", *headers, *FAST).exit_code == 0


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("missing", "GET /a is answered with 404; measure another --path, or add a --header"),
        ("raising", "GET /a raised LookupError: tea; measure another --path"),
        ("silent", "GET /a gets no answer; measure another --path, or add a --header"),
        ("failing", "the application does not start: no database"),
    ],
)
def test_applications_that_fail(project, app, message):
    """An answer that is an error says nothing of what requests cost: one line, and code 1."""
    assert project.refused("bench", f"apps:{app}", "--path", "/a", exit_code=1) == message
