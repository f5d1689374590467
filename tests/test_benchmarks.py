"""The benchmark runs: each part prints its rows. What the figures are is no test."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import PARTS, main
from benchmarks.harness import Cost, verdict
from benchmarks.report import Table, judged
from tests.conftest import require

FAST = ["--rounds", "2", "--requests", "1", "--starts", "1"]
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
def test_all_parts_are_measured_by_default_and_shown_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments every part runs, and what the figures depend on stands above them."""
    main([*FAST, *SHORT])
    shown = capsys.readouterr().out
    assert set(PARTS) == {
        *("rooms", "import", "idle", "coding", "loop", "memory", "decoding", "stores", "sessions-load")
    }
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
    [pytest.param(["room"], id="unknown-part"), pytest.param(["--rounds", "1"], id="one-round-has-no-halves")],
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
