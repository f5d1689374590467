"""What stands in TOML for a value that TOML has not: a secret from elsewhere, an object, a pattern, None."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

from .errors import CommandError
from .loading import find

# Neither paths, which are keys of some tables, nor the one keyword that is named like a secret and is none.
_is_secret = re.compile("(?!/|scope_key$).*(secret|password|passwd|token|(^|_)key$)", re.IGNORECASE).match
_PASSWORD_IN_URL = re.compile(r"//[^/@\s:]*:[^/@\s]+@")
_MAKE_ONE = '; python -c "import secrets; print(secrets.token_urlsafe(32))" makes a key'


class Place(NamedTuple):
    """Where a value stands: how messages name it, and the folder that its files are looked for in."""

    label: str
    folder: Path

    def at(self, key: str) -> Place:
        """The place of a key of the table that stands here."""
        return self._replace(label=f"{self.label}.{key}")

    def way_to_make_one(self) -> str:
        """The end of a message about a missing value: how a key is made, where it is one."""
        return _MAKE_ONE if "secret_key" in self.label or "session-secret" in self.label else ""

    def error(self, text: str) -> CommandError:
        """An error about the value."""
        return CommandError(f"{self.label} {text}")


def resolved(place: Place, key: str, value: Any) -> Any:
    """The value that a keyword gets.

    Args:
        place: Where `value` stands.
        key: The keyword; one that names a secret takes no plain text.
        value: A value of TOML. A table of one form stands for what it names, whatever it lies in:
            `{env = "NAME"}`, `{file = "path"}`, `{import = "module:attribute"}`,
            `{call = "module:callable", keyword = value}`, `{pattern = "regular expression"}`, `{none = true}`.

    Raises:
        CommandError: A form has a wrong value, or names what is not there; a secret stands in plain text.
    """
    if isinstance(value, str):
        if _is_secret(key):
            raise place.error('must not stand here in plain text: write {env = "NAME"} or {file = "path"} in its place')
        if _PASSWORD_IN_URL.search(value):
            raise place.error('has a password in plain text: write {env = "NAME"} or {file = "path"} in its place')
        return value
    if not isinstance(value, list | dict):
        return value
    if isinstance(value, list):
        return [resolved(place, key, item) for item in cast("Iterable[Any]", value)]
    table = cast("dict[str, Any]", value)
    if "call" in table:
        return _called(place, table)
    for form, make in _FORMS.items():
        if form in table:
            if len(table) > 1:
                raise place.error(f"must have {form} alone, without {', '.join(sorted({*table} - {form}))}")
            return make(place, table[form])
    return {name: resolved(place.at(name), name, item) for name, item in table.items()}


def _text(place: Place, form: str, value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise place.error(f"must have {what} as text, such as {form} (got {value!r})")
    return value


def _from_env(place: Place, name: Any) -> str:
    name = _text(place, '{env = "NAME"}', name, "the name of a variable")
    value = os.environ.get(name)
    if not value:
        state = "is not set" if value is None else "is empty"
        raise place.error(f"takes the environment variable {name}, which {state}{place.way_to_make_one()}")
    return value


def _from_file(place: Place, name: Any) -> str:
    path = place.folder / _text(place, '{file = "path"}', name, "the path of a file")
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise place.error(f"takes the file {path}, which cannot be read ({why})") from None
    if not value:
        raise place.error(f"takes the file {path}, which is empty{place.way_to_make_one()}")
    return value


def _imported(place: Place, target: Any) -> Any:
    return find(_text(place, '{import = "module:attribute"}', target, "an object"), f"{place.label}: ")


def _pattern(place: Place, pattern: Any) -> re.Pattern[str]:
    try:
        return re.compile(_text(place, "{pattern = '^/static/'}", pattern, "a regular expression"))
    except re.error as exc:
        raise place.error(f"has a pattern that is no regular expression: {exc} (got {pattern!r})") from None


def _none(place: Place, value: Any) -> None:
    if value is not True:
        raise place.error(f"must be {{none = true}} for None (got {value!r})")


_FORMS: dict[str, Callable[[Place, Any], Any]] = {
    "env": _from_env,
    "file": _from_file,
    "import": _imported,
    "pattern": _pattern,
    "none": _none,
}


def _called(place: Place, table: dict[str, Any]) -> Any:
    target = _text(place, '{call = "module:callable"}', table["call"], "a callable")
    function = find(target, f"{place.label}: ")
    keywords = {name: resolved(place.at(name), name, item) for name, item in table.items() if name != "call"}
    try:
        return function(**keywords)
    except Exception as exc:  # noqa: BLE001 - the user's code
        told = _PASSWORD_IN_URL.sub("//***@", f"{type(exc).__name__}: {exc}")
        raise place.error(f"called {target}, which raised {told}") from None
