"""`python -m middlewares run` for real: applications of each interface on uvicorn, its signals, reloads and workers."""

from __future__ import annotations

import os
import signal
import time

import httpx
import pytest

from ..conftest import require
from .harness import start

pytestmark = pytest.mark.servers

APPLICATIONS = {
    "flask": """
import asyncio, flask
asyncio.run(asyncio.sleep(0))  # no event loop runs yet, as under `uvicorn main:app`
app = flask.Flask("legacy")
@app.get("/")
def index():
    return "Hello, world! " * 100
@app.get("/id")
def id():
    return flask.request.headers["X-Request-ID"]
""",
    "fastapi": """
import fastapi
from middlewares.request_id import current_request_id
app = fastapi.FastAPI()
@app.get("/")
def index():
    return "Hello, world! " * 100
@app.get("/id", response_class=fastapi.responses.PlainTextResponse)
def id():
    return current_request_id()
""",
    "asgi2": """
class app:
    def __init__(self, scope):
        self.scope = scope
    async def __call__(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        body = dict(self.scope["headers"])[b"x-request-id"] if self.scope["path"] == "/id" else b"Hello, world! " * 100
        await send({"type": "http.response.body", "body": body})
""",
}


def serving(folder, *options):
    """The command, serving `main:app` of a folder."""
    return start(
        lambda port: ["-m", "middlewares", "run", "main:app", "--app-dir", folder, "--port", str(port), *options]
    )


def get(server, path="/", **headers):
    return httpx.get(server.url + path, headers=headers, timeout=20, trust_env=False)


@pytest.fixture(autouse=True)
def needed():
    for name in ("click", "uvicorn", "a2wsgi"):
        require(name)


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_applications(framework, tmp_path):
    """Flask and FastAPI get CORS, codings, ids and times by one command, and SIGTERM ends it."""
    require(framework)
    (tmp_path / "main.py").write_text(APPLICATIONS[framework])
    with serving(str(tmp_path), "--cors-origin", "https://app.example") as server:
        response = get(server, Origin="https://app.example", **{"Accept-Encoding": "gzip"})
        assert response.status_code == 200, server.log()
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["server-timing"].startswith("app;dur=")
        assert "Hello, world! Hello" in response.text
        asked = get(server, "/id", **{"X-Request-ID": "order-7"})
        assert asked.text == asked.headers["x-request-id"] == "order-7"
        assert server.logs('"GET /id HTTP/1.1" 200 OK order-7'), server.log()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) in (0, -signal.SIGTERM)
        assert server.logs("Finished server process")


def test_reload(tmp_path):
    """A changed file is served anew; a broken one is told in one line, and mended by the next change."""
    main = tmp_path / "main.py"
    main.write_text(APPLICATIONS["asgi2"])
    with serving(str(tmp_path), "--reload") as server:
        assert get(server).text.startswith("Hello")
        change(main, "1 / 0\n")
        assert server.logs("Error: the import of main raised ZeroDivisionError: division by zero"), server.log()
        change(main, APPLICATIONS["asgi2"].replace("Hello", "Good day"))
        # The socket is the parent's: the request waits there for the next child.
        assert get(server).text.startswith("Good day"), server.log()


def change(file, text):
    """Write a file, with a time of change that no clock of a file system takes for the one before."""
    file.write_text(text)
    later = time.time_ns() + 2_000_000_000
    os.utime(file, ns=(later, later))


def test_workers(tmp_path):
    """Two workers serve the same stack, with the secret of a file."""
    (tmp_path / "main.py").write_text(APPLICATIONS["asgi2"])
    (tmp_path / "key").write_text("a key for tests")
    with serving(str(tmp_path), "--workers", "2", "--session-secret-file", str(tmp_path / "key")) as server:
        deadline = time.monotonic() + 30
        while server.log().count("Application startup complete.") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.log().count("behind request_id, timing, server_errors, compression, sessions") == 2
        response = get(server)
        assert (response.status_code, len(response.headers["x-request-id"])) == (200, 32)
