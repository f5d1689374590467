"""The configuration: what a file and the command line say of the layers, and what is wrong with it."""

from __future__ import annotations

import importlib
import inspect
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

import middlewares
from middlewares._index import ROOMS
from middlewares._options import ORDER
from middlewares.testing import http_scope, run

from ..conftest import require
from ..needs import NEEDS

require("click")

from middlewares._cli.config import BY_DEFAULT, OPTIONS, Source, layers, merged, package_of_the_process, read  # noqa: E402
from middlewares._cli.errors import CommandError  # noqa: E402

KEYWORDS = [
    (room, keyword)
    for room, name in ORDER.items()
    for keyword in [
        *inspect.signature(getattr(importlib.import_module(f"middlewares.{ROOMS[name]}"), name)).parameters
    ][1:]
]
SESSIONS = ["--session-secret-env", "KEY"]


def refused(tables, given=None):
    """The message about a configuration."""
    with pytest.raises(CommandError) as raised:
        layers(Source("mw.toml", Path(), tables), given or {}, "middlewares")
    assert raised.value.exit_code == 2
    return raised.value.message


def test_defaults():
    """Without a word about them, the rooms that need no settings are on, in the order of `wrap`."""
    assert [*merged(Source(), {})] == [room for room in ORDER if room in BY_DEFAULT]
    assert [*BY_DEFAULT] == ["request_id", "timing", "server_errors", "compression"]


def test_file_turns_rooms_on_and_off():
    """A table or `true` turns a room on, `false` turns it off."""
    tables = {"timing": False, "request_id": True, "cors": {"allow_origins": "*"}, "decompression": {}}
    assert merged(Source("mw.toml", tables=tables), {}) == {
        "request_id": {},
        "cors": {"allow_origins": "*"},
        "server_errors": {},
        "compression": {},
        "decompression": {},
    }


def test_command_line_wins():
    """Options turn rooms on that the file has off, off that it has on, and replace its keywords one by one."""
    tables = {
        "timing": False,
        "cors": {"allow_origins": ["https://a.example"], "max_age": 5},
        "sessions": {"path": "/a"},
    }
    given = {"timing": True, "cors": {"allow_origins": ["https://b.example"]}, "sessions": False, "request_id": False}
    assert merged(Source("mw.toml", tables=tables), given) == {
        "timing": {},
        "cors": {"allow_origins": ["https://b.example"], "max_age": 5},
        "server_errors": {},
        "compression": {},
    }


def test_every_room_from_a_file(project):
    """Each room is built from its table, and the stack does what the tables say."""
    file = project.write(
        "mw.toml",
        """
        [request_id]
        header_name = "X-Correlation-ID"
        [timing]
        metric = "total"
        [cors]
        allow_origins = ["https://app.example"]
        overrides = {"/old" = {none = true}, "/public" = {allow_origins = "*"}}
        [server_errors]
        debug = true
        [compression]
        encodings = ["gzip"]
        minimum_size = 1
        [decompression]
        max_size = 1000
        [sessions]
        secret_key = [{env = "KEY"}, {file = "old.key"}]
        session_cookie = "visitor"
        """,
    )
    project.write("old.key", "the key of before\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEY", "the key of now")
        found = layers(read(file), {}, "middlewares")
    assert [layer.cls.__name__ for layer in found] == [*ORDER.values()]
    assert found[-1].kwargs["secret_key"] == ["the key of now", "the key of before"]

    async def app(scope, receive, send):
        scope["session"]["user"] = "ada"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"tea" * 100})

    headers = [(b"origin", b"https://evil.example"), (b"accept-encoding", b"gzip, br")]
    start = run(middlewares.Stack(*found)(app), http_scope("GET", "/public", headers))[0]
    sent = dict(start["headers"])
    assert sent[b"access-control-allow-origin"] == b"*"
    assert sent[b"content-encoding"] == b"gzip"
    assert sent[b"server-timing"].startswith(b"total;dur=")
    assert sent[b"set-cookie"].startswith(b"visitor=")
    assert len(sent[b"x-correlation-id"]) == 32


def test_pyproject_of_the_working_directory(project):
    """Without --config, the table of pyproject.toml counts where it is; nothing else of that file, or of the folder, does."""
    assert read(None) == Source()
    project.write("pyproject.toml", "[project]\nname = 'a'\n")
    project.write("middlewares.toml", "[cors]\n")
    assert read(None) == Source()
    project.write("pyproject.toml", "[tool.asgi-middlewares.cors]\nallow_origins = '*'\n")
    assert read(None).tables == {"cors": {"allow_origins": "*"}}
    assert read(Path("pyproject.toml")) == read(None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mw.toml", "[cors", "mw.toml is no TOML: Expected ']'"),
        ("mw.toml", "[corss]", "mw.toml: there is no room corss; did you mean 'cors'?"),
        ("mw.toml", "[log]", "mw.toml: there is no room log; there are request_id, timing, cors, server_errors"),
        ("mw.toml", "cors = 5", "mw.toml: cors must be true, false or a table of keywords (got 5)"),
        ("pyproject.toml", "[tool.ruff]", "pyproject.toml has no table [tool.asgi-middlewares]"),
        ("pyproject.toml", "tool = 3", "pyproject.toml has no table [tool.asgi-middlewares]"),
        (
            "pyproject.toml",
            "[tool]\nasgi-middlewares = 3",
            "pyproject.toml: tool.asgi-middlewares must be a table (got 3)",
        ),
        (
            "pyproject.toml",
            "[tool.asgi-middlewares.log]",
            "pyproject.toml: there is no room tool.asgi-middlewares.log; there are request_id",
        ),
        ("mw.toml", b"\xff", "mw.toml cannot be read (it is not UTF-8)"),
        ("mw.toml", None, "mw.toml cannot be read (No such file or directory)"),
    ],
)
def test_files_that_are_refused(project, name, text, message):
    """A file that is none, is no TOML, or has tables for no room is refused by one line that says what it takes."""
    if text is not None:
        (project.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommandError) as raised:
        read(Path(name))
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"cors": {"allow_origin": "*"}}, "mw.toml: cors.allow_origin is no keyword of CORSMiddleware; did you mean 'allow_origins'?"),
        ({"server_errors": {"x": 1}}, "mw.toml: server_errors.x is no keyword of ServerErrorMiddleware; there are debug, handler"),
        ({"timing": {"precision": 12}}, "mw.toml: timing.precision is refused: precision must be 0 to 9 digits"),
        ({"cors": {"allow_credentials": "false"}}, "mw.toml: cors.allow_credentials must be true or false (got 'false')"),
        ({"sessions": {}}, "mw.toml: sessions is refused: secret_key must be given"),
        ({"sessions": {"secret_key": "abc"}}, "mw.toml: sessions.secret_key must not stand here in plain text: write {env"),
        ({"cors": {"allow_origin_regex": "["}}, "mw.toml: cors.allow_origin_regex is refused: allow_origin_regex is no regular"),
    ],
)  # fmt: skip
def test_keywords_that_are_refused(tables, message):
    """Unknown keywords and wrong values are refused by one line with file, key, value and the way out."""
    assert refused(tables).startswith(message)
    assert "abc" not in refused(tables)


def test_option_is_named_where_it_is_at_fault():
    """A value of the command line is refused under the name of its option, one of the file under its key there."""
    tables = {"cors": {"max_age": -1}}
    assert refused(tables, {"cors": {"allow_origins": ["*"]}}).startswith("mw.toml: cors.max_age is refused")
    assert refused({}, {"cors": {"allow_origins": ["app.example"]}}).startswith(
        "--cors-origin is refused: allow_origins"
    )
    with pytest.raises(CommandError, match=r"^sessions is refused: secret_key"):
        layers(Source(), {"sessions": True}, "middlewares")
    with pytest.raises(
        CommandError, match=r"^--session-secret-env or --session-secret-file takes the .* which is not set"
    ):
        layers(Source(), {"sessions": {"secret_key": {"env": "NO_SUCH_VARIABLE"}}}, "middlewares")


@pytest.mark.parametrize(("room", "keyword"), KEYWORDS)
def test_wrong_types(room, keyword):
    """A date, which TOML has and no keyword takes, is refused for every keyword, by a line that names it."""
    needed = NEEDS.get(ORDER[room], {}) if keyword != "secret_key" else {}
    needed = {key: {"none": True} if key == "secret_key" else value for key, value in needed.items()}
    assert f"mw.toml: {room}" in refused({room: {**needed, keyword: date(2026, 11, 25)}})


def test_options_are_keywords():
    """Each option of the command line stands for a keyword that its room has."""
    assert {*OPTIONS} <= {*KEYWORDS}


def test_package_of_the_process(monkeypatch):
    """The layers come from the name that the application imports, unless that is a folder of its own."""
    assert package_of_the_process() == "middlewares"
    monkeypatch.setitem(sys.modules, "asgi_middlewares", ModuleType("asgi_middlewares"))
    assert package_of_the_process() == "middlewares"
    monkeypatch.setitem(sys.modules, "asgi_middlewares", middlewares)
    assert package_of_the_process() == "asgi_middlewares"
    monkeypatch.setattr("middlewares._cli.config.__name__", "asgi_middlewares._cli.config")
    assert package_of_the_process() == "middlewares"
