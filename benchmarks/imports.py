"""The part `import`: what importing a room adds to a process that has imported asyncio, as every server has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from middlewares._index import ROOMS

from .report import Table, judged

MAX_MS = 8.0
MAX_MODULES = 25

_PROBE = """
import asyncio, json, sys, time
before = set(sys.modules)
start = time.process_time_ns()
import {module}
took = time.process_time_ns() - start
print(json.dumps([took / 1e6, sorted(set(sys.modules) - before)]))
"""


def tables(*, starts: int) -> list[Table]:
    """One table: each room, and for comparison its peers, imported alone in fresh interpreters."""
    rooms = [f"middlewares.{room}" for room in dict.fromkeys(ROOMS.values())]
    peers = ["starlette.middleware.cors", "starlette.middleware.errors", "asgi_correlation_id", "asgi_request_id"]
    modules = [*rooms, *peers]
    times: dict[str, list[float]] = {module: [] for module in modules}
    added: dict[str, list[str]] = {}
    for _ in range(starts):
        for module in modules:
            ms, added[module] = _probe(module)
            times[module].append(ms)
    return [
        Table(
            title=f"import beyond asyncio, minimum of {starts} fresh interpreters (at most {MAX_MS:g} ms and "
            f"{MAX_MODULES} modules, the standard library's alone)",
            columns=["module", "ms", "modules", "third-party", ""],
            rows=[_row(module, min(times[module]), added[module], goal=module in rooms) for module in modules],
        )
    ]


def _probe(module: str) -> tuple[float, list[str]]:
    # Users import compiled files: the first start writes them, and the minimum is that of a later one.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    output = subprocess.run(
        [sys.executable, "-c", _PROBE.format(module=module)],
        env=env,
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    ms, added = json.loads(output)
    return ms, added


def _row(module: str, ms: float, added: list[str], *, goal: bool) -> list[Any]:
    # The last one has what both names of the package share, and no file.
    own = {*sys.stdlib_module_names, module.partition(".")[0], "_asgi_middlewares"}
    strangers = sorted({name.partition(".")[0] for name in added} - own)
    row = [module, round(ms, 2), len(added), ", ".join(strangers)]
    fits = not strangers and len(added) <= MAX_MODULES
    return [*row, judged(ms if fits else float("inf"), MAX_MS, None)] if goal else row
