"""The guard against slow changes: what each room does per request, counted, and compared with a kept baseline.

Not a time, which no two runs share: bytecode instructions of Python, and calls of Python and C functions, over those of
the bare application. The same code on the same minor version of Python gives the same counts on every machine. What
happens inside of a C function (coding a body, a hash) is one call here: `python -m benchmarks` measures that.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from middlewares import (
    CompressionMiddleware,
    CORSMiddleware,
    DecompressionMiddleware,
    RequestIDMiddleware,
    ServerErrorMiddleware,
    TimingMiddleware,
)

from . import apps
from .bodies import body
from .compression import serving
from .harness import App, receive, send
from .layers import COOKIES
from .sessions import begun, ours, reading, writing
from .stack import WITH_TAG, not_modified, our_all, our_five

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.02
"""By how much a count may exceed the baseline: what another patch version of Python can do."""

REQUESTS = 64
"""As many as the ids that one call of the system is made for."""


class Count(NamedTuple):
    """What one request takes, on average of `REQUESTS`."""

    instructions: float
    calls: float


class Case(NamedTuple):
    """An application behind a layer, a request, and the application alone."""

    app: App
    scope: dict[str, Any]
    bare: App


def cases() -> dict[str, Case]:
    """What is counted: each room with nothing to do and with its work, and the whole stack."""
    get = apps.CROSS_ORIGIN
    session = begun(ours, get)
    document = serving("JSON", body("JSON", 10_000))
    return {
        "request id, new": Case(RequestIDMiddleware(apps.bare), get, apps.bare),
        "request id, adopted": Case(RequestIDMiddleware(apps.bare), apps.WITH_ID, apps.bare),
        "timing": Case(TimingMiddleware(apps.bare), get, apps.bare),
        "timing, a record": Case(TimingMiddleware(apps.bare, on_complete=_nothing), get, apps.bare),
        "CORS": Case(CORSMiddleware(apps.bare, **COOKIES), get, apps.bare),
        "CORS, same origin": Case(CORSMiddleware(apps.bare, **COOKIES), apps.SAME_ORIGIN, apps.bare),
        "CORS, preflight": Case(CORSMiddleware(apps.failing, **COOKIES), apps.PREFLIGHT, apps.silent),
        "server errors": Case(ServerErrorMiddleware(apps.bare), get, apps.bare),
        "compression, small body": Case(CompressionMiddleware(apps.bare), get, apps.bare),
        "compression, zstd": Case(CompressionMiddleware(document), get, document),
        "compression, 304": Case(CompressionMiddleware(not_modified), WITH_TAG, not_modified),
        "decompression, no body": Case(DecompressionMiddleware(apps.bare), get, apps.bare),
        "session, not touched": Case(ours(apps.bare), session, apps.bare),
        "session, read": Case(ours(reading), session, reading),
        "session, written": Case(ours(writing), session, writing),
        "five rooms": Case(our_five(apps.bare), session, apps.bare),
        "five rooms, session read": Case(our_five(reading), session, reading),
        "seven rooms": Case(our_all(apps.bare), session, apps.bare),
    }


def _nothing(_record: Any) -> None:
    pass


def _drive(app: App, scope: dict[str, Any]) -> None:
    """One request, without an event loop: nothing here waits for anything."""
    running: Any = app({**scope, "headers": scope["headers"].copy(), "state": {}}, receive, send)
    try:
        running.send(None)
    except StopIteration:
        return
    raise RuntimeError(f"{app!r} waits: what it does cannot be counted")


def counted(app: App, scope: dict[str, Any]) -> Count:
    """What one request takes, once all that is made on first use is there."""
    instructions = calls = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        nonlocal instructions
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        instructions += event == "opcode"
        return trace

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.gettrace(), sys.getprofile()
    sys._getframe().f_trace_opcodes = True  # noqa: SLF001 - Python 3.12 has to know it before `settrace`
    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        # What is made on first use is made before it counts.
        for _ in range(REQUESTS):
            _drive(app, scope)
        instructions = calls = 0
        for _ in range(REQUESTS):
            _drive(app, scope)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return Count(instructions / REQUESTS, calls / REQUESTS)


def measured() -> dict[str, Count]:
    """What each case takes over its bare application."""
    found: dict[str, Count] = {}
    for name, (app, scope, bare) in cases().items():
        ours, over = counted(app, scope), counted(bare, scope)
        found[name] = Count(round(ours.instructions - over.instructions, 1), round(ours.calls - over.calls, 1))
    return found


def judged(found: dict[str, Count], kept: dict[str, Sequence[float]]) -> tuple[list[str], bool]:
    """A line for each case, and whether none takes more than is kept."""
    lines = [f"{'':26} {'instructions':>12} {'kept':>8} {'calls':>7} {'kept':>7}"]
    holds = found.keys() == kept.keys()
    for name, now in found.items():
        before = kept.get(name)
        if before is None:
            lines.append(f"{name:26} {now.instructions:12.1f} {'-':>8} {now.calls:7.1f} {'-':>7}  not in the baseline")
            continue
        changes = [one / other - 1 if other else float(one > 0) for one, other in zip(now, before, strict=True)]
        verdict = "  MORE" if max(changes) > TOLERANCE else "  less" if min(changes) < -TOLERANCE else ""
        holds = holds and not verdict.endswith("MORE")
        lines.append(f"{name:26} {now.instructions:12.1f} {before[0]:8.1f} {now.calls:7.1f} {before[1]:7.1f}{verdict}")
    lines += [f"{name:26} is in the baseline, and not counted any more" for name in kept if name not in found]
    return lines, holds


def main(arguments: Sequence[str] | None = None, baseline: Path = BASELINE) -> int:
    """Count, compare, and say what to do: 0 if nothing takes more than the baseline of this Python says, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description="Counts, and compares.")
    parser.add_argument("--write", action="store_true", help="keep what is counted as the baseline of this Python")
    options = parser.parse_args(arguments)
    python = "{}.{}".format(*sys.version_info)
    kept: dict[str, Any] = json.loads(baseline.read_text()) if baseline.exists() else {}
    found = measured()
    lines, holds = judged(found, kept.get(python, {}))
    print(f"Python {python}: per request, over the bare application", *lines, sep="\n")
    if options.write:
        kept[python] = found
        baseline.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
        print(f"kept in {baseline.name}")
        return 0
    if not holds:
        print(f"More than {TOLERANCE:.0%} above the baseline, or other cases. Worth it? make bench-check ARGS=--write")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
