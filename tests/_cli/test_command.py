"""The command line itself: help, options, exit codes, colours."""

from __future__ import annotations

import socket
import sys

import pytest

from middlewares import __version__
from middlewares._options import ORDER

from ..conftest import require

click = require("click")

from middlewares._cli.command import _given, command  # noqa: E402
from middlewares._cli.config import OPTIONS  # noqa: E402

COMMANDS = sorted(command.commands)
NOTHING = {"cors_origin": (), "cors_method": (), "cors_header": (), "cors_credentials": None}


def test_help(project):
    """Without arguments, and with --help or -h, every subcommand is listed with a whole sentence."""
    shown = project.run("--help").stdout
    assert project.run("-h").stdout == shown
    assert COMMANDS == ["bench", "cors", "demo", "explain", "run"]
    for name in COMMANDS:
        [line] = [line for line in shown.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(".")
        assert not line.endswith("...")
    assert project.run().exit_code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each(project, name):
    """Each option of each subcommand says what it does, and stands under what it is about."""
    assert all(option.help for option in command.commands[name].params if isinstance(option, click.Option))
    shown = project.run(name, "--help").stdout
    assert shown.startswith(f"Usage: middlewares {name} [OPTIONS]")
    assert ("\nLayers:\n" in shown) is (name != "demo")
    assert ("\nServer:\n" in shown) is (name in {"run", "demo"})


def test_version(project):
    """--version is the version of the package."""
    assert project.run("--version").stdout == f"asgi-middlewares, version {__version__}\n"


def test_every_room_has_an_option():
    """Each room can be turned on or off, or has an option that sets one of its keywords."""
    names = {option.name for option in command.commands["run"].params}
    assert {*ORDER} <= names | {room for room, _ in OPTIONS}


def test_options_as_rooms(tmp_path):
    """The options become the tables that stand for them; secrets are named by where they are."""
    assert _given(**NOTHING) == {}
    options = {
        **NOTHING,
        "cors_origin": ("https://a.example",),
        "cors_credentials": False,
        "timing": False,
        "request_id": None,
    }
    assert _given(**options, trust=("10.0.0.0/8",), session_secret_env="KEY") == {
        "timing": False,
        "request_id": {"trust_incoming": ["10.0.0.0/8"]},
        "cors": {"allow_origins": ["https://a.example"], "allow_credentials": False},
        "sessions": {"secret_key": {"env": "KEY"}},
    }
    assert _given(**NOTHING, session_secret_file=tmp_path) == {"sessions": {"secret_key": {"file": str(tmp_path)}}}
    assert _given(**NOTHING, trust=("10.0.0.0/8",), request_id=False) == {"request_id": False}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["main:app", "--trust", "10.0.0.1/8"],
            "Invalid value for '--trust': 10.0.0.1/8 has host bits set; write a network",
        ),
        (["main:app", "--port", "65536"], "Invalid value for '--port'"),
        (["main:app", "--workers", "0"], "Invalid value for '--workers'"),
        (["main:app", "--reload", "--workers", "2"], "--reload is for one process: leave out --workers, or --reload"),
        (["main:app", "--config", "no.toml"], "Invalid value for '--config': File 'no.toml' does not exist."),
        (["main:app", "--app-dir", "no"], "Invalid value for '--app-dir': Directory 'no' does not exist."),
        (
            ["main:app", "--session-secret-env", "A", "--session-secret-file", "b"],
            "--session-secret-env and --session-",
        ),
        (["main:app", "--session-secret", "hunter2"], "No such option"),
        (["main:app", "--cors-orign", "*"], "No such option"),
        ([], "Missing argument 'APP'"),
    ],
)
def test_usage(project, arguments, message):
    """A wrong option is told with the usage, in one line, with code 2."""
    assert project.refused("run", *arguments).startswith(message)


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours(project, environment, coloured):
    """There are colours on a terminal, unless NO_COLOR is set, and none in a pipe."""
    from click.testing import CliRunner

    result = CliRunner().invoke(command, ["explain", "main:app"], color=True, env={"NO_COLOR": None, **environment})
    assert ("\x1b[" in result.stdout) is coloured
    assert "\x1b[" not in project.run("explain", "main:app").stdout


def test_application_folder(project):
    """--app-dir is where modules are looked for first."""
    (project.folder / "src").mkdir()
    project.write("src/elsewhere.py", "from main import app\n")
    assert "no module 'elsewhere'" in project.refused("explain", "elsewhere:app")
    assert project.run("explain", "elsewhere:app", "--app-dir", "src").exit_code == 0


@pytest.fixture
def demo_calls(monkeypatch):
    """The demo does not serve: where it was asked to."""
    calls = []
    monkeypatch.setattr("middlewares.demo.serve", lambda host, port: calls.append((host, port)))
    return calls


def test_demo(project, demo_calls):
    """`demo` serves on 127.0.0.1, port 8000, or where the options say."""
    require("uvicorn")
    assert project.run("demo", "--port", "0").exit_code == 0
    assert project.run("demo", "--host", "localhost", "--port", "0").exit_code == 0
    assert demo_calls == [("127.0.0.1", 0), ("localhost", 0)]
    assert {option.name: option.default for option in command.commands["demo"].params}["port"] == 8000


def test_demo_on_a_port_that_is_taken(project, demo_calls):
    """A port in use is one line, with the way out, and code 1."""
    require("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = project.refused("demo", "--port", str(port), exit_code=1)
    assert message.startswith(f"cannot listen on 127.0.0.1 port {port}: ")
    assert message.endswith("; take another --port")
    assert demo_calls == []


def test_demo_without_the_server(project, monkeypatch):
    """Without uvicorn, one line says which extra to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    message = project.refused("demo", exit_code=1)
    assert (
        message
        == "uvicorn is not installed; the command needs the extra `serve`: pip install 'asgi-middlewares[serve]'"
    )
