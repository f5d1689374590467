"""What scripts of a page are told of Server-Timing."""

from __future__ import annotations

import re

import pytest

from ..servers.harness import serve, start

pytestmark = pytest.mark.servers

ENTRIES = "performance.getEntriesByType('navigation')[0].serverTiming.map(e => [e.name, e.duration, e.description])"


def test_entries_of_the_demo(page):
    """`PerformanceServerTiming` has our entry and the spans of the demo, with durations and descriptions."""
    with start(lambda _: ["examples/demo.py"], lambda port: {"PORT": str(port)}) as server:
        sent = page.goto(f"{server.url}/menu").headers["server-timing"]
        entries = page.evaluate(ENTRIES)
    assert [(name, desc) for name, _, desc in entries] == [
        ("app", ""), ("db", "SELECT name FROM teas"), ("template", ""),
    ]  # fmt: skip
    durations = [duration for _, duration, _ in entries]
    assert durations == [float(shown) for shown in re.findall(r"dur=([0-9.]+)", sent)]
    assert durations[0] > durations[1] >= 12
    assert durations[2] >= 3


def test_hostile_names(page):
    """Names that are no tokens are repaired, and descriptions arrive, whatever stands in them."""
    with serve("uvicorn", "tests.servers.timing_app:hostile") as server:
        page.goto(server.url)
        entries = page.evaluate(ENTRIES)
    assert [(name, desc) for name, _, desc in entries] == [
        ("app", ""), ("a__b_c___d_", 'e"f\\g, h;dur=1  i?'), ("_", ""), ("__proto__", "x"),
    ]  # fmt: skip
