"""The benchmark runs: each part prints its rows. What the figures are is no test."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.__main__ import PARTS, main
from benchmarks.harness import Cost, verdict
from benchmarks.report import Table, as_markdown, judged
from tests.conftest import require

pytestmark = pytest.mark.slow

FAST = ["--rounds", "2", "--requests", "1", "--starts", "1"]
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
SHORT = ["--seconds", "0.2", "--megabytes", "1", "--streams", "2"]


@pytest.fixture(autouse=True)
def _peers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Processes that are measured are not traced: by coverage, a stream of `memory` takes most of a minute.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    for module in (
        *("starlette", "asgi_correlation_id", "asgi_request_id", "timing_asgi", "asgi_request_duration", "uvicorn"),
        *("asgi_sessions", "starsessions", "cryptography"),
        *("prometheus_fastapi_instrumentator", "starlette_exporter", "opentelemetry.instrumentation.asgi"),
    ):
        require(module, "the benchmark's peers")


def test_rooms_prints_a_row_for_each_layer_with_ratio_and_goal(capsys: pytest.CaptureFixture[str]) -> None:
    """`rooms` checks and times every layer of every scenario on each loop, and judges our rooms by their goals."""
    from benchmarks.rooms import SCENARIOS, loops

    main(["rooms", "--json", *FAST])
    tables = json.loads(capsys.readouterr().out)["parts"]["rooms"]
    assert len(tables) == len(SCENARIOS) * len(loops())
    for table, scenario in zip(tables, SCENARIOS * len(loops()), strict=True):
        assert table["title"].startswith(scenario.title)
        assert [row[0] for row in table["rows"]] == [layer.name for layer in scenario.layers]
        for row, layer in zip(table["rows"], scenario.layers, strict=True):
            assert row[1] >= 1
            assert (row[3:] == []) is (layer.goal is None)
        assert "quietest" in table["note"]


def test_import_prints_a_row_for_each_room_and_no_foreign_module(capsys: pytest.CaptureFixture[str]) -> None:
    """`import` counts the modules that a room adds to asyncio: none is third-party."""
    from middlewares._index import ROOMS

    main(["import", "--json", *FAST])
    (table,) = json.loads(capsys.readouterr().out)["parts"]["import"]
    rooms = {row[0]: row for row in table["rows"] if row[0].startswith("middlewares.")}
    assert set(rooms) == {f"middlewares.{room}" for room in ROOMS.values()}
    assert [row[3] for row in rooms.values()] == [""] * len(rooms)


@pytest.mark.servers
def test_sessions_load_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """64 clients in 4 processes that write into one session at once: no write that succeeded is lost, on either store."""
    require("redis-server")
    main(["sessions-load", "--json", "--requests", "3"])
    (table,) = json.loads(capsys.readouterr().out)["parts"]["sessions-load"]
    found = [dict(zip(table["columns"], row, strict=False)) for row in table["rows"]]
    assert [row["store"] for row in found] == ["SQLiteStore", "RedisStore"]
    # On a busy machine a call may take longer than the seconds that a store gives it: that is told to the client.
    assert [(row["writes"] + row["failed"], row["lost"]) for row in found] == [(192, 0)] * 2
    assert all(row["writes"] for row in found)


@pytest.mark.parametrize(
    ("part", "row"), [("idle", "our Compression"), ("coding", "our Compression zstd"), ("decoding", "zstd")]
)
def test_codings_are_measured(capsys: pytest.CaptureFixture[str], part: str, row: str) -> None:
    """What it costs to code and to decode, beside the peers that do it, too."""
    require("starlette_compress", "the benchmark's peer")
    main([part, "--json", *FAST])
    tables = json.loads(capsys.readouterr().out)["parts"][part]
    assert any(row in cells for table in tables for cells in table["rows"])


@pytest.mark.servers
@pytest.mark.slow
def test_all_parts_are_measured_by_default_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments every part runs, what the figures depend on stands above them, and the page and pictures are made."""
    require("matplotlib", "the benchmark's pictures")
    page = tmp_path / "performance.md"
    page.write_text(PAGE.read_text())
    main([*FAST, *SHORT, "--write", str(page)])
    shown = capsys.readouterr().out
    assert set(PARTS) == {
        *("stack", "rooms", "import", "idle", "coding", "messages", "server", "loop", "memory", "scaling", "decoding"),
        *("stores", "sessions-load"),
    }
    assert "(bare: " in page.read_text()
    for name in re.findall(r"\(pictures/(.+\.svg)\)", PAGE.read_text()):
        ET.parse(tmp_path / "pictures" / name)
        assert (PAGE.parent / "pictures" / name).is_file()
    for text in (
        "python: ",
        "starlette: ",
        "our CORSMiddleware",
        "Starlette CORSMiddleware",
        "middlewares.cors",
        "SQLAlchemyStore",
        "load at",
    ):
        assert text in shown


def test_a_layer_that_does_not_work_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figure comes from a broken setup: a layer without its header stops the run."""
    from benchmarks import layers, rooms

    idle = layers.Layer("idle", lambda app: app, layers.answers(layers.VARY))
    monkeypatch.setattr(rooms, "SCENARIOS", [layers.Scenario("broken", layers.apps.CROSS_ORIGIN, [idle])])
    with pytest.raises(RuntimeError, match="idle does not do its work"):
        rooms.tables(rounds=2, requests=1)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["room"], id="unknown-part"),
        pytest.param(["--rounds", "1"], id="one-round-has-no-halves"),
        pytest.param(["--write", "no-page.md"], id="no-page"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong argument ends the command before anything is measured."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rounds", "trusted"),
    [
        pytest.param([30.0, 30.0, 30.0, 30.0], True, id="calm"),
        pytest.param([30.0, 30.0, 90.0, 30.0], True, id="one-busy-round"),
        pytest.param([30.0, 30.0, 90.0, 90.0], False, id="busy-half-the-time"),
        pytest.param([30.0, 33.0, 30.0, 33.0], False, id="halves-differ"),
    ],
)
def test_the_verdict_says_when_the_machine_was_too_noisy(rounds: list[float], trusted: bool) -> None:
    """A run is trusted when the median is near the minimum, and its halves agree."""
    cost = Cost.over([10.0, 10.0, 10.0, 10.0], rounds)
    assert cost.ns == 20.0
    assert verdict([cost]).startswith("quiet enough" if trusted else "TOO NOISY")


@pytest.mark.parametrize(
    ("value", "must", "aim", "word"),
    [
        (0.18, 0.25, 0.18, "met"),
        (0.25, 0.25, 0.18, "met, not the aim"),
        (0.26, 0.25, 0.18, "MISSED"),
        (1.5, 1.5, None, "met"),
        (9.9, None, None, ""),
    ],
)
def test_a_figure_is_judged_by_its_goal(value: float, must: float | None, aim: float | None, word: str) -> None:
    """The limit itself still meets the goal."""
    assert judged(value, must, aim) == word


def test_a_table_as_text() -> None:
    """Words stand to the left, numbers to the right, missing cells are empty."""
    table = Table("title", ["name", "ns", "ratio", ""], [["a", 1234, 0.25, "met"], ["long", None]], "note")
    assert str(table).split("\n") == [
        "title",
        "",
        "name     ns  ratio",
        "-----------------------",
        "a     1,234  0.250  met",
        "long",
        "note",
    ]


def test_a_table_as_markdown() -> None:
    """Numbers stand to the right, and what only says of a figure whether it will do is left out."""
    table = Table("title", ["name", "ns", "must", ""], [["a", 1234, 0.25, "met"], ["long", None]], "note")
    assert as_markdown(table, without={"must", ""}).split("\n") == [
        "",
        "**title**",
        "",
        "| name | ns |",
        "| --- | ---: |",
        "| a | 1,234 |",
        "| long |  |",
        "",
    ]


def test_a_part_that_was_not_measured_stays_on_the_page(tmp_path: Path) -> None:
    """`make bench` writes between the markers of the parts that ran, and nowhere else."""
    require("matplotlib", "the benchmark's pictures")
    from benchmarks.page import write

    page = tmp_path / "page.md"
    page.write_text("<!-- import -->\nold\n<!-- end -->\nwords\n<!-- stores -->\nkept\n<!-- end -->\n")
    write({"python": "CPython"}, {"import": [Table("title", ["name"], [["a"]])]}, page)
    assert page.read_text() == (
        "<!-- import -->\n\n**title**\n\n| name |\n| --- |\n| a |\n\n<!-- end -->\n"
        "words\n<!-- stores -->\nkept\n<!-- end -->\n"
    )


def test_counts_are_the_same_twice_and_those_of_the_code() -> None:
    """What `bench-check` counts is no time: twice the same, and more where a layer does more."""
    from benchmarks import apps, check

    bare, once, twice = (check.counted(apps.pass_through(apps.bare, layers), apps.CROSS_ORIGIN) for layers in range(3))
    assert once == check.counted(apps.pass_through(apps.bare), apps.CROSS_ORIGIN)
    assert twice.instructions - once.instructions == once.instructions - bare.instructions > 0
    assert twice.calls - once.calls == once.calls - bare.calls > 0


def test_what_waits_cannot_be_counted() -> None:
    """An application that waits for something gives no count."""
    from benchmarks import apps, check

    async def waits(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="cannot be counted"):
        check.counted(waits, apps.CROSS_ORIGIN)


@pytest.mark.parametrize(
    ("kept", "shown", "holds"),
    [
        pytest.param({"a": [100, 10]}, "", True, id="the same"),
        pytest.param({"a": [99, 10]}, "", True, id="within the tolerance"),
        pytest.param({"a": [90, 10]}, "MORE", False, id="more instructions"),
        pytest.param({"a": [100, 9]}, "MORE", False, id="more calls"),
        pytest.param({"a": [200, 9]}, "MORE", False, id="more calls, fewer instructions"),
        pytest.param({"a": [100, 0]}, "MORE", False, id="calls where there were none"),
        pytest.param({"a": [200, 10]}, "less", True, id="less"),
        pytest.param({}, "not in the baseline", False, id="a new case"),
        pytest.param({"a": [100, 10], "b": [1, 1]}, "not counted any more", False, id="a case that is gone"),
    ],
)
def test_counts_are_judged(kept: dict[str, list[float]], shown: str, holds: bool) -> None:
    """More than the baseline and its tolerance, and other cases than it has, are told."""
    from benchmarks.check import Count, judged

    lines, held = judged({"a": Count(100, 10)}, kept)
    assert held is holds
    assert shown in "\n".join(lines[1:])
    assert shown or not re.search("MORE|less|baseline|any more", "\n".join(lines[1:]))


def test_baseline_is_kept_for_each_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`bench-check` fails without a baseline, keeps one when told to, beside those of other Pythons, and then holds."""
    from benchmarks import check

    baseline = tmp_path / "baseline.json"
    baseline.write_text('{"3.99": {}}')
    assert check.main([], baseline) == 1
    assert "make bench-check ARGS=--write" in capsys.readouterr().out
    assert check.main(["--write"], baseline) == check.main([], baseline) == 0
    kept = json.loads(baseline.read_text())
    assert set(kept) == {"3.99", "{}.{}".format(*sys.version_info)}
    assert all(set(found) == set(check.cases()) for python, found in json.loads(check.BASELINE.read_text()).items())
