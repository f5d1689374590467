"""The part `memory`: what a stream of 200 MB takes, and what each open event stream holds.

Each figure comes from a process of its own: `python -m benchmarks.memory <what> <series> <count>` prints it as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

from .bodies import body
from .compression import CODERS, INCREMENTAL, Coder, scope_for
from .report import Table, judged

_PIECE = 65_536
_EVENTS = 20
_TIMEOUT = 600


def tables(*, megabytes: int, streams: int) -> list[Table]:
    """One table of a long stream, one of many open event streams.

    Raises:
        RuntimeError: A layer does not do its work: what it takes would say nothing.
    """
    rows: list[list[Any]] = []
    for coder in CODERS:
        seen = _probe("stream", coder, megabytes)
        peak, growth = seen["peak"] / 1e6, seen["growth"] / 1e6
        row = [str(coder), round(seen["sent"] / 1e6, 1), round(peak, 2), round(growth, 1)]
        if coder.is_ours:
            row += [8.0, 64.0, judged(max(peak / 8, growth / 64), 1.0, None)]
        rows.append(row)
    long = Table(
        title=f"a stream of {megabytes} MB of JSON in pieces of 64 KiB",
        columns=["layer", "MB sent", "MB held by Python", "MB grown", "must", "must", ""],
        rows=rows,
    )

    bare = _probe("events", None, streams)["growth"]
    rows = []
    for coder in CODERS:
        seen = _probe("events", coder, streams)
        if not seen["coded"]:
            rows.append([str(coder), None, "does not compress event streams"])
            continue
        held = (seen["growth"] - bare) / streams / 1000
        row = [str(coder), round(held, 1), f"{seen['sent'] / streams:,.0f} bytes sent for {seen['plain']:,}"]
        if coder.is_ours:
            aim = 150.0 if coder.coding == "zstd" else None
            row += [300.0, aim, judged(held, 300.0, aim)]
        rows.append(row)
    events = Table(
        title=f"{streams} open event streams, after {_EVENTS} events each (bare: {bare / streams / 1000:,.1f} KB)",
        columns=["layer", "KB over bare for each", "work", "must", "aim", ""],
        rows=rows,
    )
    return [long, events]


def _probe(what: str, coder: Coder | None, count: int) -> dict[str, Any]:
    index = -1 if coder is None else CODERS.index(coder)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", what, str(index), str(count)],
        cwd=Path(__file__).parents[1],
        check=False,
        capture_output=True,
        timeout=_TIMEOUT,
    )
    if done.returncode:
        raise RuntimeError(f"{coder} does not do its work: {what}\n{done.stderr.decode(errors='replace')}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# In the process of a figure


def resident() -> int:
    """The bytes of this process in memory now; where the system does not tell, the most that there were."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS, in bytes
    return pages * os.sysconf("SC_PAGE_SIZE")


async def stream(coder: Coder, megabytes: int) -> dict[str, int]:
    """Send so much; the bytes that came of it, the most of Python's memory, and by how much the process grew."""
    content = body("JSON", 6_000_000)  # more than the windows of the defaults, so that it can begin again
    pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)]
    total = megabytes * 1_000_000
    names: list[bytes] = []
    sent = 0
    most = 0

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        nonlocal most
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        left = total
        for piece in itertools.cycle(pieces):
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            most = max(most, resident())
            await asyncio.sleep(0)  # as a real `send` would, now and then
            if left <= 0:
                return

    async def sink(message: Any) -> None:
        nonlocal sent
        names.extend(value for name, value in message.get("headers", ()) if name.lower() == b"content-encoding")
        sent += len(message.get("body", b""))

    wrapped = coder.wrap(app)
    gc.collect()
    before = resident()
    tracemalloc.start()
    await wrapped(scope_for(coder.coding), _never, sink)
    peak = tracemalloc.get_traced_memory()[1]
    if names != [coder.coding.encode("ascii")] or not 0 < sent < total:
        raise RuntimeError(f"{coder} does not compress a stream: {names}, {sent} bytes")
    return {"sent": sent, "peak": peak, "growth": most - before}


async def events(coder: Coder | None, count: int) -> dict[str, int | bool]:
    """Open so many event streams; by how much the process grew until each had sent some events."""
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    pieces = [b"id: %d\ndata: %b\n\n" % (number, body("JSON", 200 + number)) for number in range(_EVENTS)]
    ready = asyncio.Semaphore(0)
    sent = 0
    first: list[bytes] = []
    names: list[bytes] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        ready.release()
        await asyncio.Event().wait()

    async def sink(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))

    async def kept(message: Any) -> None:
        names.extend(value for name, value in message.get("headers", ()) if name.lower() == b"content-encoding")
        first.append(message.get("body", b""))

    wrapped = app if coder is None else coder.wrap(app)
    scope = scope_for(None if coder is None else coder.coding)
    tasks = [asyncio.create_task(wrapped(scope, _never, kept))]  # one before the clock: its imports and shared tables
    await ready.acquire()
    coded = b"".join(first)
    if names and coder is not None and INCREMENTAL[coder.coding](coded) != b"".join(pieces):
        raise RuntimeError(f"{coder} holds events back")
    before = resident()
    tasks += [
        asyncio.create_task(wrapped({**scope, "headers": list(scope["headers"]), "state": {}}, _never, sink))
        for _ in range(count)
    ]
    for _ in range(count):
        await ready.acquire()
    growth = resident() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"sent": sent, "plain": len(b"".join(pieces)), "growth": growth, "coded": bool(names)}


async def _never() -> None:
    await asyncio.Event().wait()


def probe(what: str, index: int, count: int) -> dict[str, Any]:
    """One figure, in the process at hand."""
    coder = None if index < 0 else CODERS[index]
    if what == "events" or coder is None:
        return asyncio.run(events(coder, count))
    return asyncio.run(stream(coder, count))


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
