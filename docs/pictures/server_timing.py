"""Draw a Server-Timing header as developer tools do: `python docs/pictures/server_timing.py > docs/pictures/server-timing.svg`.

The header is what the demo answered to `curl -i localhost:8000/menu`.
"""

from __future__ import annotations

import re
from html import escape

HEADER = 'app;dur=15.6, db;dur=12.2;desc="SELECT name FROM teas", template;dur=3.1'

WIDTH, LEFT, TRACK, ROW = 720, 250, 380, 30
# The reader's colours, light or dark; a card of its own, as pages may have others.
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de } .line { stroke: #d0d7de }
  text { fill: #1f2328; font: 13px system-ui, sans-serif } .header { font: 12px ui-monospace, monospace }
  .head { font-weight: 600 } .track { fill: #eaeef2 } .whole { fill: #0969da } .part { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #161b22; stroke: #3d444d } .line { stroke: #3d444d }
    text { fill: #e6edf3 } .track { fill: #262c36 } .whole { fill: #4493f8 } .part { fill: #3fb950 }
  }"""


def entries(header: str) -> list[tuple[str, float]]:
    """What is shown of each entry: its description, or else its name; and its milliseconds."""
    found = re.findall(r'([^;, ]+);dur=([0-9.]+)(?:;desc="([^"]*)")?', header)
    return [(f"{name}: {desc}" if desc else name, float(dur)) for name, dur, desc in found]


def draw(header: str) -> str:
    """The picture, as SVG."""
    rows = entries(header)
    whole = max(dur for _, dur in rows)
    height = 84 + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
        ' role="img" aria-label="The entries of a Server-Timing header as bars">',
        f"<style>{STYLE}\n</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="header" x="16" y="27">server-timing: {escape(header, quote=False)}</text>',
        f'<line class="line" x1="0" x2="{WIDTH}" y1="42" y2="42"/>',
        '<text class="head" x="16" y="64">Server Timing</text>',
        f'<text class="head" x="{WIDTH - 16}" y="64" text-anchor="end">TIME</text>',
    ]
    for number, (label, dur) in enumerate(rows):
        y = 76 + ROW * number
        parts += [
            f'<text x="16" y="{y + 16}">{escape(label, quote=False)}</text>',
            f'<rect class="track" x="{LEFT}" y="{y + 4}" width="{TRACK}" height="16" rx="3"/>',
            f'<rect class="{"part" if number else "whole"}" x="{LEFT}" y="{y + 4}" width="{TRACK * dur / whole:.1f}"'
            ' height="16" rx="3"/>',
            f'<text x="{WIDTH - 16}" y="{y + 16}" text-anchor="end">{dur:.1f} ms</text>',
        ]
    return "\n".join([*parts, "</svg>"])


if __name__ == "__main__":
    print(draw(HEADER))
