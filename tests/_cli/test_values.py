"""The forms that stand in TOML for what it has not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import require

require("click")

from middlewares._cli.errors import CommandError  # noqa: E402
from middlewares._cli.values import Place, resolved  # noqa: E402
from middlewares.sessions import MemoryStore  # noqa: E402


def value_of(value, key="keyword", folder=Path()):
    return resolved(Place(f"mw.toml: room.{key}", folder), key, value)


def refused(value, key="keyword", folder=Path()):
    with pytest.raises(CommandError) as raised:
        value_of(value, key, folder)
    return raised.value.message


@pytest.mark.parametrize("value", [True, 5, 2.5, "text", ["a", "b"], {"/a": {"b": [1]}}, {}])
def test_plain_values(value):
    """What TOML has is taken as it is."""
    assert value_of(value) == value


def test_environment(monkeypatch):
    """`{env = "NAME"}` is the value of a variable, wherever it stands."""
    monkeypatch.setenv("TEA", "green")
    assert value_of({"env": "TEA"}) == "green"
    assert value_of([{"env": "TEA"}, "black"]) == ["green", "black"]
    assert value_of({"/a": {"b": {"env": "TEA"}}}) == {"/a": {"b": "green"}}


def test_missing_variable(monkeypatch):
    """A variable that is missing or empty is named; for a key, the line says how one is made."""
    monkeypatch.delenv("TEA", raising=False)
    assert refused({"env": "TEA"}) == "mw.toml: room.keyword takes the environment variable TEA, which is not set"
    monkeypatch.setenv("TEA", "")
    message = refused({"env": "TEA"}, "secret_key")
    assert message.startswith("mw.toml: room.secret_key takes the environment variable TEA, which is empty; python -c")
    assert message.endswith("makes a key")


def test_file(tmp_path):
    """`{file = "path"}` is the text of a file, looked for beside the configuration, without the line's end."""
    (tmp_path / "key").write_text(" a key \n")
    assert value_of({"file": "key"}, folder=tmp_path) == " a key "
    assert value_of({"file": str(tmp_path / "key")}) == " a key "


def test_file_that_is_refused(tmp_path):
    """A file that is missing, empty or no text is named with its path."""
    assert refused({"file": "key"}, folder=tmp_path).endswith(
        f"{tmp_path}/key, which cannot be read (No such file or directory)"
    )
    (tmp_path / "key").write_bytes(b"\xff")
    assert refused({"file": "key"}, folder=tmp_path).endswith("cannot be read (it is not UTF-8)")
    (tmp_path / "key").write_text("\n")
    assert refused({"file": "key"}, "secret_key", tmp_path).endswith("makes a key")


def test_objects():
    """`{import = ...}` is an object, `{call = ...}` what a call with the other keys returns, `{pattern = ...}` compiled."""
    assert value_of({"import": "math:floor"})(2.5) == 2
    assert value_of({"import": "os:path.sep"}) == "/"
    assert isinstance(value_of({"call": "middlewares.sessions:MemoryStore", "max_records": 5}), MemoryStore)
    assert value_of({"pattern": "^/static/"}) == re.compile("^/static/")
    assert value_of({"none": True}) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"env": 5}, 'must have the name of a variable as text, such as {env = "NAME"} (got 5)'),
        ({"file": ""}, "must have the path of a file as text, such as {file = \"path\"} (got '')"),
        ({"env": "A", "file": "b"}, "must have env alone, without file"),
        ({"none": False}, "must be {none = true} for None (got False)"),
        ({"pattern": "["}, "has a pattern that is no regular expression: unterminated character set"),
        ({"call": "middlewares.sessions:MemoryStore", "max_records": 0}, "called middlewares.sessions:MemoryStore, which raised ValueError: max_records must be 1 or more"),
        ({"call": "math:pi"}, "called math:pi, which raised TypeError: 'float' object is not callable"),
        ("redis://:tea@redis.internal", "has a password in plain text"),
    ],
)  # fmt: skip
def test_forms_that_are_refused(value, message):
    """A form with a wrong value is refused by a line that shows the right one."""
    assert refused(value).startswith(f"mw.toml: room.keyword {message}")


def test_objects_that_are_not_there():
    """A missing object is told with the place that names it."""
    assert refused({"import": "math:flor"}).startswith(
        "mw.toml: room.keyword: math has no attribute 'flor'; did you mean 'floor'?"
    )
    assert refused({"call": "math"}).startswith(
        "mw.toml: room.keyword: 'math' must be module:attribute, such as math:app"
    )


@pytest.mark.parametrize("key", ["secret_key", "password", "api_token", "key"])
def test_secrets_in_plain_text(key):
    """A keyword that names a secret takes no plain text, also in lists and in calls, and the message does not show it."""
    for value in ("hunter2", ["hunter2"], {"call": "builtins:dict", key: "hunter2"}):
        message = refused(value, key)
        assert 'must not stand here in plain text: write {env = "NAME"} or {file = "path"} in its place' in message
        assert "hunter2" not in message
    assert value_of("session", "scope_key") == "session"
    assert value_of({"/token": "/token*"}, "use_as_dictionary") == {"/token": "/token*"}


def test_no_password_in_messages(project, monkeypatch):
    """What a call raises is told without the password of a URL."""
    monkeypatch.setenv("URL", "redis://ada:hunter2@redis.internal")
    project.write("stores.py", "def connect(url):\n    raise OSError(f'no way to {url}')\n")
    message = refused({"call": "stores:connect", "url": {"env": "URL"}})
    assert message.endswith("called stores:connect, which raised OSError: no way to redis://***@redis.internal")
