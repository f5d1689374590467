"""The part `server`: requests per second on uvicorn through whole stacks, and the server's CPU time for each.

One uvicorn serves each stack under a path of its own (`python -m benchmarks.server serve <port>`); another process asks
over eight connections (`... ask <port>`). Every stack is asked in short turns, and shown with its best one.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any
from urllib.request import ProxyHandler, build_opener

from middlewares.testing import run

from . import apps
from .by_hand import five_by_hand
from .loop import process, started
from .report import Table, judged
from .sessions import begun, reading
from .stack import ALL, BY_HAND, CHEAPEST, OURS, PASSING, PEERS, STACKS, our_five

_opener = build_opener(ProxyHandler({}))  # whatever the environment says

CONNECTIONS = 8
TURNS = 24
SAME = "bare, with the headers of our five"
_APPS = {"untouched": apps.bare, "read": reading}
_NAMES = {
    "untouched": ["bare", SAME, PASSING, BY_HAND, PEERS, CHEAPEST, OURS, ALL],
    "read": ["bare", SAME, PASSING, PEERS, CHEAPEST, OURS, ALL],
}


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
                for name in _NAMES[kind]:
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
        for name in _NAMES[kind]:
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
    """The request, with a session that the layers have begun; made here, with the same key, and ours where none has."""
    scope = begun(our_five if name in ("bare", SAME, PASSING, BY_HAND) else STACKS[name], apps.CROSS_ORIGIN)
    lines = [
        f"GET /{kind}/{_NAMES[kind].index(name)} HTTP/1.1",
        *(f"{k.decode()}: {v.decode()}" for k, v in scope["headers"]),
    ]
    return "\r\n".join([*lines, "", ""])


# The client


def _asked(port: int, head: bytes, seconds: float) -> dict[str, float]:
    """Ask over all connections for so long. Never sleeps: to wake a sleeping client, over loopback, the server pays."""
    before = _used(port)
    start = time.perf_counter()
    waiting = {socket.create_connection(("127.0.0.1", port)): b"" for _ in range(CONNECTIONS)}
    for connection in waiting:
        connection.setblocking(False)
        connection.send(head)
    total = 0
    while waiting:
        for connection, have in list(waiting.items()):
            try:
                data = connection.recv(65_536)
            except BlockingIOError:
                continue
            answer = have + data
            if not data or not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"not the answer: {answer!r}")
            if not answer.endswith(apps.BODY):
                waiting[connection] = answer
                continue
            total += 1
            waiting[connection] = b""
            if time.perf_counter() < start + seconds:
                connection.send(head)
            else:
                connection.close()
                del waiting[connection]
    took = time.perf_counter() - start
    return {"rate": total / took, "cpu": (_used(port) - before) / total / 1000}


def _used(port: int) -> int:
    """The CPU time that the server has used, in ns."""
    with _opener.open(f"http://127.0.0.1:{port}/cpu") as answer:
        return int(answer.read())


def ask_as_told(port: int) -> None:
    """For each line of standard input (what to send, and how long): ask, and print what was seen."""
    for line in sys.stdin:
        told = json.loads(line)
        print(json.dumps(_asked(port, told["head"].encode(), told["seconds"])), flush=True)


# The server


def _answering(app: Any) -> Any:
    """The answer of our five from an application alone: what more headers cost the server."""
    messages = run(our_five(app), begun(our_five, apps.CROSS_ORIGIN))

    async def answering(_scope: Any, _receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return answering


class Served:
    """`/<untouched or read>/<index>` through each stack, `/cpu` for the CPU time of the process."""

    def __init__(self) -> None:
        stacks = {**STACKS, SAME: _answering, BY_HAND: five_by_hand, "bare": lambda app: app}
        self._stacks = {
            f"/{kind}/{index}": stacks[name](app)
            for kind, app in _APPS.items()
            for index, name in enumerate(_NAMES[kind])
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
