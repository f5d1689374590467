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
    assert durations[0] > durations[1] >= 12 - 1  # timers of uvloop may be up to 1 ms early (uvloop #739)
    assert durations[2] >= 3


def test_hostile_names(page):
    """Names that are no tokens are repaired, and descriptions arrive, whatever stands in them."""
    with serve("uvicorn", "tests.servers.timing_app:hostile") as server:
        page.goto(server.url)
        entries = page.evaluate(ENTRIES)
    assert [(name, desc) for name, _, desc in entries] == [
        ("app", ""), ("a__b_c___d_", 'e"f\\g, h;dur=1  i?'), ("_", ""), ("__proto__", "x"),
    ]  # fmt: skip


@pytest.mark.parametrize(("app", "count"), [("hostile", 0), ("readable", 4)])
def test_other_origins(page, app, count):
    """A page of another origin is told of the entries where Timing-Allow-Origin names it, and else of none."""
    with serve("uvicorn", f"tests.servers.timing_app:{app}") as server:
        page.goto(f"http://localhost:{server.port}/")
        other = f"{server.url}/other"
        page.evaluate("url => fetch(url, {mode: 'no-cors'})", other)
        page.wait_for_function("url => performance.getEntriesByName(url).length", arg=other)
        assert page.evaluate("url => performance.getEntriesByName(url)[0].serverTiming.length", other) == count
