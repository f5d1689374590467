"""The Vary field (RFC 9110 12.5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lists import members

if TYPE_CHECKING:
    from .headers import Header

_MOST_LINES = 256


def add_vary(headers: list[Header], *names: bytes) -> None:
    """Add field names to Vary, in place: into the last Vary line if there is one, none twice, none beside `*`."""
    lines = _lines(headers)
    if not lines:
        headers.append((b"vary", b", ".join(names)))
        return
    *earlier, last = lines
    name, value = headers[last]
    headers[last] = (name, _joined(value, names, *(headers[index][1] for index in earlier)))


class Varied(dict[bytes, bytes]):
    """The one Vary line of a response -> the same with `names` added, for the lines that came.

    What an application says of its answers is nearly always the same. It makes no difference but for the time.
    """

    def __init__(self, *names: bytes) -> None:
        super().__init__()
        self.names = names

    def add_to(self, headers: list[Header]) -> None:
        """Do what `add_vary` does, of one line by what is known of it."""
        lines = _lines(headers)
        if len(lines) == 1:
            name, value = headers[lines[0]]
            headers[lines[0]] = (name, self[value])
        else:
            add_vary(headers, *self.names)

    def __missing__(self, value: bytes) -> bytes:
        if len(self) >= _MOST_LINES:
            self.clear()
        self[value] = line = _joined(value, self.names)
        return line


def _lines(headers: list[Header]) -> list[int]:
    """Where Vary stands."""
    lines: list[int] = []  # no comprehension: before Python 3.12 that is a call of its own
    for index, (name, _) in enumerate(headers):
        if len(name) == 4 and name.lower() == b"vary":
            lines.append(index)
    return lines


def _joined(value: bytes, names: tuple[bytes, ...], *earlier: bytes) -> bytes:
    """The value of the last Vary line with `names` added, as far as no line has them yet."""
    present = {member.lower() for member in members([*earlier, value])}
    missing = [name for name in names if name.lower() not in present]
    if not missing or b"*" in present:  # RFC 9110 12.5.5: `*` already says "anything"
        return value
    value = value.rstrip(b" \t,")
    return b", ".join([value, *missing] if value else missing)
