"""What `run` gives to uvicorn; `tests/servers/test_command.py` serves for real."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from middlewares.testing import http_scope, lifespan_scope, run

from ..conftest import require

require("click")
require("uvicorn")

import uvicorn.config  # noqa: E402

from middlewares._cli.errors import CommandError  # noqa: E402
from middlewares._cli.serving import VARIABLE, Plan, application, build  # noqa: E402

ROOT = Path(__file__).parents[2]


def served(plan, headers=(), **scope):
    """The headers of the answer to one request."""
    start = run(build(plan), http_scope("GET", "/", headers, **scope))[0]
    return {name.decode(): value.decode() for name, value in start["headers"]}


def test_stack_of_a_plan(project, caplog):
    """The application is behind the layers of file and options, which a line of the log names."""
    project.write("mw.toml", "timing = false\n[cors]\nallow_origins = '*'\n")
    caplog.set_level(logging.INFO, "uvicorn.error")
    headers = served(
        Plan("main:app", config="mw.toml", given={"compression": False}), [(b"origin", b"https://a.example")]
    )
    assert headers["access-control-allow-origin"] == "*"
    assert len(headers["x-request-id"]) == 32
    assert "server-timing" not in headers
    assert caplog.messages == ["Serving main:app (ASGI 3) behind request_id, cors, server_errors"]


def test_wsgi_and_no_layers(project, caplog):
    """The line names the bridge, and says so where there is no layer."""
    require("a2wsgi")
    caplog.set_level(logging.INFO, "uvicorn.error")
    given = dict.fromkeys(["request_id", "timing", "server_errors", "compression"], False)
    headers = served(Plan("main:wsgi", given=given))
    assert headers == {"content-type": "text/plain"}
    assert caplog.messages == ["Serving main:wsgi (WSGI, through a2wsgi) behind no layer"]


def test_mistakes_of_order(project, caplog):
    """What is wrong between these layers and those of the application is a warning in the log."""
    project.write("own.py", "from main import app\nfrom middlewares import CORSMiddleware\napp = CORSMiddleware(app)\n")
    build(Plan("own:app", given={"cors": {"allow_origins": ["*"]}}))
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    [warning] = warnings
    assert warning.startswith("CORSMiddleware stands inside of CORSMiddleware: two policies")


ID = (b"x-request-id", b"order-7")
FORWARDED = (b"x-forwarded-for", b"203.0.113.5")


@pytest.mark.parametrize(
    ("trust", "client", "is_trusted"),
    [(("10.0.0.0/8",), "10.1.2.3", True), (("10.0.0.0/8",), "192.0.2.1", False), ((), "127.0.0.1", True)],
)
def test_trusted_proxies(project, trust, client, is_trusted):
    """A proxy's request id and X-Forwarded-For are believed by its own address; a stranger's are not."""
    project.write(
        "shows.py",
        "async def app(scope, receive, send):\n"
        "    headers = [(b'client', scope['client'][0].encode())]\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})\n"
        "    await send({'type': 'http.response.body'})\n",
    )
    given = {"request_id": {"trust_incoming": list(trust)}} if trust else {}
    headers = served(Plan("shows:app", given=given, trust=trust), [ID, FORWARDED], client=(client, 5000))
    assert (headers["x-request-id"] == "order-7") is is_trusted
    assert headers["client"] == ("203.0.113.5" if is_trusted else client)


def test_trusted_proxies_by_environment(project, monkeypatch):
    """Without --trust, X-Forwarded-For is believed from where uvicorn's own variable says."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")
    seen = {}
    project.write("shows.py", "async def app(scope, receive, send):\n    raise LookupError(scope['client'])\n")
    app = build(Plan("shows:app", given={"server_errors": False}))
    for client in ("192.0.2.1", "127.0.0.1"):
        with pytest.raises(LookupError) as raised:
            run(app, http_scope(headers=[FORWARDED], client=(client, 1)))
        seen[client] = raised.value.args[0][0]
    assert seen == {"192.0.2.1": "203.0.113.5", "127.0.0.1": "127.0.0.1"}


def test_lifespan_passes(project):
    """The lifespan reaches the application, and what it raises the server."""
    with pytest.raises(ValueError, match="no lifespan"):
        run(build(Plan("main:app")), lifespan_scope())


def test_run(project, quiet_uvicorn, capsys):
    """`run` hands the stack, host, port and log level to uvicorn."""
    result = project.run("run", "main:app", "--host", "localhost", "--port", "0", "--log-level", "debug")
    assert result.exit_code == 0
    [(app, settings)] = quiet_uvicorn
    assert run(app, http_scope())[0]["status"] == 200
    assert {"host": "localhost", "port": 0, "log_level": "debug", "interface": "asgi3"}.items() <= settings.items()
    assert settings["workers"] == 1
    assert not {"reload", "factory"} & settings.keys()
    assert settings["use_colors"] is None


def test_no_color(project, quiet_uvicorn):
    """`NO_COLOR` is for the log as well."""
    project.run("run", "main:app", "--port", "0", NO_COLOR="1")
    assert quiet_uvicorn[0][1]["use_colors"] is False


@pytest.mark.parametrize("with_ids", [True, False])
def test_access_log(project, quiet_uvicorn, with_ids):
    """Uvicorn's access log ends with the id of the request, where there are ids; our loggers write to its handler."""
    project.run("run", "main:app", "--port", "0", "--log-level", "warning", *([] if with_ids else ["--no-request-id"]))
    [handler] = logging.getLogger("uvicorn.access").handlers
    assert handler.formatter._fmt.endswith(" %(request_id)s") is with_ids
    assert len(handler.filters) == with_ids
    assert "%(request_id)s" not in uvicorn.config.LOGGING_CONFIG["formatters"]["access"]["fmt"]
    assert logging.getLogger("middlewares").level == logging.WARNING


def test_log_of_the_application(project, quiet_uvicorn):
    """What the application sets up of the log as it is loaded stays."""
    project.write(
        "logs.py", "import logging, main\nlogging.getLogger('uvicorn.access').handlers.clear()\napp = main.app\n"
    )
    assert project.run("run", "logs:app", "--port", "0").exit_code == 0
    assert quiet_uvicorn[0][1]["log_config"] is None
    assert logging.getLogger("uvicorn.access").handlers == []


def test_failed_start(project):
    """An application that fails to start is exit code 1 (docs/command.md), in one process, as WEB_CONCURRENCY is not ours."""
    project.write(
        "fails.py",
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n",
    )
    done = subprocess.run(
        [sys.executable, "-m", "middlewares", "run", "fails:app", "--port", "0"],
        env={**_environment(project), "WEB_CONCURRENCY": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "no database" in done.stderr
    assert (done.returncode, "import string" in done.stderr) == (1, False)


def test_workers(project, quiet_uvicorn):
    """With workers, uvicorn gets an import string, and the plan lies in the environment, without the secret."""
    arguments = [
        "run",
        "main:app",
        "--port",
        "0",
        "--workers",
        "2",
        "--session-secret-env",
        "KEY",
        "--trust",
        "10.0.0.0/8",
    ]
    assert project.run(*arguments, KEY="hunter2").exit_code == 0
    [(app, settings)] = quiet_uvicorn
    assert (app, settings["workers"], settings["factory"]) == ("middlewares._cli.serving:application", 2, True)
    assert "hunter2" not in os.environ[VARIABLE]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEY", "hunter2")
        assert run(application(), http_scope())[0]["status"] == 200


def test_reload(project, quiet_uvicorn):
    """With reload, the folder of the application is watched, and the application is left to the child."""
    project.write("broken.py", "1 / 0\n")
    assert project.run("run", "broken:app", "--port", "0", "--reload").exit_code == 0
    [(_, settings)] = quiet_uvicorn
    assert (settings["reload"], settings["reload_dirs"]) == (True, [str(project.folder)])


@pytest.mark.parametrize("more", [["--reload"], ["--workers", "2"], []])
def test_mistakes_are_told_before_the_server_starts(project, more):
    """A wrong module and a wrong configuration are told once, by the command itself, however many processes serve."""
    arguments = ["--port", "0", *more]
    assert "did you mean 'main'" in project.refused("run", "mian:app", *arguments)
    file = project.write("mw.toml", "[cors]\nmax_age = -1\n")
    message = project.refused("run", "main:app", "--config", "mw.toml", *arguments)
    assert message.startswith(f"{file.name}: cors.max_age is refused")


def test_mistakes_in_a_child(monkeypatch, capsys, project):
    """A child ends with uvicorn's code for a failed start, and one line."""
    monkeypatch.setenv(VARIABLE, json.dumps({"target": "main:ap"}))
    with pytest.raises(SystemExit) as raised:
        application()
    assert raised.value.code == 3
    assert capsys.readouterr().err == "Error: main has no attribute 'ap'; did you mean 'app'? (looked for main:ap)\n"


def test_address_in_use(project):
    """A port that is taken is told with the way out, before the application is loaded, and is no mistake of usage."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        message = project.refused("run", "broken:app", "--port", port, exit_code=1)
    assert message == f"cannot listen on 127.0.0.1 port {port}: Address already in use; take another --port"


def test_address_that_is_none(project):
    """So is an address that this machine has not."""
    message = project.refused("run", "main:app", "--host", "2001:db8::1", exit_code=1)
    assert message.endswith("; take another --host")


def test_missing_uvicorn(project, monkeypatch):
    """Without uvicorn, one line says how to get it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    message = project.refused("run", "main:app", exit_code=1)
    assert message == (
        "uvicorn is not installed; the command needs the extra `serve`: pip install 'asgi-middlewares[serve]'"
    )


def _environment(project):
    """The project's modules, and the package under both of its names."""
    path = [str(project.folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def test_other_name_in_the_application(project):
    """An application that imports the other name of the package still sees the id of its request."""
    project.write(
        "ids.py",
        "from asgi_middlewares.request_id import current_request_id\n"
        "async def app(scope, receive, send):\n"
        "    headers = [(b'seen', current_request_id().encode())]\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})\n"
        "    await send({'type': 'http.response.body'})\n",
    )
    code = (
        "from middlewares._cli.serving import Plan, build; from middlewares.testing import run, http_scope\n"
        "headers = dict(run(build(Plan('ids:app')), http_scope())[0]['headers'])\n"
        "assert headers[b'seen'] == headers[b'x-request-id']"
    )
    subprocess.run([sys.executable, "-c", code], env=_environment(project), check=True, timeout=60)


def test_other_name_is_imported_by_the_first_request(project):
    """Of an application that imports the other name in a request, as Django's URLconf does, ids and spans work, too."""
    project.write(
        "lazy.py",
        "async def app(scope, receive, send):\n"
        "    from asgi_middlewares.request_id import current_request_id, outbound_headers\n"
        "    from asgi_middlewares.timing import add, span\n"
        "    with span('lazy'): pass\n"
        "    add('entry')\n"
        "    seen = [current_request_id(), outbound_headers().get('X-Trace-Me')]\n"
        "    headers = [(b'seen', ' '.join(map(str, seen)).encode())]\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': headers})\n"
        "    await send({'type': 'http.response.body'})\n",
    )
    project.write("mw.toml", 'request_id = {header_name = "X-Trace-Me"}')
    code = (
        "import sys; from middlewares._cli.serving import Plan, build; from middlewares.testing import run, http_scope\n"
        "app = build(Plan('lazy:app', config='mw.toml'))\n"
        "assert 'asgi_middlewares' not in sys.modules\n"
        "headers = dict(run(app, http_scope())[0]['headers'])\n"
        "assert headers[b'seen'].split() == [headers[b'x-trace-me']] * 2, headers\n"
        "assert b'lazy;dur=' in headers[b'server-timing'] and b', entry' in headers[b'server-timing'], headers"
    )
    subprocess.run([sys.executable, "-c", code], env=_environment(project), check=True, timeout=60)


def test_build_refuses(project):
    """What is wrong with a plan is a `CommandError`."""
    with pytest.raises(CommandError):
        build(Plan("main:number"))
