"""What a run shows at its end: tables for people, one object for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.kernel.money import display
from bridge.management.demo.batch import Run

WIDTH = 24
SHOWN = 20
COLOURS = {
    "completed": "green", "refunded": "yellow", "returned": "yellow", "failed": "red", "rejected": "red",
    "cancelled": "bright_black", "expired": "bright_black",
}  # fmt: skip


def show(run: Run, console: Console) -> None:
    console.print(_states(run))
    console.print(_funds(run))
    console.print(_proof(run))
    for title, lines in (("Not as it should be", run.problems), ("Books", _differences(run))):
        for line in lines[:SHOWN]:
            console.print(Text(f"{title}: {line}", style="red"), soft_wrap=True)
        if len(lines) > SHOWN:
            console.print(Text(f"{title}: … and {len(lines) - SHOWN} more", style="red"))
    console.print(f"Bridge's clock: {run.clock}", highlight=False)
    verdict = "The demo holds." if run.holds else "The demo FAILS."
    console.print(Text(verdict, style="bold green" if run.holds else "bold red"))


def as_json(run: Run) -> dict[str, Any]:
    kinds: dict[str, Counter[str]] = {}
    for kind, state in _by_kind(run):
        kinds.setdefault(kind, Counter())[state] += 1
    return {
        "holds": run.holds,
        "seed": run.seed,
        "asked": run.asked,
        "transfers": len(run.transfers),
        "states": dict(run.states),
        "kinds": {kind: dict(states) for kind, states in sorted(kinds.items())},
        "seconds": round(run.seconds, 2),
        "answered_seconds": round(run.answered_seconds, 2),
        "transfers_per_second": round(_rate(run), 2),
        "clock_advanced_seconds": run.advanced,
        "clock": run.clock,
        "funds": [
            {name: row[name] for name in ("id", "code", "status", "currency", "seats", "amounts")} for row in run.funds
        ],
        "money_on_the_bridge": run.proof.inside,
        "money_on_the_bridge_of_everybody": run.proof.inside_all,
        "references": run.proof.references,
        "differences": [asdict(item) for item in run.proof.differences],
        "new_breaks": run.proof.breaks,
        "reconciliation_problems": run.proof.problems,
        "invariants": run.proof.invariants,
        "broken_invariants": run.proof.broken,
        "problems": run.problems,
    }


def _by_kind(run: Run) -> list[tuple[str, str]]:
    states = {row["id"]: str(row["state"]) for row in run.transfers}
    return [(row.planned.kind, states.get(row.id, "lost" if row.id else "refused")) for row in run.sent]


def _states(run: Run) -> Table:
    table = Table("state", "transfers", "", "asked as", title=f"{len(run.transfers)} transfers", title_justify="left")
    kinds = Counter(_by_kind(run))
    for state, number in run.states.most_common():
        asked = ", ".join(
            f"{kind.replace('_', ' ')} {count}" for (kind, end), count in kinds.most_common() if end == state
        )
        table.add_row(
            Text(state, style=COLOURS.get(state, "magenta")), str(number), _bar(number, run.asked), Text(asked, "dim")
        )
    return table


def _funds(run: Run) -> Table:
    table = Table("fund", "status", "seats", "", "confirmed", "", title="Funds", title_justify="left")
    for row in sorted(run.funds, key=lambda row: -row["amounts"]["confirmed"]):
        seats, amounts = row["seats"], row["amounts"]
        taken = seats["held"] + seats["confirmed"]
        table.add_row(
            row["name"],
            row["status"],
            f"{taken}/{seats['limit'] or '∞'}",
            _bar(taken, seats["limit"]),
            display(amounts["confirmed"], row["currency"]),
            _bar(amounts["confirmed"] + amounts["reserved"], amounts["hard_cap"]),
        )
    return table


def _bar(part: int, whole: int | None) -> Text:
    if not whole:
        return Text("")
    filled = min(WIDTH, -(-part * WIDTH // whole))
    return Text("█" * filled, style="cyan").append("·" * (WIDTH - filled), style="dim")


def _proof(run: Run) -> Table:
    proof = run.proof
    table = Table("question", "answer", title="Proof", title_justify="left")

    def row(question: str, answer: str, good: bool = True) -> None:
        table.add_row(question, Text(answer, style="" if good else "bold red"))

    row("Transfers at their end", f"{len(run.transfers) - len(run.open)} of {run.asked}", not run.open)
    row("Money left on the bridge", _money(proof.inside), not proof.inside)
    if proof.inside_all != proof.inside:
        row("… with the transfers of earlier batches that have not ended", _money(proof.inside_all))
    row(
        "The bank's books against ours, per reference",
        f"{proof.references} references, {len(proof.differences)} differences",
        not proof.differences,
    )
    breaks = f"{proof.breaks} new breaks" + "".join(f"; {problem}" for problem in proof.problems)
    row("Reconciliation", breaks, not proof.breaks and not proof.problems)
    broken = ", ".join(item["name"] for item in proof.broken)
    row("check_ledger", (broken and f"FAILS: {broken}") or f"all {proof.invariants} invariants hold", not broken)
    row("Time", f"{run.seconds:.1f} s, of which {run.answered_seconds:.1f} s to answer every request")
    row("Rate", f"{_rate(run):.1f} transfers/s, request to end")
    row("Clock moved by", f"{run.advanced / 86400:.1f} days")
    return table


def _money(amounts: dict[str, int]) -> str:
    return ", ".join(display(amount, currency) for currency, amount in sorted(amounts.items())) or "nothing"


def _rate(run: Run) -> float:
    return len(run.transfers) / run.seconds if run.seconds else 0.0


def _differences(run: Run) -> list[str]:
    found = [f"{item.reference}: {item.why} Ours {item.ours}, theirs {item.theirs}." for item in run.proof.differences]
    return found + [f"{item['name']} {item['promise']} {row}" for item in run.proof.broken for row in item["rows"]]
