"""The part `scaling`: how the cost of five rooms grows with headers, their size, layers, and open connections."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from middlewares import ServerErrorMiddleware, TimingMiddleware
from middlewares.testing import http_scope

from . import apps
from .harness import App, Cost, measure, verdict
from .memory import resident
from .report import Table
from .rooms import loops
from .sessions import begun
from .stack import our_five

HEADERS = (12, 25, 50, 75, 100)
KILOBYTES = (1, 8, 16, 32, 64)
LAYERS = (1, 5, 10, 15, 20)
CONNECTIONS = (0, 500, 1000, 1500, 2000)


def layered(app: Any, layers: int) -> App:
    """So many rooms around an application: two kinds that add to what another layer of their kind does."""
    for number in range(layers):
        app = TimingMiddleware(app, metric=f"m{number}") if number % 2 else ServerErrorMiddleware(app)
    return app


def _answering(count: int) -> App:
    """The bare application with so many response headers."""
    more = [(b"x-more-%d" % number, b"a value of some length") for number in range(count - 2)]

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(apps.BODY)), *more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": apps.BODY, "more_body": False})

    return app


def _asking(count: int = 0, kilobytes: int = 0) -> dict[str, Any]:
    """The browser's request with so many headers in all, or with one so large."""
    scope = begun(our_five, apps.CROSS_ORIGIN)
    more = [(b"x-more-%d" % number, b"a value of some length") for number in range(count - len(scope["headers"]))]
    if kilobytes:
        more.append((b"x-large", b"a" * 1024 * kilobytes))
    return http_scope("GET", "/orders/4711", [*scope["headers"], *more])


def tables(*, rounds: int, requests: int) -> list[Table]:
    """One table for each thing that grows."""
    series: dict[str, list[tuple[App, App, dict[str, Any]]]] = {
        "request headers": [(apps.bare, our_five(apps.bare), _asking(count)) for count in HEADERS],
        "response headers": [(app, our_five(app), _asking()) for app in map(_answering, HEADERS)],
        "KB in one request header": [(apps.bare, our_five(apps.bare), _asking(kilobytes=each)) for each in KILOBYTES],
        "layers": [(apps.bare, layered(apps.bare, count), apps.CROSS_ORIGIN) for count in LAYERS],
    }
    steps = {
        "request headers": HEADERS,
        "response headers": HEADERS,
        "KB in one request header": KILOBYTES,
        "layers": LAYERS,
    }
    flat = [(app, scope) for cells in series.values() for bare, app_, scope in cells for app in (bare, app_)]
    loop = next(iter(loops().values()))
    times = iter(measure(flat, loop, rounds=rounds, requests=requests))
    found = []
    for what, cells in series.items():
        costs = [Cost.over(next(times), next(times)) for _ in cells]
        found.append(
            Table(
                title=f"our five rooms, by {what}" if what != "layers" else "rooms, by their number",
                columns=[what, "ns over bare", "± %", "ns for one more"],
                rows=[
                    [step, round(cost.ns), round(100 * cost.drift), more]
                    for step, cost, more in zip(steps[what], costs, _slopes(steps[what], costs), strict=True)
                ],
                note=verdict(costs),
            )
        )
    with asyncio.Runner(loop_factory=loop) as runner:
        found.append(runner.run(_beside(_asking(), rounds, requests)))
    return found


def _slopes(steps: tuple[int, ...], costs: list[Cost]) -> list[int | None]:
    return [
        None,
        *(round((costs[at].ns - costs[at - 1].ns) / (steps[at] - steps[at - 1])) for at in range(1, len(steps))),
    ]


async def _beside(scope: dict[str, Any], rounds: int, requests: int) -> Table:
    """What a request takes beside so many event streams that are open through the same layers, and what those hold."""

    async def app(its: Any, receive: Any, send: Any) -> None:
        if its["path"] != "/events":
            await apps.bare(its, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"data: begun\n\n", "more_body": True})
        opened.release()
        await asyncio.Event().wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        pass

    wrapped = our_five(app)
    opened = asyncio.Semaphore(0)
    stream = {**scope, "path": "/events"}
    tasks = [asyncio.create_task(wrapped({**stream, "state": {}}, receive, send))]  # its imports and shared tables
    await opened.acquire()
    start = resident()
    rows: list[list[Any]] = []
    for count in CONNECTIONS:
        added = count + 1 - len(tasks)
        tasks += [
            asyncio.create_task(wrapped({**stream, "headers": [*scope["headers"]], "state": {}}, receive, send))
            for _ in range(added)
        ]
        for _ in range(added):
            await opened.acquire()
        quickest = min([await _timed(wrapped, scope, receive, send, requests) for _ in range(rounds)])
        rows.append([count, round(quickest), round((resident() - start) / count / 1000, 1) if count else None])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Table(
        title="a request through our five rooms beside open event streams in zstd",
        columns=["streams", "ns with bare", "KB for each"],
        rows=rows,
    )


async def _timed(app: App, scope: dict[str, Any], receive: Any, send: Any, requests: int) -> float:
    start = time.process_time_ns()
    for _ in range(requests):
        await app({**scope, "headers": scope["headers"].copy(), "state": {}}, receive, send)
    return (time.process_time_ns() - start) / requests
