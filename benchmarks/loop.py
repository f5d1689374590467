"""The part `loop`: how long a tiny request waits while four clients fetch 2 MB of JSON through a layer.

One uvicorn serves each layer under a path of its own (`python -m benchmarks.loop serve <port>`); another process
fetches (`... fetch <port>`), so that what it does is no part of the waits. Wall clock: other programs do count.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bodies import body
from .compression import CODERS, DECODERS, STARLETTE, serving
from .report import Table, judged

CLIENTS = 4
SIZE = 2_000_000
RUNS = 2
_PAUSE = 0.002
_LEAD = 0.2  # so long the downloads run before the first request that counts
_TIMEOUT = 60
_COLUMNS = ["layer", "idle p50 ms", "busy p50 ms", "over idle", "p99 ms", "2 MB/s", "requests"]
_GOALS = ["must", "aim", "p99 at most", ""]


@dataclass
class Waits:
    """What one run saw."""

    idle: list[float]
    busy: list[float]
    fetched: float

    @property
    def p50(self) -> float:
        """The median wait beside the downloads, in ms."""
        return statistics.median(self.busy)

    @property
    def over_idle(self) -> float:
        """By how much the median is above that of the idle server, in ms."""
        return self.p50 - statistics.median(self.idle)

    @property
    def p99(self) -> float:
        """The wait that one request in a hundred exceeds, in ms."""
        return sorted(self.busy)[int(0.99 * len(self.busy))]


def tables(*, seconds: float) -> list[Table]:
    """One table: each layer and coding, the better of two runs by its p99.

    Raises:
        RuntimeError: A layer does not do its work: how long others wait for it would say nothing.
    """
    with started("loop") as port:
        waits = _measure(port, seconds)
    most = waits[f"{STARLETTE} gzip"].p99
    rows = [["no layer", *_cells(waits["no layer"])]]
    for coder in CODERS:
        seen = waits[str(coder)]
        row = [str(coder), *_cells(seen)]
        if coder.is_ours:
            fits = seen.p99 <= most
            row += [1.0, 0.5, round(most, 2), judged(seen.over_idle if fits else float("inf"), 1.0, 0.5)]
        rows.append(row)
    return [
        Table(
            title=f"a tiny request while {CLIENTS} clients fetch 2 MB of JSON from uvicorn, better of {RUNS} runs",
            columns=[*_COLUMNS, *_GOALS],
            rows=rows,
            note="wall clock: compare rows of one run",
        )
    ]


def _cells(waits: Waits) -> list[Any]:
    idle = statistics.median(waits.idle)
    return [
        *(round(ms, 2) for ms in (idle, waits.p50, waits.over_idle, waits.p99)),
        round(waits.fetched),
        len(waits.busy),
    ]


def _measure(port: int, seconds: float) -> dict[str, Waits]:
    content = body("JSON", SIZE)
    series: dict[str, tuple[str, str]] = {"no layer": ("/bare", "identity")}
    for index, coder in enumerate(CODERS):
        series[str(coder)] = (f"/{index}", coder.coding)
    for name, (path, coding) in series.items():
        head, _, coded = fetch(port, path, coding).partition(b"\r\n\r\n")
        named = f"\r\ncontent-encoding: {coding}\r\n".encode() in head.lower() + b"\r\n"
        if named is (coding == "identity") or DECODERS.get(coding, bytes)(coded) != content:
            raise RuntimeError(f"{name} does not do its work, so it is not timed: 2 MB of JSON")
    best: dict[str, Waits] = {}
    with process("loop", "fetch", port) as fetcher:
        for _ in range(RUNS):  # not one behind the other: what is busy for a while does not spoil both
            for name, (path, coding) in series.items():
                waits = _waits(fetcher, port, path, coding, seconds)
                if name not in best or waits.p99 < best[name].p99:
                    best[name] = waits
    return best


def _waits(fetcher: subprocess.Popen[str], port: int, path: str, coding: str, seconds: float) -> Waits:
    assert fetcher.stdin is not None
    assert fetcher.stdout is not None
    idle = _pings(port, path, seconds / 5)
    fetcher.stdin.write(f"{path} {coding} {seconds + _LEAD}\n")
    fetcher.stdin.flush()
    time.sleep(_LEAD)
    busy = _pings(port, path, seconds)
    fetched = float(fetcher.stdout.readline())  # when all is fetched: the next layer finds an idle server
    return Waits(idle, busy, fetched)


def _pings(port: int, path: str, seconds: float) -> list[float]:
    """How long each of many tiny requests takes, one after the other on one connection, in ms."""
    request = f"GET {path}/ping HTTP/1.1\r\nhost: a\r\naccept-encoding: gzip, deflate, br, zstd\r\n\r\n".encode()
    waits: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end = time.perf_counter() + seconds
        while not waits or time.perf_counter() < end:
            time.sleep(_PAUSE)
            start = time.perf_counter()
            client.sendall(request)
            answer = b""
            while not answer.endswith(PONG):
                piece = client.recv(65_536)
                if not piece:
                    raise RuntimeError(f"no pong: {answer!r}")
                answer += piece
            waits.append(1000 * (time.perf_counter() - start))
    return waits


# The clients


def fetch(port: int, path: str, coding: str) -> bytes:
    """The whole of a large answer; HTTP/1.0, so that it ends with the connection."""
    pieces: list[bytes] = []
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as client:
        client.sendall(f"GET {path}/big HTTP/1.0\r\nhost: a\r\naccept-encoding: {coding}\r\n\r\n".encode())
        while piece := client.recv(1 << 20):
            pieces.append(piece)
    return b"".join(pieces)


def fetch_as_told(port: int) -> None:
    """For each line of standard input (a path, a coding, seconds): fetch so long, and print how many a second."""
    for line in sys.stdin:
        path, coding, seconds = line.split()
        start = time.perf_counter()
        end = start + float(seconds)
        with ThreadPoolExecutor(CLIENTS) as clients:
            counts = [clients.submit(_fetch_until, end, port, path, coding) for _ in range(CLIENTS)]
        print(sum(count.result() for count in counts) / (time.perf_counter() - start), flush=True)


def _fetch_until(end: float, port: int, path: str, coding: str) -> int:
    count = 0
    while time.perf_counter() < end:
        fetch(port, path, coding)
        count += 1
    return count


# The server

PONG = b'{"pong": true}'


class Served:
    """`/<index>/ping` and `/<index>/big` through each layer, `/bare/...` through none."""

    def __init__(self) -> None:
        self._big = serving("JSON", body("JSON", SIZE))
        self._ping = serving("JSON", PONG)
        self._apps = {str(index): coder.wrap(self._routed) for index, coder in enumerate(CODERS)}
        self._apps["bare"] = self._routed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request to its layer."""
        await self._apps[scope["path"].split("/")[1]](scope, receive, send)

    async def _routed(self, scope: Any, receive: Any, send: Any) -> None:
        app = self._big if scope["path"].endswith("/big") else self._ping
        await app(scope, receive, send)


@contextmanager
def started(module: str) -> Iterator[int]:
    """A module of this package as a server, by the port on which it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with process(module, "serve", port) as server:
        deadline = time.monotonic() + _TIMEOUT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the server of the part `{module}` does not start") from None
                time.sleep(0.05)
        yield port


@contextmanager
def process(module: str, what: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """A module of this package as a program, ended at the end."""
    program = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", what, str(port)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            yield program
        finally:
            program.terminate()


def serve(port: int) -> None:
    """Serve until terminated."""
    import uvicorn

    uvicorn.run(Served(), host="127.0.0.1", port=port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    {"serve": serve, "fetch": fetch_as_told}[sys.argv[1]](int(sys.argv[2]))
