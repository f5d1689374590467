"""The front of the command: as a script and as a module, and without its extra. Its parts are tested in `_cli/`."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from middlewares import __version__

from .conftest import require

ROOT = Path(__file__).parents[1]


@pytest.fixture
def arguments(monkeypatch):
    """Set the arguments of this process."""
    return lambda *texts: monkeypatch.setattr(sys, "argv", ["middlewares", *texts])


def test_module(arguments, capsys):
    """`python -m middlewares` is the command."""
    require("click")
    arguments("--version")
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("middlewares", run_name="__main__")
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"asgi-middlewares, version {__version__}\n"
    runpy.run_module(
        "middlewares.__main__", run_name="other"
    )  # an import, as by tools that look for modules, does nothing


def test_without_the_extra(arguments, monkeypatch):
    """Without click, one line says which extra to install, and the exit code is 1."""
    from middlewares.cli import main

    arguments("run", "main:app")
    monkeypatch.setattr("middlewares.cli.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as raised:
        main()
    assert raised.value.code == (
        "Error: click is not installed; the command needs the extra `serve`: pip install 'asgi-middlewares[serve]'"
    )


def test_script_beside_a_folder_of_that_name(tmp_path):
    """The script works where the application has a folder `middlewares` of its own, and serves what it makes of it."""
    require("click")
    script = Path(sys.executable).with_name("middlewares")
    (tmp_path / "middlewares.py").write_text("async def app(scope, receive, send): ...\n")
    command = [script, "explain", "middlewares:app", "--timing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-3:] == ["├── CompressionMiddleware()", "└── app", "The order is right."]


def test_help_loads_no_more_than_click():
    """What is needed is loaded when it is needed: asking for help loads no room, no server and no composition."""
    require("click")
    code = (
        "import sys\nfrom middlewares._cli.command import command\n"
        "try: command(['--help'])\nexcept SystemExit: pass\n"
        "loaded = {name for name in sys.modules if name.startswith('middlewares.')} | {'uvicorn', 'a2wsgi'} & {*sys.modules}\n"
        "assert loaded == {'middlewares._cli', 'middlewares._cli.command', 'middlewares._cli.errors', 'middlewares._cli.extra'}, loaded"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60, capture_output=True)
