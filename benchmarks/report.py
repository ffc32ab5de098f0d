"""`python -m benchmarks.report`: writes the figures of docs/figures/ into docs/PERFORMANCE.md and docs/SCALING.md.

A table stands between `<!-- figures: NAME -->` and `<!-- end -->`; the words around it are people's. `--check` only
says whether a page is behind its figures. What was not measured yet is written as such.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.suite import headline
from bridge.embedded.paths import CHECKOUT

FIGURES = CHECKOUT / "docs" / "figures"
PAGES = ("PERFORMANCE.md", "SCALING.md")
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
GOALS = (  # name in the JSON, what it is, goal, whether more is better
    ("ratio_spread", "engine, whole trail, two workers, a thousand funds", 1.0, True),
    ("ratio_hot", "the same, one hot fund", 1.2, True),
    ("ratio_core_spread", "its core alone, a thousand funds", 2.5, True),
    ("ratio_core_hot", "its core alone, one hot fund", 3.0, True),
    ("ratio_one_worker", "one worker, batches of 500, whole trail", 0.5, True),
    ("ratio_hordak_spread", "times django-hordak, a thousand funds", 5.0, True),
    ("ratio_hordak_hot", "times django-hordak, one hot fund", 6.0, True),
    ("ratio_intake", "`POST /transfers`, one each", 0.05, True),
    ("ratio_bulk", "`POST /transfers/bulk`, rows", 0.6, True),
    ("latency_ms", "request to completed, idle, median in ms", 250.0, False),
    ("ratio_balance", "p99 of a balance, from the cache ÷ from the database", 0.333, False),
    ("ratio_history", "cost after 10,000,000 transfers ÷ after 100,000", 1.15, False),
)
HOUR = 3600
RATES = (10_000, 100_000, 1_000_000, 10_000_000)
ONE_BY_ONE = 100_000  # an hour; where more come, none comes alone


def main() -> None:
    figures = {path.stem: json.loads(path.read_text()) for path in sorted(FIGURES.glob("*.json"))}
    behind = []
    for name in PAGES:
        page = CHECKOUT / "docs" / name
        text = page.read_text()
        fresh = BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]](figures) + found[3], text)
        if fresh != text:
            behind.append(name)
            if "--check" not in sys.argv:
                page.write_text(fresh)
    if behind and "--check" in sys.argv:
        sys.exit(f"Behind docs/figures: {', '.join(behind)}. Run python -m benchmarks.report.")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "Not measured yet.\n"
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _range(row: dict[str, float], digits: int = 2) -> str:
    return f"{row['median']:,.{digits}f} ({row['min']:,.{digits}f} to {row['max']:,.{digits}f})"


def _goals(figures: dict[str, Any]) -> str:
    bench = figures.get("bench", {})
    found = bench | headline(bench) if bench else {}
    one = bench.get("engine", {}).get("spread_w1_b500")
    found["ratio_one_worker"] = one["ratio"]["median"] if one else None
    found["ratio_balance"] = bench.get("balance_reads", {}).get("p99_ratio")
    found["ratio_history"] = figures.get("history", {}).get("ratio_history", {}).get("10000000", {}).get("cpu")
    rows = []
    for name, what, goal, more in GOALS:
        value = found.get(name)
        met = "not measured" if value is None else "met" if (value >= goal) == more or value == goal else "**missed**"
        shown = "–" if value is None else f"{value:,.3g}"
        rows.append((what, f"{'≥' if more else '≤'} {goal:g}", shown, met))
    return _table(("figure", "goal", "measured", ""), rows)


def _engine(figures: dict[str, Any]) -> str:
    rows = []
    for key, row in figures.get("bench", {}).get("engine", {}).items():
        kind, workers, batch = key.split("_")
        used = row.get("postgres") or {}
        rows.append(
            (
                {"spread": "thousand funds", "hot": "one hot fund"}[kind],
                workers[1:],
                f"{int(batch[1:]):,}",
                _range(row["ratio"]),
                f"{row['worker_cpu_us']:,.0f}",
                f"{used.get('backend_cpu_us', 0) + used.get('helper_cpu_us', 0):,.0f}" if used else "–",
                f"{used['wal_bytes'] / 1000:,.1f}" if used else "–",
                f"{used['wal_syncs']:,.3f}" if used else "–",
            )
        )
    head = ("into", "workers", "batch", "÷ pgbench", "Python µs", "PostgreSQL µs", "WAL KB", "fsyncs")
    return _table(head, rows)


def _ceilings(figures: dict[str, Any]) -> str:
    """What the ratio would be at most, by the CPU that a transfer takes beside that of one of pgbench's transactions,
    which keeps all cores busy."""
    bench, rows = figures.get("bench", {}), []
    cores = int(bench.get("settings", {}).get("cpus", 1))
    for key, row in bench.get("engine", {}).items():
        kind, workers, batch = key.split("_")
        if workers != "w2" or not row.get("postgres"):
            continue
        theirs = cores * 1e6 / row["reference"]["median"]
        postgres = row["postgres"]["backend_cpu_us"] + row["postgres"]["helper_cpu_us"]
        both = postgres + row["worker_cpu_us"]
        rows.append(
            (
                {"spread": "thousand funds", "hot": "one hot fund"}[kind],
                f"{int(batch[1:]):,}",
                f"{theirs:,.0f}",
                f"{both:,.0f}",
                f"{row['ratio']['median']:.2f}",
                f"{theirs / both:.2f}",
                f"{theirs / postgres:.2f}",
            )
        )
    head = ("into", "batch", "pgbench's µs", "ours, µs", "measured", "if no core ever waited", "if Python cost nothing")
    return _table(head, rows)


def _phases(figures: dict[str, Any]) -> str:
    found = figures.get("bench", {}).get("phases", {})
    rows = [
        (name, f"{row['wall_us']:,.0f}", f"{row['cpu_us']:,.0f}", f"{row['statements'] * 500:,.0f}")
        for name, row in sorted(found.items(), key=lambda item: -item[1]["wall_us"])
    ]
    return _table(("phase (· is a part of others)", "µs", "of it our own CPU", "statements per 500"), rows)


def _intake(figures: dict[str, Any]) -> str:
    bench, rows = figures.get("bench", {}), []
    for name, what in (("intake", "`POST /transfers`"), ("bulk", "rows of `POST /transfers/bulk`")):
        if row := bench.get(name):
            rows.append((what, _range(row["ratio"], 3), f"{row['rate']['median']:,.0f}"))
    return _table(("request", "÷ pgbench", "per second here"), rows)


def _hordak(figures: dict[str, Any]) -> str:
    rows = [
        (name, _range(row["bridge"]["ratio"]), _range(row["hordak"]["ratio"]), _range(row["times"], 1))
        for name, row in figures.get("bench", {}).get("hordak", {}).items()
    ]
    return _table(("into", "Bridge ÷ pgbench", "django-hordak ÷ pgbench", "times"), rows)


def _history(figures: dict[str, Any]) -> str:
    found = figures.get("history", {})
    rows = []
    for size, row in found.get("sizes", {}).items():
        grown = found.get("ratio_history", {}).get(size, {})
        both = [row[part] for part in ("request", "drain")]
        rows.append(
            (
                f"{int(size):,}",
                f"{row['bytes'] / 1e9:,.1f}",
                *(_range(part["cpu_us"], 0) for part in both),
                f"{sum(part['postgres']['blocks_hit'] + part['postgres']['blocks_read'] for part in both):,.0f}",
                f"{sum(part['postgres']['wal_bytes'] for part in both) / 1000:,.1f}",
                f"{grown['cpu']:.2f}" if grown else "1",
            )
        )
    return _table(("history", "GB", "request, µs", "two steps, µs", "blocks", "WAL KB", "CPU, times the first"), rows)


def _lists(figures: dict[str, Any]) -> str:
    found = figures.get("lists", {}).get("rows", {})
    sizes = list(found)
    rows = []
    for what in dict.fromkeys(name for size in sizes for name in found[size]):
        cells = [found[size].get(what) for size in sizes]
        rows.append(
            (what, *(f"{c['p50_ms']:.1f} / {c['p99_ms']:.1f} ({c['blocks']:,.0f})" if c else "–" for c in cells))
        )
    return _table(("list", *(f"{int(size):,}: p50 / p99 ms (blocks)" for size in sizes)), rows)


def per_transfer(figures: dict[str, Any], *, smallest: bool = False) -> dict[str, float] | None:
    """What one transfer takes from being asked for in bulk to completed: the model's constants.

    By two workers in the largest batches, or in batches of one.
    """
    history, bench = figures.get("history"), figures.get("bench")
    if not history or not bench:
        return None
    first = next(iter(history["sizes"].values()))
    base = int(next(iter(history["sizes"])))
    engine = bench["engine"]
    sizes = sorted((int(k.split("_b")[1]), k) for k in engine if k.startswith("spread_w2_"))
    key = sizes[0 if smallest else -1][1]
    drain, request = engine[key], first["request"]
    used, asked = drain["postgres"], request["postgres"]
    return {
        "python_us": drain["worker_cpu_us"] + request["worker_cpu_us"],
        "postgres_us": sum(part[name] for part in (used, asked) for name in ("backend_cpu_us", "helper_cpu_us")),
        "wal_bytes": used["wal_bytes"] + asked["wal_bytes"],
        "syncs": used["wal_syncs"] + asked["wal_syncs"],
        "commits": used["commits"] + asked["commits"],
        "disk_bytes": first["bytes"] / base,
    }


def _model(figures: dict[str, Any]) -> str:
    cost, alone = per_transfer(figures), per_transfer(figures, smallest=True)
    if cost is None or alone is None:
        return "Not measured yet.\n"
    rows = []
    for rate in RATES:
        second = rate / HOUR
        rows.append(
            (
                f"{rate:,}",
                f"{second * cost['python_us'] / 1e6:,.2f}",
                f"{second * cost['postgres_us'] / 1e6:,.2f}",
                f"{second * cost['wal_bytes'] / 1e6:,.1f}",
                f"{second * cost['syncs']:,.1f}",
                f"{second * cost['commits']:,.1f}",
                f"{rate * 24 * cost['disk_bytes'] / 1e9:,.0f}",
                f"{second * (alone['python_us'] + alone['postgres_us']) / 1e6:,.2f}" if rate <= ONE_BY_ONE else "–",
                f"{second * alone['syncs']:,.1f}" if rate <= ONE_BY_ONE else "–",
            )
        )
    head = ("transfers an hour", "Python cores", "PostgreSQL cores", "WAL MB/s", "fsyncs/s", "commits/s", "GB a day",
            "all cores, batches of one", "fsyncs/s, batches of one")  # fmt: skip
    return _table(head, rows)


def _constants(figures: dict[str, Any]) -> str:
    cost, alone = per_transfer(figures), per_transfer(figures, smallest=True)
    if cost is None or alone is None:
        return "Not measured yet.\n"
    units = {"python_us": "µs of Python", "postgres_us": "µs of PostgreSQL", "wal_bytes": "bytes of WAL",
             "syncs": "fsyncs", "commits": "commits", "disk_bytes": "bytes on disk"}  # fmt: skip
    rows = [(_figures(cost[name]), _figures(alone[name]), unit) for name, unit in units.items()]
    return _table(("a transfer takes", "in batches of one", "of"), rows)


def _figures(value: float) -> str:
    """Three of them count."""
    return f"{float(f'{value:.3g}'):,.5g}" if value < 1e5 else f"{float(f'{value:.3g}'):,.0f}"


def _workers(figures: dict[str, Any]) -> str:
    bench = figures.get("bench", {})
    found = headline(bench)["ratio_workers"] if bench.get("engine") else {}
    first = next(iter(found.values()), 1.0)
    rows = [(number, f"{ratio:.2f}", f"{ratio / first:.2f}") for number, ratio in found.items()]
    return _table(("workers", "÷ pgbench", "times one worker"), rows)


def _where(figures: dict[str, Any]) -> str:
    rows = []
    for name, row in figures.items():
        said = row.get("settings", {})
        text = ", ".join(f"{key} {value}" for key, value in said.items() if key != "version")
        if row.get("warning"):
            text += f". **{row['warning']}**"
        rows.append((f"`docs/figures/{name}.json`", f"PostgreSQL {said.get('version')}; {text}"))
    return _table(("file", "taken under"), rows)


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "goals": _goals,
    "engine": _engine,
    "ceilings": _ceilings,
    "phases": _phases,
    "hordak": _hordak,
    "intake": _intake,
    "history": _history,
    "lists": _lists,
    "model": _model,
    "constants": _constants,
    "workers": _workers,
    "where": _where,
}

if __name__ == "__main__":
    main()
