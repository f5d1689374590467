"""`middlewares bench`: what each layer costs per request on this machine."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from .._options import ORDER
from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..testing import http_scope, lifespan_scope, record
from .config import Given, Source, layers, merged, package_of_the_process
from .errors import FailureError
from .loading import Loaded

BARE, WHOLE = "application", "all layers"

_BATCH_SECONDS = 0.005  # long enough that the clock's own cost does not count
_MIN_ROUNDS, _MAX_ROUNDS = 5, 101

# As of a browser: each layer finds what it is there for.
_HEADERS = {
    "host": "localhost:8000",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-GB,en;q=0.7,de;q=0.3",
    "accept-encoding": "gzip, deflate, br, zstd",
    "origin": "https://app.example",
    "connection": "keep-alive",
}


@dataclass(frozen=True)
class Row:
    """What one request takes, in microseconds of CPU time.

    Attributes:
        name: `BARE`, a room, or `WHOLE`.
        median: Over the rounds; for layers, of the difference to the bare application in the same round.
        quartiles: Between which the middle half of the rounds lies.
    """

    name: str
    median: float
    quartiles: tuple[float, float]


@dataclass(frozen=True)
class Report:
    """The rows, the bare application first and the whole stack last; and what they were measured with."""

    rows: list[Row]
    status: int
    size: int
    rounds: int
    requests: int


async def bench(
    source: Source, given: Given, loaded: Loaded, *, path: str, headers: Iterable[tuple[str, str]], seconds: float
) -> Report:
    """Measure the application bare, behind each layer alone, and behind all of them, in one interleaved run.

    Raises:
        FailureError: The application does not start, or answers this request with an error.
    """
    package = package_of_the_process()
    names = [room for room in ORDER if room in merged(source, given)]
    built = dict(zip(names, layers(source, given, package), strict=True))
    application = _Furnished(loaded.app)
    whole: ASGIApp = application
    for layer in reversed(built.values()):
        whole = layer(whole)
    apps: dict[str, ASGIApp] = {
        BARE: application,
        **{room: layer(application) for room, layer in built.items()},
        WHOLE: whole,
    }
    fields = {**_HEADERS, **{name.lower(): value for name, value in headers}}
    target, _, query = path.partition("?")
    raw_path, query = (quote(part, safe="/%:@!$&'()*+,;=~?", errors="surrogateescape") for part in (target, query))
    scope = http_scope(
        "GET",
        unquote(raw_path),
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()],
        raw_path=raw_path.encode("ascii"),
        query_string=query.encode("ascii"),
    )
    async with _lifespan(loaded.app) as state:
        status, size = await _answer(whole, {**scope, "state": dict(state)}, path)
        application.keeps = False
        try:
            times, requests = await _times(apps, {**scope, "state": state}, seconds)
        except Exception as exc:  # noqa: BLE001 - whatever the application raises
            raise FailureError(
                f"GET {path} raised {type(exc).__name__} where a layer was left out: {exc}; measure another --path"
            ) from None
    bare = times[BARE]
    rows = [_row(BARE, bare)]
    rows += [
        _row(name, [own - base for own, base in zip(times[name], bare, strict=True)]) for name in apps if name != BARE
    ]
    return Report(rows, status, size, len(bare), requests)


async def _times(apps: Mapping[str, ASGIApp], scope: Scope, seconds: float) -> tuple[dict[str, list[float]], int]:
    """Microseconds that one request takes, for each application and round; and of how many requests a round is."""
    requests, begun = 1, time.perf_counter()
    # An application that waits for others takes long, and little of the processor.
    while (
        await _time(apps[BARE], scope, requests) < _BATCH_SECONDS * 1e9 and time.perf_counter() - begun < seconds / 10
    ):
        requests *= 2
    begun = time.perf_counter()
    for app in apps.values():  # the interpreter specialises code that runs often: before the clock does
        await _time(app, scope, requests)
    rounds = min(max(int(seconds / (time.perf_counter() - begun)), _MIN_ROUNDS), _MAX_ROUNDS)
    times: dict[str, list[float]] = {name: [] for name in apps}
    order = list(apps)
    for _ in range(rounds):
        random.shuffle(order)  # nobody always runs behind the same neighbour
        for name in order:
            times[name].append(await _time(apps[name], scope, requests) / requests / 1000)
    return times, requests


def _row(name: str, values: list[float]) -> Row:
    low, median, high = statistics.quantiles(values, n=4)
    return Row(name, median, (low, high))


async def _answer(app: ASGIApp, scope: dict[str, Any], path: str) -> tuple[int, int]:
    """Status and size of the answer, which has to be a good one: an error says nothing of what requests cost."""
    try:
        sent = await record(app, scope)
    except Exception as exc:  # noqa: BLE001 - whatever the application raises
        raise FailureError(f"GET {path} raised {type(exc).__name__}: {exc}; measure another --path") from None
    start = next((message for message in sent if message["type"] == "http.response.start"), None)
    if start is None or start["status"] >= 400:
        answer = f"is answered with {start['status']}" if start else "gets no answer"
        raise FailureError(f"GET {path} {answer}; measure another --path, or add a --header")
    return start["status"], sum(len(message.get("body", b"")) for message in sent)


async def _time(app: ASGIApp, scope: Scope, requests: int) -> float:
    """Nanoseconds of CPU time, of all threads, that so many requests take."""
    begun = time.process_time_ns()
    for _ in range(requests):
        # As from a server: objects of the request's own, which layers may change.
        await app({**scope, "headers": scope["headers"].copy(), "state": scope["state"].copy()}, _Client(), _send)
    return time.process_time_ns() - begun


class _Furnished:
    """The application with what layers have put into its scope once: without them, it may have no session and no id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.keeps = True
        self._scope: Scope = {}
        self._state: dict[str, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.keeps:
            self._scope = {
                key: {**value} if isinstance(value, MutableMapping) else value for key, value in scope.items()
            }
            self._state = dict(scope["state"])
        else:
            for kept, present in ((self._scope, scope), (self._state, scope["state"])):
                for key in kept.keys() - present.keys():
                    value = kept[key]  # a session is over with its response: each request has one of its own
                    present[key] = {**value} if isinstance(value, Mapping) else value
        await self.app(scope, receive, send)


class _Client:
    """`receive`: an empty body, and then a client that stays."""

    def __init__(self) -> None:
        self._asked = False

    async def __call__(self) -> Message:
        if self._asked:
            await asyncio.Event().wait()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    pass


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncGenerator[dict[str, Any]]:
    """The state of an application that has started up as under a server, where it knows of that."""
    asked: asyncio.Queue[Message] = asyncio.Queue()
    told: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}

    async def run() -> None:
        await app(lifespan_scope(state=state), asked.get, told.put)

    asked.put_nowait({"type": "lifespan.startup"})
    running, answer = asyncio.create_task(run()), asyncio.create_task(told.get())
    await asyncio.wait({running, answer}, return_when=asyncio.FIRST_COMPLETED)
    answered: Message = answer.result() if answer.done() else {"type": "nothing"}
    if answered["type"] != "lifespan.startup.complete":
        for task in (running, answer):
            task.cancel()
        await asyncio.gather(running, answer, return_exceptions=True)
        if answered["type"] == "lifespan.startup.failed":
            raise FailureError(f"the application does not start: {answered.get('message', '')}")
        yield state  # it knows no lifespan: it has raised, said nothing, or something else
        return
    try:
        yield state
    finally:
        asked.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait({running}, timeout=10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
