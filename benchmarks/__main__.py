"""The command `python -m benchmarks`."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from .report import Table, load, machine


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the parts asked for, and print their tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What our rooms cost, beside their peers. Takes some minutes, best on an idle machine.",
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="part",
        help=f"what to measure: {', '.join(PARTS)} (default: all but {', '.join(ASKED_FOR)})",
    )
    parser.add_argument("--rounds", type=int, default=250, help="interleaved rounds, 2 or more (default: %(default)s)")
    parser.add_argument(
        "--requests", type=int, default=100, help="requests of each layer a round (default: %(default)s)"
    )
    parser.add_argument("--starts", type=int, default=10, help="interpreters for each import (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3,
        help="of each run of `loop`, and of each stack of `server` (default: %(default)s)",
    )
    parser.add_argument("--megabytes", type=int, default=200, help="of the stream of `memory` (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=300, help="event streams of `memory` (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--write",
        nargs="?",
        type=Path,
        const=Path("docs/performance.md"),
        metavar="page",
        help="write tables into this page and pictures beside it, too (without a page: %(const)s)",
    )
    options = parser.parse_args(arguments)
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    if options.rounds < 2 or options.requests < 1 or options.starts < 1:
        parser.error("--rounds must be 2 or more, --requests and --starts 1 or more")
    if options.write and not options.write.is_file():
        parser.error(f"--write: there is no page {options.write}")
    if options.seconds <= 0 or options.megabytes < 1 or options.streams < 1:
        parser.error("--seconds must be above 0, --megabytes and --streams 1 or more")

    parts: dict[str, list[Table]] = {}
    facts = machine()
    if not options.json:
        print("Process CPU time at the quietest of many short interleaved rounds.")
        print(*(f"{name}: {value}" for name, value in facts.items()), sep="\n")
    for part in options.parts or [part for part in PARTS if part not in ASKED_FOR]:
        parts[part] = PARTS[part](options)
        if not options.json:
            print("", *(f"{table}\n" for table in parts[part]), sep="\n")
    facts["load at the end"] = load()
    if options.write:
        from .page import write

        write(facts, parts, options.write)
    if options.json:
        shown = {part: [dataclasses.asdict(table) for table in tables] for part, tables in parts.items()}
        print(json.dumps({"machine": facts, "parts": shown}, indent=2))
    else:
        print(f"load at the end: {facts['load at the end']}")


def _rooms(options: argparse.Namespace) -> list[Table]:
    from . import rooms

    return rooms.tables(rounds=options.rounds, requests=options.requests)


def _stack(options: argparse.Namespace) -> list[Table]:
    from . import rooms, stack

    return rooms.tables(rounds=options.rounds, requests=options.requests, scenarios=stack.scenarios())


def _messages(options: argparse.Namespace) -> list[Table]:
    from . import messages

    return messages.tables(rounds=options.rounds, requests=options.requests)


def _server(options: argparse.Namespace) -> list[Table]:
    from . import server

    return server.tables(seconds=options.seconds)


def _scaling(options: argparse.Namespace) -> list[Table]:
    from . import scaling

    return scaling.tables(rounds=options.rounds, requests=options.requests)


def _imports(options: argparse.Namespace) -> list[Table]:
    from . import imports

    return imports.tables(starts=options.starts)


def _idle(options: argparse.Namespace) -> list[Table]:
    from . import compression, rooms

    return rooms.tables(rounds=options.rounds, requests=options.requests, scenarios=compression.idle_scenarios())


def _coding(options: argparse.Namespace) -> list[Table]:
    from . import coding

    return coding.tables(rounds=options.rounds, requests=options.requests)


def _loop(options: argparse.Namespace) -> list[Table]:
    from . import loop

    return loop.tables(seconds=options.seconds)


def _memory(options: argparse.Namespace) -> list[Table]:
    from . import memory

    return memory.tables(megabytes=options.megabytes, streams=options.streams)


def _decoding(options: argparse.Namespace) -> list[Table]:
    from . import decoding

    return decoding.tables(rounds=options.rounds, requests=options.requests)


def _stores(options: argparse.Namespace) -> list[Table]:
    from . import stores

    return stores.tables(rounds=min(options.rounds, 10), requests=options.requests)


def _sessions_load(options: argparse.Namespace) -> list[Table]:
    from . import stores

    return stores.load_tables(writes=options.requests)


PARTS = {
    "stack": _stack,
    "rooms": _rooms,
    "import": _imports,
    "idle": _idle,
    "coding": _coding,
    "messages": _messages,
    "server": _server,
    "loop": _loop,
    "memory": _memory,
    "scaling": _scaling,
    "decoding": _decoding,
    "stores": _stores,
    "sessions-load": _sessions_load,
}
"""The parts by name. They are imported when asked for: each may need peers of its own."""

ASKED_FOR = ("sessions-load",)
"""Parts that take long, with all cores: measured when they are named."""


if __name__ == "__main__":
    main()
