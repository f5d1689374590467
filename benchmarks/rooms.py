"""The part `rooms`: the cost of a request through each layer, over the bare application."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
from collections.abc import Sequence
from typing import Any

from . import layers, sessions, timing
from .harness import Cost, LoopFactory, measure, verdict
from .layers import Goal, Layer, Scenario
from .report import Table, judged

SCENARIOS = [*layers.SCENARIOS, *timing.SCENARIOS, *sessions.SCENARIOS]


def loops() -> dict[str, LoopFactory]:
    """The event loops of this machine, by name."""
    found: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop"):
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    return found


def tables(*, rounds: int, requests: int, scenarios: Sequence[Scenario] | None = None) -> list[Table]:
    """One table for each loop and scenario; the scenarios of a loop are measured in one interleaved run.

    Args:
        rounds: How many interleaved rounds.
        requests: How many requests of each series in a round.
        scenarios: What is measured. None: `SCENARIOS`.

    Raises:
        RuntimeError: A layer does not do its work: what it costs would say nothing.
    """
    scenarios = SCENARIOS if scenarios is None else scenarios
    for scenario in scenarios:
        for layer in scenario.layers:
            if not layer.check(layer.wrap, copy.deepcopy(layer.scope or scenario.scope)):
                raise RuntimeError(f"{layer.name} does not do its work, so it is not timed: {scenario.title}")
    series = [
        one
        for scenario in scenarios
        for one in (
            (scenario.bare, scenario.scope),
            *((layer.wrap(scenario.bare), layer.scope or scenario.scope) for layer in scenario.layers),
        )
    ]
    found: list[Table] = []
    for loop, factory in loops().items():
        times = iter(measure(series, factory, rounds=rounds, requests=requests))
        for scenario in scenarios:
            bare = next(times)
            costs = {layer.name: Cost.over(bare, next(times)) for layer in scenario.layers}
            found.append(
                Table(
                    title=f"{scenario.title}, {loop} (bare: {min(bare):,.0f} ns)",
                    columns=["layer", "ns over bare", "± %", "of", "ratio", "must", "aim", ""],
                    rows=[row for layer in scenario.layers for row in _rows(layer, costs)],
                    note=verdict(list(costs.values())),
                )
            )
    return found


def _rows(layer: Layer, costs: dict[str, Cost]) -> list[list[Any]]:
    """One row for each goal of the layer, or one alone."""
    cost = costs[layer.name]
    row = [layer.name, round(cost.ns), round(100 * cost.drift)]
    goals = layer.goal if isinstance(layer.goal, tuple) else (layer.goal,)
    return [row if goal is None else [*row, *_judgement(goal, cost, costs)] for goal in goals]


def _judgement(goal: Goal, cost: Cost, costs: dict[str, Cost]) -> list[Any]:
    of = f"{goal.peer:,} ns" if isinstance(goal.peer, int) else goal.peer
    ratio = cost.ns / (goal.peer if isinstance(goal.peer, int) else costs[goal.peer].ns)
    return [of, round(ratio, 3), goal.must, goal.aim, judged(ratio, goal.must, goal.aim)]
