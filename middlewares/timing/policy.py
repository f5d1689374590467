"""What a response tells about its timing: fields made of durations, and what the configuration allows. Bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .._http.headers import Header
from .._http.lists import is_token
from .spans import Timed

# Many servers and proxies give up at 8 KiB of header, so that no span may ever break a response.
_MOST_BYTES = 7999
_LONGEST_NAME, _LONGEST_DESC = 100, 250
_MOST_KEPT = 1000
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


# They are compared as they stand: https://www.w3.org/TR/resource-timing/#sec-timing-allow-origin.
_ORIGIN = (
    r"\*|null|(?P<scheme>[a-z][a-z0-9+.-]*)://(?:\[[0-9a-f:.]+\]|[^\x00- \x7fA-Z/\\?#@,:*\[\]]+)"
    r"(?::(?P<port>0|[1-9][0-9]{0,4}))?"
)
_OWN_PORTS = {"http": 80, "https": 443}


class Fields(dict[int, Header]):
    """Our field of a response without spans, by the time to its start in units of the last digit that is shown.

    Each is formatted once, as most responses start within the few units that are kept.
    """

    __slots__ = ("_entry", "_name", "_unit")

    def __init__(self, name: bytes, entry: bytes, unit: int) -> None:
        self._name, self._entry, self._unit = name, entry, unit

    def __missing__(self, units: int) -> Header:
        field = (self._name, self._entry % (units * self._unit / 1e6))
        if units < _MOST_KEPT:
            self[units] = field
        return field


class TimingPolicy:
    """The fields of one configuration.

    Attributes:
        name: The lower-case name of the field; empty for none.
        unit: The nanoseconds of the last digit that is shown.
        half: Half of them, for rounding.
        fields: Our field without spans, by units. `at_start` says how it is found.
        allow_origin: The Timing-Allow-Origin pair, None for none.
    """

    __slots__ = ("_entry", "_total", "allow_origin", "fields", "half", "name", "unit")

    def __init__(
        self, *, header: str | None, metric: str, precision: int, timing_allow_origin: str | Iterable[str] | None
    ) -> None:
        self.name = b"" if header is None else checked_token("header", header).lower()
        own = checked_token("metric", metric)
        if len(own) > _LONGEST_NAME:
            raise ValueError(f"metric must have at most {_LONGEST_NAME} characters (got {len(own)})")
        if type(precision) is not int:
            raise TypeError(f"precision must be a whole number of digits (got {precision!r})")
        if not 0 <= precision <= 9:
            raise ValueError(f"precision must be 0 to 9 digits after the point of milliseconds (got {precision!r})")
        dur = b";dur=%%.%df" % precision
        self._entry = b", %b" + dur
        self._total = b"total" + dur
        self.unit = 10 ** max(6 - precision, 0)  # the clock has no digits after nanoseconds
        self.half = self.unit // 2
        self.fields = Fields(self.name, own.replace(b"%", b"%%") + dur, self.unit)
        self.allow_origin = None if timing_allow_origin is None else _allow_origin(timing_allow_origin)

    def at_start(self, elapsed: int) -> Header:
        """The field as the response starts, after so many nanoseconds, without spans."""
        return self.fields[(elapsed + self.half) // self.unit]

    def traced(self, field: Header, traceparent: str) -> Header:
        """The field with the entry `traceparent`."""
        return (self.name, field[1] + b', traceparent;desc="' + traceparent.encode("ascii") + b'"')

    def joined(self, field: Header, spans: Iterable[Timed], headers: Iterable[Header] = ()) -> Header:
        """The field with the entries of spans: each name once, in the order of first appearance.

        An entry for which no room is left is left out; what the application says in `headers` leaves less of it.
        """
        name, value = field
        room = _MOST_BYTES
        for key, other in headers:
            if len(key) == len(name) and key.lower() == name:
                room -= len(other) + 2
        sums: dict[bytes, Timed] = {}
        for timed in spans:
            key = entry_names[timed[0]]
            sums[key] = _sum(sums[key], timed) if key in sums else timed
        entries = [value]
        for key, (_, duration, desc) in sums.items():
            entry = b", " + key if duration is None else self._entry % (key, duration * 1000)
            if desc is not None:
                entry += b";desc=" + quoted(desc)
            entries.append(entry)
        joined = b"".join(entries)
        return (name, joined if len(joined) <= room else _cut(entries, room))

    def at_end(self, seconds: float, late: Iterable[Timed]) -> Header:
        """The field in the trailers: the whole time, and the spans that ended after the start."""
        return self.joined((self.name, self._total % (seconds * 1000)), late)


def _cut(entries: list[bytes], room: int) -> bytes:
    """The first entry, and each of the others for which room is left."""
    own, *others = entries
    room -= len(own)
    for entry in others:
        if len(entry) <= room:
            room -= len(entry)
            own += entry
    return own


def _sum(first: Timed, second: Timed) -> Timed:
    name, duration, desc = first
    _, more, other = second
    if duration is None or more is None:
        duration = more if duration is None else duration
    else:
        duration += more
    return (name, duration, other if desc is None else desc)


def checked_token(keyword: str, value: object) -> bytes:
    """A keyword as the bytes of a token.

    Raises:
        TypeError: It is no str.
        ValueError: It is no token (RFC 9110 5.6.2).
    """
    if not isinstance(value, str):
        raise TypeError(f"{keyword} must be a str (got {value!r})")
    encoded = value.encode("utf-8", "surrogatepass")
    if not is_token(encoded):
        raise ValueError(f"{keyword} must be a token of letters, digits and !#$%&'*+-.^_`|~ (got {value!r})")
    return encoded


class _EntryNames(dict[str, bytes]):
    """Names as tokens: every other character becomes `_`. https://www.w3.org/TR/server-timing/: metric-name."""

    def __missing__(self, name: str) -> bytes:
        repaired = "".join([c if c in _TOKEN_CHARACTERS else "_" for c in name[:_LONGEST_NAME]])
        token = repaired.encode("ascii") or b"_"
        if len(name) <= _LONGEST_NAME:
            if len(self) >= _MOST_KEPT:
                self.clear()  # some of them are made up for each request
            self[name] = token
        return token


entry_names = _EntryNames()


def quoted(desc: str) -> bytes:
    r"""A quoted-string (RFC 9110 5.6.4) in visible ASCII: a control becomes a space, any other character `?`."""
    text = "".join([c if " " <= c <= "~" else " " if c < " " or c == "\x7f" else "?" for c in desc[:_LONGEST_DESC]])
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'


def _allow_origin(origins: Any) -> Header:
    try:
        values: tuple[Any, ...] = (origins,) if isinstance(origins, str) else tuple(origins)
    except TypeError:
        raise TypeError(f"timing_allow_origin must be an origin, a list, '*' or None (got {origins!r})") from None
    found: list[bytes] = []
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"timing_allow_origin must hold each origin as str (got {value!r})")
        match = re.fullmatch(_ORIGIN, value) if value.isascii() else None  # compiled here, as few need it
        port = match and match["port"]
        if not match or (port and (int(port) > 65535 or int(port) == _OWN_PORTS.get(match["scheme"]))):
            raise ValueError(
                "timing_allow_origin must hold origins as browsers send them, in lower case, without a slash at "
                "the end, patterns and the scheme's own port, like 'https://app.example', or '*' "
                f"(got {value!r})"
            )
        found.append(value.encode("ascii"))
    if not found:
        raise ValueError("timing_allow_origin must hold an origin; None sends no header (got an empty list)")
    return (b"timing-allow-origin", b", ".join(found))
