"""The part `coding`: bytes and CPU time per body, for each kind, size and coding, over the bare application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .bodies import KINDS, SIZES, body
from .compression import CODERS, COMPRESS, STARLETTE, Coder, coded_size, scope_for, serving
from .harness import Cost, measure, verdict
from .report import Table, judged


@dataclass(frozen=True)
class Goal:
    """What a coding of ours may take: how much of a peer's time, by the size of the body, and of its bytes."""

    peer: str
    time: dict[str, float]
    bytes: float
    kinds: Iterable[str] = tuple(KINDS)


# "At the same ratio" is 4 % of the bytes here, too: engines differ by some at the same level.
_SAME = 1.04
_GOALS = {
    "zstd": [
        Goal(f"{COMPRESS} zstd", {"1 KB": 0.6, "10 KB": 0.6}, _SAME, ["JSON"]),
        Goal(f"{STARLETTE} gzip", {"1 KB": 0.5, "10 KB": 0.25, "100 KB": 0.1}, 1.12, ["JSON"]),
    ],
    "br": [Goal(f"{COMPRESS} br", dict.fromkeys(SIZES, 1.0), _SAME)],
    "gzip": [Goal(f"{COMPRESS} gzip", dict.fromkeys(SIZES, 1.0), _SAME)],
}

_COLUMNS = ["body", "layer", "bytes", "us over bare", "± %", "of", "time ratio", "must", "bytes ratio", "at most", ""]

# Of the rounds and of the requests, large bodies get only one in so many: 1 MB takes a thousand times as long as 1 KB.
_SHARES = {"1 KB": (2, 2), "10 KB": (2, 10), "100 KB": (4, 50), "1 MB": (12, 100)}


def tables(*, rounds: int, requests: int) -> list[Table]:
    """One table for each kind of body.

    Raises:
        RuntimeError: A layer does not do its work: what it costs would say nothing.
    """
    return [_table(kind, rounds, requests) for kind in KINDS]


def _table(kind: str, rounds: int, requests: int) -> Table:
    rows: list[list[Any]] = []
    costs: list[Cost] = []
    for label, size in SIZES.items():
        content = body(kind, size)
        sizes = {str(coder): coded_size(coder, kind, content) for coder in CODERS}
        bare = serving(kind, content)
        series = [(bare, scope_for(None)), *((coder.wrap(bare), scope_for(coder.coding)) for coder in CODERS)]
        fewer_rounds, fewer_requests = _SHARES[label]
        bare_times, *times = measure(
            series,
            asyncio.new_event_loop,
            rounds=max(2, rounds // fewer_rounds),
            requests=max(1, requests // fewer_requests),
        )
        found = {str(coder): Cost.over(bare_times, own) for coder, own in zip(CODERS, times, strict=True)}
        costs += found.values()
        for coder in CODERS:
            rows += _rows(kind, label, coder, sizes, found)
    return Table(
        title=f"{kind} made from a seed, each layer at its defaults, asyncio",
        columns=_COLUMNS,
        rows=rows,
        note=verdict(costs),
    )


def _rows(kind: str, label: str, coder: Coder, sizes: dict[str, int], costs: dict[str, Cost]) -> Iterator[list[Any]]:
    """The row of a layer; of ours, one for each peer that it is compared with."""
    cost, size = costs[str(coder)], sizes[str(coder)]
    row = [label, str(coder), size, round(cost.ns / 1000, 1), round(100 * cost.drift)]
    if not coder.is_ours:
        yield row
        return
    for goal in _GOALS[coder.coding]:
        time_ratio, bytes_ratio = cost.ns / costs[goal.peer].ns, size / sizes[goal.peer]
        compared = [*row, goal.peer, round(time_ratio, 3)]
        must = goal.time.get(label) if kind in goal.kinds else None
        if must is None:
            yield [*compared, None, round(bytes_ratio, 3)]
        else:
            word = "MISSED" if bytes_ratio > goal.bytes else judged(time_ratio, must, None)
            yield [*compared, must, round(bytes_ratio, 3), goal.bytes, word]
