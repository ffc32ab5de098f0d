"""`python -m benchmarks.chart FIGURES.json CHART.svg`: the engine's ratios as bars, by batch size and workers."""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

WIDTH, BAR, GAP, LEFT, TOP = 760, 20, 6, 250, 50
COLOURS = {"spread": "#4b5fd6", "hot": "#d6664b"}
NAMES = {"spread": "thousand funds", "hot": "one hot fund"}


def draw(figures: dict[str, Any]) -> str:
    """An SVG whose bars reach to the median ratio; the thin line is the range of the samples."""
    rows = [(_label(key), key.split("_")[0], row["ratio"]) for key, row in figures["engine"].items()]
    most = max([1.0, *(ratio["max"] for _, _, ratio in rows)])
    unit = (WIDTH - LEFT - 70) / most
    height = TOP + len(rows) * (BAR + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="12" y="26" font-size="16">Transfers completed per transaction of pgbench, same server</text>'
    ]
    for number, (label, kind, ratio) in enumerate(rows):
        y = TOP + number * (BAR + GAP)
        middle = y + BAR / 2
        parts.append(
            f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{ratio["median"] * unit:.1f}" height="{BAR}" fill="{COLOURS[kind]}"/>'
            f'<path d="M{LEFT + ratio["min"] * unit:.1f} {middle}H{LEFT + ratio["max"] * unit:.1f}" stroke="#222"/>'
            f'<text x="{LEFT + ratio["max"] * unit + 6:.1f}" y="{middle + 4}">{ratio["median"]:.2f}</text>'
        )
    line = LEFT + unit
    parts.append(f'<path d="M{line} {TOP - 8}V{height - 24}" stroke="#888" stroke-dasharray="4 3"/>')
    parts.append(f'<text x="{line}" y="{height - 8}" text-anchor="middle" fill="#555">pgbench = 1</text></svg>')
    return "".join(parts) + "\n"


def _label(key: str) -> str:
    kind, workers, batch = key.split("_")
    number = workers[1:]
    return f"{NAMES[kind]}, {number} worker{'s' * (number != '1')}, batch {int(batch[1:]):,}"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(json.loads(Path(sys.argv[1]).read_text())))
