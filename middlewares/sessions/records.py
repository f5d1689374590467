"""What is kept of a session: its data as bytes behind an envelope of times, and the change between two such states."""

from __future__ import annotations

import marshal
import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, TypeAlias

AS_CONFIGURED = -1
"""`Envelope.max_age` of a session that has no age of its own."""
UNTIL_CLOSED = -2
"""`Envelope.max_age` of a session that ends with the session of the browser."""

MAX_SECONDS = 2**31 - 1

# After a byte that tells the form: created, issued, max_age. Seconds since 1970 fit until 2106.
_FORM = b"\x01"
_TIMES = struct.Struct(">IIi")
_HEAD = 1 + _TIMES.size


class Envelope(NamedTuple):
    """The times of a session, in seconds since 1970, and the age of its own, if it has one."""

    created: int
    issued: int
    max_age: int = AS_CONFIGURED


def pack(envelope: Envelope, data: bytes) -> bytes:
    """Envelope and data as one piece. Without data it says that the session has ended."""
    return _FORM + _TIMES.pack(*envelope) + data


def ended_by(mark: bytes) -> bytes:
    """A session that has ended, with the first bytes of a mark in place of the times: who has ended it can tell."""
    return _FORM + mark[: _TIMES.size]


def unpack(record: bytes) -> tuple[Envelope, bytes] | None:
    """The other way round; None where the bytes are none of ours, or the session has ended."""
    if len(record) <= _HEAD or record[0] != _FORM[0]:
        return None
    created, issued, max_age = _TIMES.unpack_from(record, 1)
    return Envelope(created, issued, max_age), record[_HEAD:]


# Of a Session as well, without asking it.
_items: Callable[[Any], Iterable[tuple[str, Any]]] = dict.items  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]

Snapshot: TypeAlias = dict[str, Any] | bytes | None
_IMMUTABLE = frozenset([str, int, float, bool, type(None)])
_EXACT = _IMMUTABLE - {float}  # 0.0 == -0.0
_MISSING = object()


def snapshot(data: dict[str, Any]) -> Snapshot:
    """What `is_same` needs to see later whether something in the data has changed, at little cost."""
    for value in data.values():
        if value.__class__ not in _IMMUTABLE:
            return _marshalled(data)
    return data


def is_same(data: dict[str, Any], before: Snapshot) -> bool:
    """Whether it is certain that the data is as it was; False says nothing."""
    if not isinstance(before, dict):
        return before is not None and before == _marshalled(data)
    left = len(before)
    for key, value in _items(data):
        # By identity: these values cannot change, and to Python 1 == True == 1.0.
        if before.get(key, _MISSING) is not value:
            return False
        left -= 1
    return left == 0


def _marshalled(data: dict[str, Any]) -> bytes | None:
    try:
        return marshal.dumps([*_items(data)], 2)  # later forms depend on how often an object is used
    except ValueError:  # a value that is no plain one, which a serializer of yours may make
        return None


class Serializer(Protocol):
    """What `serializer` takes: the module `json`, `orjson`, `msgspec.json` behind two methods, or one of your own."""

    @property
    def dumps(self) -> Callable[[Any], bytes | str]:
        """A dict as bytes or text."""
        ...

    @property
    def loads(self) -> Callable[[bytes], Any]:
        """The bytes as a dict."""
        ...


class Codec:
    """The data of a session as bytes, by a serializer; None is JSON, our own (`is_json`)."""

    __slots__ = ("_dumps", "_loads", "is_json")

    def __init__(self, serializer: Serializer | None) -> None:
        self.is_json = serializer is None
        if serializer is None:
            serializer = _JSON()
        for name in ("dumps", "loads"):
            if not callable(getattr(serializer, name, None)):
                raise TypeError(
                    f"serializer must be an object with dumps and loads, or None for JSON (got {serializer!r})"
                )
        self._dumps, self._loads = serializer.dumps, serializer.loads

    def dumps(self, data: dict[str, Any]) -> bytes:
        """The data as bytes.

        Raises:
            TypeError, ValueError: a value cannot be stored; a note names its key.
        """
        plain = dict(_items(data))  # of a Session as well: no serializer has to know that
        try:
            dumped = self._dumps(plain)
        except Exception as error:
            self._explain(plain, error)
            if isinstance(error, RecursionError):  # a RuntimeError to Python
                raise ValueError("the session is nested too deeply, or holds itself") from None  # noqa: TRY004
            raise
        if isinstance(dumped, str):
            dumped = dumped.encode()
        return dumped

    def _explain(self, data: dict[str, Any], error: Exception) -> None:
        for key, value in data.items():
            try:
                self._dumps({key: value})
            except Exception:  # noqa: BLE001 - whatever it is, `error` goes up
                error.add_note(f"raised for session[{key!r}]")
                return

    def loads(self, data: bytes) -> dict[str, Any] | None:
        """The data; None where the bytes are not what `dumps` gives for a session that holds something."""
        try:
            loaded = self._loads(data)
        except Exception:  # noqa: BLE001 - ValueError, RecursionError, and whatever a serializer of yours raises
            return None
        return loaded if loaded and isinstance(loaded, dict) else None  # pyright: ignore[reportUnknownVariableType]


class Delta(NamedTuple):
    """What a request did to the keys of a session."""

    put: dict[str, Any]
    removed: list[str]

    def applied(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data with the same done to it."""
        return {**{key: value for key, value in data.items() if key not in self.removed}, **self.put}


def delta(codec: Codec, before: bytes, after: bytes) -> Delta | None:
    """The change from one serialised state to another; None if there is none.

    Values are compared as they are stored: to Python `1 == True == 1.0`, and `nan != nan`.
    """
    if before == after:
        return None
    old, new = codec.loads(before) or {}, codec.loads(after)
    if new is None:
        raise ValueError("serializer.loads must give back the dict that serializer.dumps was given")
    put = {key: value for key, value in new.items() if key not in old or not _is_stored_alike(codec, old[key], value)}
    removed = [key for key in old if key not in new]
    return Delta(put, removed) if put or removed else None


def _is_stored_alike(codec: Codec, one: Any, other: Any) -> bool:
    if one.__class__ is other.__class__ and one.__class__ in _EXACT:
        return bool(one == other)
    return codec.dumps({"": one}) == codec.dumps({"": other})


class _JSON:
    """JSON of the standard library, without white space: at half the time of `json.dumps` and `json.loads`."""

    def __init__(self) -> None:
        import json

        self.dumps = json.JSONEncoder(separators=(",", ":")).encode
        self._raw_decode = json.JSONDecoder().raw_decode

    def loads(self, data: bytes) -> Any:
        text = data.decode()
        loaded, end = self._raw_decode(text)
        return loaded if end == len(text) else None
