"""After the batch: is all money where it should be, and does everybody say so?"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from accounts.ledger.kinds import BRIDGE_KINDS
from accounts.ledger.queries import by_transfer, money_on_the_bridge
from bridge.kernel import clock, ids, invariants
from bridge.kernel.results import Actor, Channel, Role
from bridge.management.demo.books import Difference, Ours, compare
from bridge.sandbox.client import SandboxControl
from transfers.models import BankInstruction
from transfers.reconciliation.running import reconcile

ACTOR = Actor(id="demo", role=Role.SYSTEM, channel=Channel.COMMAND, label="manage.py demo")


@dataclass(slots=True)
class Proof:
    """`inside`: what the batch left on the bridge, in minor units per currency; `inside_all`: what everybody did."""

    inside: dict[str, int] = field(default_factory=dict)
    inside_all: dict[str, int] = field(default_factory=dict)
    invariants: int = 0
    broken: list[dict[str, Any]] = field(default_factory=list)
    references: int = 0
    differences: list[Difference] = field(default_factory=list)
    breaks: int = 0
    problems: list[str] = field(default_factory=list)
    bank_total: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not (
            self.inside
            or self.broken
            or self.differences
            or self.breaks
            or self.problems
            or any(self.bank_total.values())
        )


def prove(*, transfers: Sequence[str], control: SandboxControl) -> Proof:
    """Ask the ledger, the invariants, the bank's own books and the reconciliation. `transfers` are TypeIDs."""
    connections.close_all()  # the database may have been away since we last asked
    theirs = control.call("GET", "/control/books")
    proof = Proof(bank_total=theirs["total"], inside_all=money_on_the_bridge())
    batch = [ids.decode("transfer", transfer) for transfer in transfers]
    proof.inside = _inside(batch)
    rows = [_ours(row) for row in BankInstruction.objects.all()]
    proof.references = len(rows)
    proof.differences = compare(ours=rows, theirs=theirs["instructions"])
    _reconcile(proof, batch)
    verdicts = list(invariants.verify_all())
    proof.invariants = len(verdicts)
    proof.broken = [
        {
            "name": verdict.name,
            "promise": verdict.promise,
            "rows": [{k: str(v) for k, v in row.items()} for row in verdict.rows],
        }
        for verdict in verdicts
        if not verdict.holds
    ]
    return proof


def _inside(batch: Sequence[uuid.UUID]) -> dict[str, int]:
    currencies = dict(
        BankInstruction.objects.filter(transfer__in=batch).order_by().values_list("transfer_id", "currency")
    )
    found: dict[str, int] = {}
    for transfer, kinds in by_transfer(batch).items():
        amount = sum(amount for kind, amount in kinds.items() if kind in BRIDGE_KINDS)
        if amount:
            currency = currencies[transfer]
            found[currency] = found.get(currency, 0) + amount
    return found


def _ours(row: BankInstruction) -> Ours:
    return Ours(
        row.key,
        row.kind,
        str(row.state),
        row.amount,
        row.currency,
        row.settled_amount,
        row.returned_amount,
        row.is_live,
    )


def _reconcile(proof: Proof, batch: Sequence[uuid.UUID]) -> None:
    """Every day on which something of the batch settled, and today."""
    settled = BankInstruction.objects.filter(transfer__in=batch, settled_at__isnull=False)
    days = {at.date() for at in settled.values_list("settled_at", flat=True) if at} | {clock.now().date()}
    for day in sorted(days):
        run = reconcile(date=day, actor=ACTOR)
        proof.breaks += run.new_breaks
        proof.problems += [f"{item['institution']}: {item['problem']}" for item in run.problems]
