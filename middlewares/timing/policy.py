"""What a response tells about its timing: fields made of durations, and what the configuration allows. Bytes out."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from .._http.headers import Header
from .._http.lists import is_token
from .spans import Timed

# Many servers and proxies give up at 8 KiB of header, so that no span may ever break a response.
_MOST_BYTES = 7999
_LONGEST_NAME, _LONGEST_DESC = 100, 250
_TOKEN_CHARACTERS = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class TimingPolicy:
    """The fields of one configuration.

    Attributes:
        name: The lower-case name of the field, None for none.
        own: Our entry, to be formatted with milliseconds.
        allow_origin: The Timing-Allow-Origin pair, None for none.
    """

    __slots__ = ("_dur", "_total", "allow_origin", "name", "own")

    def __init__(
        self, *, header: str | None, metric: str, precision: int, timing_allow_origin: str | Iterable[str] | None
    ) -> None:
        self.name = None if header is None else checked_token("header", header).lower()
        own = checked_token("metric", metric)
        if len(own) > _LONGEST_NAME:
            raise ValueError(f"metric must have at most {_LONGEST_NAME} characters (got {len(own)})")
        if type(precision) is not int:
            raise TypeError(f"precision must be a whole number of digits (got {precision!r})")
        if not 0 <= precision <= 9:
            raise ValueError(f"precision must be 0 to 9 digits after the point of milliseconds (got {precision!r})")
        self._dur = b";dur=%%.%df" % precision
        self.own = own.replace(b"%", b"%%") + self._dur
        self._total = b"total" + self._dur
        self.allow_origin = None if timing_allow_origin is None else _allow_origin(timing_allow_origin)

    def at_start(self, seconds: float, spans: Iterable[Timed], traceparent: str | None = None, taken: int = 0) -> bytes:
        """The value of the field as the response starts; `taken` bytes of the application's stand before it."""
        value = self.own % (seconds * 1000)
        if traceparent is not None:
            value += b', traceparent;desc="' + traceparent.encode("ascii") + b'"'
        return self._joined(value, spans, taken) if spans else value

    def at_end(self, seconds: float, late: Iterable[Timed]) -> bytes:
        """The value of the field in the trailers: the whole time, and the spans that ended after the start."""
        return self._joined(self._total % (seconds * 1000), late, 0)

    def _joined(self, value: bytes, spans: Iterable[Timed], taken: int) -> bytes:
        """Each name once, in the order of first appearance; an entry for which no room is left is left out."""
        sums: dict[bytes, tuple[float | None, str | None]] = {}
        for name, duration, desc in spans:
            known = sums.get(key := entry_name(name))
            if known is not None:
                duration = known[0] if duration is None else duration + (known[0] or 0.0)  # noqa: PLW2901
                desc = desc if known[1] is None else known[1]  # noqa: PLW2901
            sums[key] = (duration, desc)
        room = _MOST_BYTES - taken - len(value)
        for key, (duration, desc) in sums.items():
            entry = b", " + key
            if duration is not None:
                entry += self._dur % (duration * 1000)
            if desc is not None:
                entry += b";desc=" + quoted(desc)
            if len(entry) <= room:
                room -= len(entry)
                value += entry
        return value


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


@lru_cache(maxsize=512)
def entry_name(name: str) -> bytes:
    """A name as a token: every other character becomes `_`. https://www.w3.org/TR/server-timing/: metric-name."""
    repaired = "".join([c if c in _TOKEN_CHARACTERS else "_" for c in name[:_LONGEST_NAME]])
    return repaired.encode("ascii") or b"_"


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
        if not value or not all("!" <= c <= "~" and c != "," for c in value):
            raise ValueError(
                f"timing_allow_origin must hold origins like 'https://app.example', or '*' (got {value!r})"
            )
        found.append(value.encode("ascii"))
    if not found:
        raise ValueError("timing_allow_origin must hold an origin; None sends no header (got an empty list)")
    return (b"timing-allow-origin", b", ".join(found))
