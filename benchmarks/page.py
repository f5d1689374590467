"""The page of the docs on performance: what stands between its markers is written by `make bench`."""

from __future__ import annotations

import re
from pathlib import Path

from .plots import Tables, pictures
from .report import Table, as_markdown

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKED = re.compile(r"(?P<begin><!-- (?P<part>[a-z-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_FOR_US = {"± %", "must", "aim", "at most", "p99 at most", ""}  # columns that say of a figure whether it will do


def write(facts: dict[str, str], parts: Tables, page: Path = PAGE) -> None:
    """Write the tables of these parts into the page, and their pictures beside it; other parts stay as they are.

    Args:
        facts: What the figures depend on.
        parts: The tables of each part that was measured.
        page: The page, with `<!-- part -->` and `<!-- end -->` around what is written.
    """
    drawn = pictures(parts)
    folder = page.parent / "pictures"
    folder.mkdir(exist_ok=True)
    for name, picture in drawn.items():
        (folder / name).write_text(picture, encoding="utf-8")
    shown = {part: "\n".join(map(_shown, _chosen(tables))) for part, tables in parts.items()}
    shown["machine"] = (
        f"\n{', '.join(f'{name} {value}' for name, value in facts.items() if value != 'not installed')}.\n"
    )

    def block(found: re.Match[str]) -> str:
        part = found["part"]
        return f"{found['begin']}{shown[part]}\n{found['end']}" if part in shown else found[0]

    page.write_text(_MARKED.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


def _chosen(tables: list[Table]) -> list[Table]:
    """Without what was measured on a second loop: it comes to the same."""
    return [table for table in tables if ", uvloop (" not in table.title]


def _shown(table: Table) -> str:
    return as_markdown(table, without=_FOR_US)
