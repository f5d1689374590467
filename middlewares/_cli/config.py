"""Which layers there are: the tables of a TOML file and the options of the command line, as `use(...)` takes them."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from .. import __version__
from .._index import ROOMS
from .._options import ORDER
from ..stack import Layer
from .errors import CommandError, one_of
from .values import Place, resolved

BY_DEFAULT = ("request_id", "timing", "server_errors", "compression")
"""The rooms that need no settings to be of use, and are on unless they are turned off."""

Given: TypeAlias = Mapping[str, bool | Mapping[str, Any]]
"""Room -> off, on, or on with these keywords, whose values are as in TOML: what the options of the command line say."""

OPTIONS = {
    ("request_id", "trust_incoming"): "--trust",
    ("cors", "allow_origins"): "--cors-origin",
    ("cors", "allow_methods"): "--cors-method",
    ("cors", "allow_headers"): "--cors-header",
    ("cors", "allow_credentials"): "--cors-credentials",
    ("sessions", "secret_key"): "--session-secret-env or --session-secret-file",
}
"""(room, keyword) -> the option that sets it."""

_TABLE = "tool.asgi-middlewares"


@dataclass(frozen=True)
class Source:
    """What a file says.

    Attributes:
        name: How messages call the file.
        folder: Where the files that it names are looked for.
        tables: Room -> true, false, or a table of keywords.
        prefix: What stands before the room in the names of tables.
    """

    name: str = ""
    folder: Path = Path()
    tables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    prefix: str = ""


def read(path: Path | None) -> Source:
    """The configuration in a file, or, without one, in the pyproject.toml of the working directory, where it has one.

    Raises:
        CommandError: The file cannot be read, is no TOML, has no such table, or a table for no room.
    """
    chosen = path or Path("pyproject.toml")
    if path is None and not chosen.is_file():
        return Source()
    try:
        tables = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise CommandError(f"{chosen} cannot be read ({why})") from None
    except tomllib.TOMLDecodeError as exc:
        raise CommandError(f"{chosen} is no TOML: {exc}") from None
    prefix = ""
    if chosen.name == "pyproject.toml":
        tools = tables.get("tool")
        found = cast("dict[str, Any]", tools).get("asgi-middlewares") if isinstance(tools, dict) else None
        if found is None:
            if path is None:
                return Source()
            raise CommandError(f"{chosen} has no table [{_TABLE}]")
        if not isinstance(found, dict):
            raise CommandError(f"{chosen}: {_TABLE} must be a table (got {found!r})")
        tables, prefix = cast("dict[str, Any]", found), f"{_TABLE}."
    source = Source(str(chosen), chosen.absolute().parent, tables, prefix)
    for room, value in tables.items():
        if room not in ORDER:
            raise CommandError(f"{chosen}: there is no room {prefix}{room}{one_of(room, ORDER)}")
        if not isinstance(value, bool | dict):
            raise CommandError(f"{chosen}: {prefix}{room} must be true, false or a table of keywords (got {value!r})")
    return source


def merged(source: Source, given: Given) -> dict[str, dict[str, Any]]:
    """Room -> keywords as in TOML, outermost first, of the rooms that are on; what the command line says wins."""
    rooms: dict[str, dict[str, Any]] = {}
    for room in ORDER:
        own, asked = source.tables.get(room, room in BY_DEFAULT), given.get(room)
        if asked is False or (asked is None and own is False):
            continue
        rooms[room] = {
            key: value
            for keywords in (own, asked)
            if not isinstance(keywords, bool | None)
            for key, value in cast("Mapping[str, Any]", keywords).items()
        }
    return rooms


def layers(source: Source, given: Given, package: str, rooms: Iterable[str] = ORDER) -> list[Layer]:
    """The layers, outermost first, each of which has been built once to check its keywords.

    Args:
        source: What the file says.
        given: What the command line says.
        package: The name of the package to take the classes from (see `package_of_the_process`).
        rooms: Which to look at.

    Raises:
        CommandError: A keyword is unknown, or its value is refused; the message names where it stands, and what to do.
    """
    stack = import_module(f"{package}.stack")
    on = merged(source, given)
    return [_layer(source, given, room, on[room], stack) for room in rooms if room in on]


def _layer(source: Source, given: Given, room: str, keywords: Mapping[str, Any], stack: ModuleType) -> Layer:
    cls = getattr(import_module(f"{stack.__package__}.{ROOMS[ORDER[room]]}"), ORDER[room])
    parameters = dict([*inspect.signature(cls).parameters.items()][1:])
    asked = given.get(room)

    def place(key: str) -> Place:
        if isinstance(asked, Mapping) and key in asked:
            return Place(OPTIONS[room, key], Path())
        return Place(f"{source.name}: {source.prefix}{room}.{key}", source.folder)

    values: dict[str, Any] = {}
    for key, value in keywords.items():
        if key not in parameters:
            raise CommandError(f"{place(key).label} is no keyword of {cls.__name__}{one_of(key, parameters)}")
        values[key] = resolved(place(key), key, value)
        if parameters[key].annotation == "bool" and not isinstance(values[key], bool):
            # Some constructors take anything for true, as Starlette's do; here, "false" would be.
            raise place(key).error(f"must be true or false (got {values[key]!r})")
    layer: Layer = stack.use(cls, **values)
    try:
        layer(_nothing)
    except (TypeError, ValueError, ImportError, OSError, re.error) as exc:
        named = next((key for key in values if re.search(rf"\b{key}\b", str(exc))), None)
        where = place(named).label if named else f"{source.name}: {source.prefix}{room}" if source.name else room
        raise CommandError(f"{where} is refused: {exc}") from None
    return layer


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """Never called: what layers are built around to see whether they can be."""


def package_of_the_process() -> str:
    """The name of this package that the application uses: `middlewares`, or `asgi_middlewares`.

    They are two sets of modules: where the application has loaded one, the layers are the classes that it knows, in
    messages and warnings, too. What layers tell code, such as the request's id, both names see (`_http.shared`).
    """
    own = __name__.partition(".")[0]
    other = "middlewares" if own == "asgi_middlewares" else "asgi_middlewares"
    module = sys.modules.get(other)
    # The application may have a folder of that name.
    is_ours = getattr(module, "__version__", None) == __version__ and "wrap" in getattr(module, "__all__", ())
    return other if is_ours else own
