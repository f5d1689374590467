"""The part `server`: requests per second on uvicorn through whole stacks, and the server's CPU time for each.

One uvicorn serves each stack under a path of its own (`python -m benchmarks.server serve <port>`); another process asks
over eight connections (`... ask <port>`). Every stack is asked in short turns, and shown with its best one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from . import apps
from .loop import process, started
from .report import Table, judged
from .sessions import begun, reading
from .stack import ALL, CHEAPEST, OURS, PASSING, PEERS, STACKS

CONNECTIONS = 8
TURNS = 8
_NAMES = ["bare", PASSING, PEERS, CHEAPEST, OURS, ALL]
_APPS = {"untouched": apps.bare, "read": reading}


def tables(*, seconds: float) -> list[Table]:
    """One table: 100 bytes of JSON, the session untouched or read.

    Args:
        seconds: How long every stack is asked, over all its turns.

    Raises:
        RuntimeError: An answer is not the one that is asked for.
    """
    best: dict[tuple[str, str], dict[str, float]] = {}
    with started("server") as port, process("server", "ask", port) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        for _ in range(TURNS):  # no stack all at once: what is busy for a while does not spoil one alone
            for kind in _APPS:
                for name in _NAMES:
                    asking.stdin.write(json.dumps({"head": _head(kind, name), "seconds": seconds / TURNS}) + "\n")
                    asking.stdin.flush()
                    line = asking.stdout.readline()
                    if not line:
                        raise RuntimeError(f"{name} does not do its work, so it is not timed: {kind}")
                    seen = json.loads(line)
                    kept = best.setdefault((kind, name), seen)
                    kept["rate"] = max(kept["rate"], seen["rate"])
                    kept["cpu"] = min(kept["cpu"], seen["cpu"])
    rows: list[list[Any]] = []
    for kind in _APPS:
        bare = best[kind, "bare"]
        for name in _NAMES:
            seen = best[kind, name]
            ratio = seen["rate"] / bare["rate"]
            row = [f"{name}, session {kind}", round(seen["rate"]), round(ratio, 3), round(seen["cpu"], 1)]
            if name == OURS and kind == "untouched":
                row += [0.65, 0.75, judged(-ratio, -0.65, -0.75)]
            rows.append(row)
    return [
        Table(
            title=f"100 bytes of JSON from uvicorn over {CONNECTIONS} connections, best of {TURNS} turns",
            columns=["layers", "requests/s", "of bare", "us of CPU each", "must", "aim", ""],
            rows=rows,
            note="wall clock and two processes: compare rows of one run",
        )
    ]


def _head(kind: str, name: str) -> str:
    """The request, with a session that the layers have begun; theirs is made here, with the same key."""
    scope = apps.CROSS_ORIGIN
    if name not in ("bare", PASSING):
        scope = begun(STACKS[name], scope)
    lines = [
        f"GET /{kind}/{_NAMES.index(name)} HTTP/1.1",
        *(f"{k.decode()}: {v.decode()}" for k, v in scope["headers"]),
    ]
    return "\r\n".join([*lines, "", ""])


# The client


class _Asking(asyncio.Protocol):
    """One connection: asks again as soon as an answer is there, until it is told to end."""

    def __init__(self, head: bytes, end: float, ended: asyncio.Future[int]) -> None:
        self._head, self._end, self._ended = head, end, ended
        self._count, self._length, self._have = 0, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self._head)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._have += data
        if not self._length:
            head, found, _ = self._have.partition(b"\r\n\r\n")
            if not found:
                return
            self._length = len(head) + 4 + len(apps.BODY)
        if len(self._have) < self._length:
            return
        # Every answer of a stack is as long as the first one, but for the digits of times: the body tells.
        if not self._have.startswith(b"HTTP/1.1 200") or not self._have.endswith(apps.BODY):
            self._ended.set_exception(RuntimeError(f"not the answer: {self._have!r}"))
            self._transport.close()
            return
        self._have, self._length = b"", 0
        self._count += 1
        if time.perf_counter() < self._end:
            self._transport.write(self._head)  # type: ignore[attr-defined]
        else:
            self._transport.close()
            self._ended.set_result(self._count)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(RuntimeError("the connection ended"))


async def _asked(port: int, head: bytes, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    before = await _used(port)
    start = time.perf_counter()
    counts = [loop.create_future() for _ in range(CONNECTIONS)]
    for count in counts:
        await loop.create_connection(lambda count=count: _Asking(head, start + seconds, count), "127.0.0.1", port)
    total = sum(await asyncio.gather(*counts))
    took = time.perf_counter() - start
    return {"rate": total / took, "cpu": (await _used(port) - before) / total / 1000}


async def _used(port: int) -> int:
    """The CPU time that the server has used, in ns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /cpu HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return int(answer.rpartition(b"\r\n\r\n")[2])


def ask_as_told(port: int) -> None:
    """For each line of standard input (what to send, and how long): ask, and print what was seen."""
    import uvloop

    for line in sys.stdin:
        told = json.loads(line)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(_asked(port, told["head"].encode(), told["seconds"]))), flush=True)


# The server


class Served:
    """`/<untouched or read>/<index>` through each stack, `/cpu` for the CPU time of the process."""

    def __init__(self) -> None:
        self._stacks = {
            f"/{kind}/{index}": STACKS[name](app) if name in STACKS else app
            for kind, app in _APPS.items()
            for index, name in enumerate(_NAMES)
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request to its stack."""
        if scope["path"] != "/cpu":
            await self._stacks[scope["path"]](scope, receive, send)
            return
        used = b"%d" % time.process_time_ns()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(used))]})
        await send({"type": "http.response.body", "body": used, "more_body": False})


def serve(port: int) -> None:
    """Serve until terminated."""
    import uvicorn

    uvicorn.run(Served(), host="127.0.0.1", port=port, lifespan="off", log_level="warning", access_log=False)


if __name__ == "__main__":
    {"serve": serve, "ask": ask_as_told}[sys.argv[1]](int(sys.argv[2]))
