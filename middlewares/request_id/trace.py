"""W3C Trace Context, level 2: which trace a request belongs to, and what its outgoing calls tell of it.

This is no tracer: nothing is recorded. The trace is carried on with a span id of its own for the request, and one for
each call that goes out, so that the traces of services with a tracer hold together across this one.

Source: https://www.w3.org/TR/trace-context-2/
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from .._http.lists import members

# version "-" trace-id "-" parent-id "-" flags, and what later versions may add behind a dash. Ids of zeros and version
# ff are invalid; upper case is, too. A header beyond 512 characters is "prohibitively large".
_is_traceparent = re.compile(
    rb"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-[ -~]{0,456})?"
).fullmatch

# key "=" value: the value may begin with spaces, and not end with one.
_is_member = re.compile(rb"[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]").fullmatch

_SAMPLED, _RANDOM = 0x01, 0x02
_MOST_MEMBERS, _MOST_CHARACTERS, _LARGE_MEMBER = 32, 512, 128


class Trace(NamedTuple):
    """What outgoing calls carry on: the trace-id, the flags, and the `tracestate` ("" for none)."""

    trace_id: str
    flags: str
    tracestate: str = ""

    def traceparent(self) -> str:
        """A `traceparent` of this trace, with a fresh parent-id."""
        return f"00-{self.trace_id}-{os.urandom(8).hex()}-{self.flags}"

    def headers(self) -> dict[str, str]:
        """The headers of one outgoing call. An empty `tracestate` is not sent."""
        headers = {"traceparent": self.traceparent()}
        if self.tracestate:
            headers["tracestate"] = self.tracestate
        return headers


def new_trace() -> Trace:
    """A trace that starts here: a random trace-id, and flags that say so. Not sampled: nothing records it."""
    return Trace(os.urandom(16).hex(), f"{_RANDOM:02x}")


def continued_trace(traceparents: list[bytes], tracestates: Iterable[bytes]) -> Trace | None:
    """The trace that the headers of a request belong to; None where they name none, or not exactly one.

    Without a valid `traceparent`, `tracestate` is not looked at.
    """
    found = _is_traceparent(traceparents[0].strip(b" \t")) if len(traceparents) == 1 else None
    if found is None or (found["version"] == b"00" and found["more"] is not None):
        return None
    # Flags of later versions are not known here, and have to be sent as 0.
    flags = int(found["flags"], 16) & (_SAMPLED | _RANDOM)
    return Trace(found["trace"].decode("ascii"), f"{flags:02x}", carried_tracestate(tracestates))


def carried_tracestate(lines: Iterable[bytes]) -> str:
    """The `tracestate` to carry on; "" where a member is invalid or there are more than 32.

    The members stay as they are and in their order, a key that comes twice as well: they belong to others.
    """
    found = members(lines)
    if len(found) > _MOST_MEMBERS or not all(map(_is_member, found)):
        return ""
    # "Tracestate limits": whole members go, those over 128 characters first, then from the end.
    large = [index for index, member in enumerate(found) if len(member) > _LARGE_MEMBER]
    while len(b",".join(found)) > _MOST_CHARACTERS:
        del found[large.pop() if large else -1]
    return b",".join(found).decode("ascii")
