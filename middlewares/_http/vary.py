"""The Vary field (RFC 9110 12.5.5)."""

from __future__ import annotations

from .headers import Header


def add_vary(headers: list[Header], *names: bytes) -> None:
    """Add field names to Vary, in place: into the last Vary line if there is one, none twice, none beside `*`."""
    last = -1
    present: set[bytes] = set()
    for index, (name, value) in enumerate(headers):
        if len(name) == 4 and name.lower() == b"vary":
            last = index
            present.update([member.strip(b" \t").lower() for member in value.split(b",")])
    if last < 0:
        headers.append((b"vary", b", ".join(names)))
        return
    if b"*" in present:  # RFC 9110 12.5.5: `*` already says "anything"
        return
    missing = [name for name in names if name.lower() not in present]
    if missing:
        name, value = headers[last]
        value = value.rstrip(b" \t,")
        headers[last] = (name, b", ".join([value, *missing] if value else missing))
