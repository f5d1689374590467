"""The generators that have a name. All of them draw from the system's source of randomness.

So ids are unique across threads and processes, under a clock that stands or goes back, and whatever seeds `random`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U

# One call of the system costs as much as a third of this middleware, so it is made for 64 ids at once. Each id is taken
# out once, by one thread (`list.pop` is atomic), and a forked child begins with none of its parent's.
_drawn: list[str] = []
if hasattr(os, "register_at_fork"):  # pragma: no branch: Windows has it not, and cannot fork
    os.register_at_fork(after_in_child=_drawn.clear)


def hex_id() -> str:
    """128 random bits as 32 hexadecimal digits."""
    try:
        return _drawn.pop()
    except IndexError:
        first, *others = os.urandom(64 * 16).hex("-", 16).split("-")
        _drawn.extend(others)
        return first


def uuid4() -> str:
    """A random UUID (RFC 9562 5.4)."""
    return _uuid(bytearray(os.urandom(16)), 0x40)


def uuid7() -> str:
    """A UUID that sorts by its time in milliseconds, with 74 random bits (RFC 9562 5.7)."""
    return _uuid(bytearray(_milliseconds() + os.urandom(10)), 0x70)


def ulid() -> str:
    """A ULID: 48 bits of time in milliseconds, 80 random bits, in 26 characters of Crockford's base 32.

    Source: https://github.com/ulid/spec. Its optional monotonic counter is left out: state, for no more uniqueness.
    """
    number = int.from_bytes(_milliseconds() + os.urandom(10), "big")
    return "".join([_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5)])


def _uuid(octets: bytearray, version: int) -> str:
    octets[6] = octets[6] & 0x0F | version
    octets[8] = octets[8] & 0x3F | 0x80  # RFC 9562 4.1: the variant, 10
    text = octets.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _milliseconds() -> bytes:
    # Masked: a clock before 1970 or after 10889 gives an odd time, and no exception.
    return (time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF).to_bytes(6, "big")


GENERATORS: dict[str, Callable[[], str]] = {"hex": hex_id, "uuid4": uuid4, "uuid7": uuid7, "ulid": ulid}
