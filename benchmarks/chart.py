"""`python -m benchmarks.chart FIGURES.json CHART.svg`: what a run measured, as bars.

Which bars, the file itself says: the engine's ratios by workers and batch, django-hordak's beside them, or what a
transfer costs by the length of history.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WIDTH, BAR, GAP, LEFT, TOP = 760, 20, 6, 250, 50
BLUE, RED, GREY = "#4b5fd6", "#d6664b", "#8a8f98"
COLOURS = {"spread": BLUE, "hot": RED}
NAMES = {"spread": "thousand funds", "hot": "one hot fund"}


@dataclass(frozen=True, slots=True)
class Row:
    """One bar with the range of its samples: `values` has median, min and max."""

    label: str
    values: dict[str, float]
    colour: str = BLUE


def draw(figures: dict[str, Any]) -> str:
    """The SVG of a file of figures. Raises `KeyError` for one that nothing here draws."""
    if "sizes" in figures:
        return bars("CPU of a transfer, worker and PostgreSQL, by history (microseconds)", _history(figures), one=None)
    rows = [_engine(key, row["ratio"]) for key, row in figures.get("engine", {}).items()]
    rows += [
        Row(f"django-hordak, {NAMES[name]}, 8 processes", row["hordak"]["ratio"], GREY)
        for name, row in figures.get("hordak", {}).items()
    ]
    if not rows:
        raise KeyError("engine")
    note = "To be taken again: pgbench did not keep its pace in this run." if figures.get("warning") else ""
    return bars("Transfers completed per transaction of pgbench, same server", rows, one="pgbench = 1", note=note)


def bars(title: str, rows: Sequence[Row], *, one: str | None, note: str = "") -> str:
    """Bars that reach to the median, with a thin line over the range; a dashed line at 1 where `one` names it. `note`
    stands under the title."""
    most = max([1.0 if one else 0.0, *(row.values["max"] for row in rows)])
    unit = (WIDTH - LEFT - 70) / most
    height = TOP + len(rows) * (BAR + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="12" y="22" font-size="16">{escape(title)}</text>'
        f'<text x="12" y="40" fill="#b3261e">{escape(note)}</text>'
    ]
    for number, row in enumerate(rows):
        y = TOP + number * (BAR + GAP)
        middle = y + BAR / 2
        median, least, top = (row.values[name] * unit for name in ("median", "min", "max"))
        shown = f"{row.values['median']:.2f}" if most < 100 else f"{row.values['median']:,.0f}"
        parts.append(
            f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(row.label)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{median:.1f}" height="{BAR}" fill="{row.colour}"/>'
            f'<path d="M{LEFT + least:.1f} {middle}H{LEFT + top:.1f}" stroke="#222"/>'
            f'<text x="{LEFT + top + 6:.1f}" y="{middle + 4}">{shown}</text>'
        )
    if one:
        line = LEFT + unit
        parts.append(f'<path d="M{line:.1f} {TOP - 8}V{height - 24}" stroke="#888" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{line:.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{escape(one)}</text>')
    return "".join([*parts, "</svg>\n"])


def _engine(key: str, ratio: dict[str, float]) -> Row:
    kind, workers, batch = key.split("_")
    number = workers[1:]
    label = f"{NAMES[kind]}, {number} worker{'s' * (number != '1')}, batch {int(batch[1:]):,}"
    return Row(label, ratio, COLOURS[kind])


def _history(figures: dict[str, Any]) -> list[Row]:
    return [
        Row(f"{what}, after {int(size):,}", row[part]["cpu_us"], colour)
        for part, what, colour in (("request", "request", BLUE), ("drain", "two steps", RED))
        for size, row in figures["sizes"].items()
    ]


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(json.loads(Path(sys.argv[1]).read_text())))
