"""How results are shown: tables of text for people, the same as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

PACKAGES = [
    *["asgi-middlewares", "starlette", "asgi-correlation-id", "asgi-request-id", "starlette-compress", "brotli-asgi"],
    *["timing-asgi", "asgi-request-duration", "prometheus-fastapi-instrumentator", "starlette-exporter"],
    *["opentelemetry-instrumentation-asgi", "brotli", "backports.zstd", "zlib-ng", "uvicorn", "uvloop"],
    *["redis", "sqlalchemy"],
]


@dataclass(frozen=True)
class Table:
    """A table of results: rows may be shorter than the columns, and a cell None where there is nothing to say."""

    title: str
    columns: list[str]
    rows: list[list[Any]]
    note: str = ""

    def __str__(self) -> str:
        """The table as text: the first column and words to the left, numbers to the right."""
        rows = [row + [None] * (len(self.columns) - len(row)) for row in self.rows]
        columns = [list(column) for column in zip(*rows, strict=True)]
        aligned = [_aligned(head, cells) for head, cells in zip(self.columns, columns, strict=True)]
        head, *lines = ["  ".join(cells).rstrip() for cells in zip(*aligned, strict=True)]
        return "\n".join(
            [self.title, "", head, "-" * max(map(len, [head, *lines])), *lines, *filter(None, [self.note])]
        )


def as_markdown(table: Table, without: Container[str] = ()) -> str:
    """The table as Markdown, under its title; without some of the columns."""
    kept = [at for at, column in enumerate(table.columns) if column not in without]
    rows = [row + [None] * (len(table.columns) - len(row)) for row in table.rows]
    words = {at for at in kept if all(isinstance(row[at], str | None) for row in rows)}
    lines = [
        [table.columns[at] for at in kept],
        ["---" if at in words else "---:" for at in kept],
        *([_shown(row[at]) for at in kept] for row in rows),
    ]
    return "\n".join([f"\n**{table.title}**\n", *(f"| {' | '.join(line)} |" for line in lines), ""])


def _aligned(head: str, cells: list[Any]) -> list[str]:
    shown = [head, *map(_shown, cells)]
    width = max(map(len, shown))
    words = all(isinstance(cell, str | None) for cell in cells)
    return [f"{text:<{width}}" if words else f"{text:>{width}}" for text in shown]


def _shown(cell: Any) -> str:
    match cell:
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.3f}"
    return cell or ""


def judged(value: float, must: float | None, aim: float | None) -> str:
    """What a figure says of its goal, in a word."""
    if must is None:
        return ""
    if value > must:
        return "MISSED"
    return "met" if aim is None or value <= aim else "met, not the aim"


def machine() -> dict[str, str]:
    """What the figures depend on: interpreter, machine, versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "load": load(),
        **versions,
    }


def load() -> str:
    """How many programs wanted a CPU in the last minute, where the system tells."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
