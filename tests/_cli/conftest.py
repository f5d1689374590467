"""A folder of an application, and the command in this process."""

from __future__ import annotations

import logging
import os
import sys
from types import ModuleType
from typing import Any

import pytest

from ..conftest import require

MAIN = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, world! " * 100})


class Old:
    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ASGI 2"})


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"WSGI"]


def make():
    return app


number = 5
"""


class Project:
    """A folder with `main.py`, which is the working directory."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder
        self.write("main.py", MAIN)

    def write(self, name: str, text: str) -> Any:
        """Write a file, and return its path."""
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *arguments: str, **environment: str | None) -> Any:
        """The command's result: `exit_code`, `stdout`, `stderr`."""
        from click.testing import CliRunner

        from middlewares._cli.command import command

        result = CliRunner().invoke(command, arguments, prog_name="middlewares", env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def refused(self, *arguments: str, exit_code: int = 2, **environment: str | None) -> str:
        """The one line on standard error of a command that fails, after the usage that click shows for its own."""
        result = self.run(*arguments, **environment)
        assert result.exit_code == exit_code, result.output
        assert result.stdout == ""
        usage, _, error = f"\n{result.stderr}".rpartition("\nError: ")
        assert not usage or usage.startswith("\nUsage: "), result.stderr
        assert error.count("\n") == 1
        return str(error.strip())


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of an application; what is imported from it is forgotten afterwards."""
    require("click")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    before = {**sys.modules}
    yield Project(tmp_path)
    for name, module in {**sys.modules}.items():
        if name not in before and isinstance(module, ModuleType) and _is_in(module, str(tmp_path)):
            del sys.modules[name]


def _is_in(module: ModuleType, folder: str) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(folder + os.sep)


@pytest.fixture
def quiet_uvicorn(monkeypatch):
    """`uvicorn.run` does not serve: the list of (application, settings) that it was called with."""
    uvicorn = require("uvicorn")
    calls: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **settings: calls.append((app, settings)))
    monkeypatch.delenv("ASGI_MIDDLEWARES_PLAN", raising=False)
    loggers = [logging.getLogger(name) for name in ("middlewares", "uvicorn", "uvicorn.access", "uvicorn.error")]
    kept = [(logger, [*logger.handlers], logger.level, logger.propagate) for logger in loggers]
    yield calls
    os.environ.pop("ASGI_MIDDLEWARES_PLAN", None)
    for logger, handlers, level, propagate in kept:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
