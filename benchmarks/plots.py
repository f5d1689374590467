"""The pictures of docs/performance.md: SVG in the reader's colours, light or dark, drawn from the tables of a run."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .report import Table

Tables = dict[str, list[Table]]

CARD, TEXT, LINE, OURS, OTHER = "#ffffff", "#1f2328", "#d0d7de", "#0969da", "#8c959f"
# What each colour is for readers who have the dark scheme.
_DARK = {CARD: "#161b22", TEXT: "#e6edf3", LINE: "#3d444d", OURS: "#4493f8", OTHER: "#7d8590"}
_STYLE = {
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "asgi-middlewares",  # the same figures give the same file
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": TEXT,
    "axes.edgecolor": LINE,
    "axes.facecolor": CARD,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": TEXT,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "figure.facecolor": CARD,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def pictures(parts: Tables) -> dict[str, str]:
    """File name -> SVG, for the parts that were measured."""
    with mpl.rc_context(_STYLE):
        return {f"{part}.svg": _svg(draw(parts[part]), part) for part, draw in DRAWN.items() if part in parts}


def _svg(figure: Figure, name: str) -> str:
    figure.set_layout_engine("constrained")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Title": f"The measurement {name!r} as a picture"})
    rules = "".join(
        f'[style*="fill: {light}"]{{fill:{dark}!important}}[style*="stroke: {light}"]{{stroke:{dark}!important}}'
        for light, dark in _DARK.items()
    )
    style = (
        f"<style>text{{font-family:system-ui,sans-serif!important}}@media(prefers-color-scheme:dark){{{rules}}}</style>"
    )
    text = re.sub(r"(<svg [^>]*>)", rf"\1{style}", buffer.getvalue(), count=1)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _is_ours(name: str) -> bool:
    return name.startswith(("our ", "all our"))


def _bars(axes: Axes, title: str, rows: Sequence[tuple[str, float, str]], *, logarithmic: bool = False) -> None:
    """Horizontal bars, the first row on top: name, value, and what is written behind the bar."""
    names = [name for name, _, _ in rows]
    values = [value for _, value, _ in rows]
    axes.barh(range(len(rows)), values, height=0.62, color=[OURS if _is_ours(name) else OTHER for name in names])
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_title(title)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 2, max(values) * 3)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, max(values) * 1.3)
    for at, (_, value, shown) in enumerate(rows):
        axes.annotate(shown, (value, at), xytext=(4, 0), textcoords="offset points", va="center")
    _frame(axes)


def _frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)


def _axes(count: int, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(8, height))
    found = figure.subplots(-(-count // columns), columns, squeeze=False).flat
    return figure, list(found)


def _stack(tables: list[Table]) -> Figure:
    shown = [table for table in tables if ", asyncio" in table.title][:2]
    figure, axes = _axes(len(shown), 1.9 * len(shown))
    for table, each in zip(shown, axes, strict=True):
        rows = {row[0]: row[1] / 1000 for row in table.rows}
        title = table.title.partition(", asyncio")[0]
        _bars(each, f"{title}: µs of CPU over bare", [(name, us, f"{us:.1f}") for name, us in rows.items()])
    return figure


_ROOMS = {
    "request id": ("our RequestIDMiddleware", "asgi-correlation-id"),
    "timing": ("our TimingMiddleware", "timing-asgi, sends no header"),
    "CORS": ("our CORSMiddleware", "Starlette CORSMiddleware"),
    "session untouched": ("our SessionMiddleware", "Starlette SessionMiddleware"),
    "session read": ("our SessionMiddleware", "Starlette SessionMiddleware"),
}


def _rooms(tables: list[Table]) -> Figure:
    found: list[tuple[str, float, str]] = []
    for title, (ours, peer) in _ROOMS.items():
        table = next(
            table
            for table in tables
            if {ours, peer} <= {row[0] for row in table.rows} and ("read" in table.title) is (title == "session read")
        )
        ns = {row[0]: row[1] for row in table.rows}
        found += [
            (f"our {title}", ns[ours] / 1000, f"{ns[ours] / 1000:.1f} ({ns[ours] / ns[peer]:.0%})"),
            (peer.partition(",")[0], ns[peer] / 1000, f"{ns[peer] / 1000:.1f}"),
        ]
    figure, (axes,) = _axes(1, 4.2)
    _bars(axes, "one room: µs of CPU over bare", found)
    return figure


def _server(tables: list[Table]) -> Figure:
    figure, axes = _axes(2, 3.8)
    for kind, each in zip(("untouched", "read"), axes, strict=True):
        suffix = f", session {kind}"
        rows = [
            (row[0].removesuffix(suffix), row[1], f"{row[1]:,} ({row[2]:.0%} of bare)")
            for row in tables[0].rows
            if row[0].endswith(suffix)
        ]
        _bars(each, f"requests a second on uvicorn{suffix}", rows)
    return figure


def _loop(tables: list[Table]) -> Figure:
    figure, axes = _axes(2, 5.4)
    rows = [row for row in tables[0].rows if row[0] != "no layer"]
    for each, (index, title) in zip(axes, ((2, "half of them within"), (4, "99 of 100 within")), strict=True):
        shown = [(row[0], max(row[index], 0.01), f"{row[index]:,.2f} ms") for row in rows]
        _bars(each, f"a tiny request beside four downloads of 2 MB: {title}", shown, logarithmic=True)
    return figure


def _coding(tables: list[Table]) -> Figure:
    rows = tables[0].rows
    sizes = list(dict.fromkeys(row[0] for row in rows))
    figure, axes = _axes(len(sizes), 1.7 * len(sizes))
    for size, each in zip(sizes, axes, strict=True):
        found = {row[1]: (row[3], f"{row[3]:,} µs, {row[2]:,} bytes") for row in rows if row[0] == size}
        _bars(each, f"{size} of JSON: µs of CPU", [(name, us, shown) for name, (us, shown) in found.items()])
    return figure


def _memory(tables: list[Table]) -> Figure:
    rows = [(row[0], row[1], f"{row[1]:,.0f} KB") for row in tables[1].rows if row[1] is not None]
    figure, (axes,) = _axes(1, 2.9)
    _bars(axes, "memory of one open event stream over bare", rows)
    return figure


def _scaling(tables: list[Table]) -> Figure:
    figure, axes = _axes(6, 7, columns=2)
    *grown, beside = tables
    for table, each in zip(grown, axes[:4], strict=True):
        _line(each, table.title, [(row[0], row[1] / 1000) for row in table.rows], "µs over bare")
    _line(
        axes[4], "a request beside open event streams", [(row[0], row[1] / 1000) for row in beside.rows], "µs with bare"
    )
    _line(axes[5], "an open event stream in zstd", [(row[0], row[2]) for row in beside.rows if row[2]], "KB for each")
    return figure


def _line(axes: Axes, title: str, points: list[tuple[float, float]], unit: str) -> None:
    axes.plot(*zip(*points, strict=True), "o-", color=OURS)
    axes.set_ylim(0, max(y for _, y in points) * 1.25)
    axes.set_title(title)
    axes.set_ylabel(unit)
    _frame(axes)


DRAWN: dict[str, Callable[[list[Any]], Figure]] = {
    "stack": _stack,
    "rooms": _rooms,
    "server": _server,
    "loop": _loop,
    "coding": _coding,
    "memory": _memory,
    "scaling": _scaling,
}
"""Part -> what draws its tables."""
