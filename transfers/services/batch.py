"""One unit of work over some transfers: everything they touch, locked in order, decided in memory, written in bulk.

A service opens a batch, makes transitions, notes what happened, and saves. `save` writes each table once, whatever
the number of transfers: events first (the database refuses a changed transfer without its event), transfers,
instructions, work, holds, places, decisions, and the ledger last (its rows are last in the order of locks). Then it
announces. A transfer that takes two steps in one batch is written in two waves.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import cache, holds
from accounts.ledger import services as ledger
from accounts.ledger.rows import Draft, Parties
from accounts.models import InvestorAccount
from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.events import services as events
from bridge.events.models import Event
from bridge.kernel import bulk, locking
from bridge.kernel.results import Actor
from funds import services as funds
from funds.places import Places
from transfers import waking
from transfers.models import BankInstruction, Transfer, Work
from transfers.signals import Announcement, transfers_changed
from transfers.states import Step

_MUTABLE = [
    "fund",
    "amount",
    "state",
    "version",
    "next_step",
    "blocker_code",
    "blocker_message",
    "blocked_at",
    "expires_at",
    "approved_by",
    "updated_at",
    "approved_at",
    "withdrawn_at",
    "completed_at",
    "ended_at",
    "expected_at",
    "final_at",
]
_INSTRUCTION_MUTABLE = [
    "state",
    "institution_reference",
    "settled_amount",
    "returned_amount",
    "fee",
    "return_code",
    "reason",
    "sends",
    "last_sent_at",
    "acknowledged_at",
    "settled_at",
    "ended_at",
]

REVIEW = "transfer.review"
AWAKE = (Step.WITHDRAW, Step.DEPOSIT, Step.REFUND, Step.RECALL)


class Batch:
    """Everything that one unit of work changes. Use inside `unit_of_work()`."""

    def __init__(self, *, actor: Actor, at: datetime) -> None:
        self.actor = actor
        self.at = at
        self.transfers: dict[uuid.UUID, Transfer] = {}
        self.instructions: dict[uuid.UUID, BankInstruction] = {}
        self.accounts: dict[uuid.UUID, InvestorAccount] = {}
        self.places: Places | None = None
        self._waves: list[dict[uuid.UUID, Transfer]] = [{}]
        self._born: dict[uuid.UUID, Transfer] = {}
        self._facts: list[tuple[events.Fact, Transfer]] = []
        self._new_instructions: list[BankInstruction] = []
        self._changed_instructions: dict[uuid.UUID, BankInstruction] = {}
        self._work: dict[uuid.UUID, Work] = {}
        self._finished: set[uuid.UUID] = set()
        self._movements: list[holds.Movement] = []
        self._drafts: list[Draft] = []
        self._verified: list[funds.Verified] = []
        self._previous: dict[uuid.UUID, str] = {}
        self._proposals: list[Proposal] = []
        self._decided: dict[uuid.UUID, tuple[str, str]] = {}

    # --- locks, in this order

    def lock_transfers(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Transfer]:
        rows = locking.lock(Transfer.objects.select_related("fund"), ids)
        self.transfers |= {row.id: row for row in rows}
        self._previous |= {row.id: row.state for row in rows}
        return self.transfers

    def lock_instructions(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BankInstruction]:
        self.instructions = {row.id: row for row in locking.lock(BankInstruction.objects.all(), ids)}
        return self.instructions

    def lock_accounts(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, InvestorAccount]:
        rows = locking.lock(InvestorAccount.objects.select_related("investor"), ids)
        self.accounts = {row.id: row for row in rows}
        return self.accounts

    def lock_places(self, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]], transfer_ids: Iterable[uuid.UUID]) -> Places:
        self.places = Places.lock(pairs=pairs, transfer_ids=transfer_ids)
        return self.places

    def lock_places_of(self, transfers: Sequence[Transfer]) -> Places:
        return self.lock_places([(row.fund_id, row.investor_id) for row in transfers], [row.id for row in transfers])

    # --- changes

    def bear(self, transfer: Transfer) -> None:
        """A transfer that this batch creates."""
        self._born[transfer.id] = transfer
        self._previous[transfer.id] = ""

    def note(self, transfer: Transfer, type: str, **data: Any) -> None:
        """One thing that happened to a transfer: its next version, its event, its announcement."""
        previous = self._previous.get(transfer.id, "")
        transfer.version += 1
        transfer.updated_at = self.at
        body = {
            "amount": transfer.amount,
            "currency": transfer.currency,
            "source_account": transfer.source_account_id,
            "fund": transfer.fund_id,
            "investor": transfer.investor_id,
            "previous_state": previous,
            **data,
        }
        fact = events.Fact("transfer", transfer.id, type, str(transfer.state), transfer.version, body)
        self._facts.append((fact, transfer))
        self._previous[transfer.id] = transfer.state
        if transfer.id in self._born:
            return
        if transfer.id in self._waves[-1]:
            self._waves.append({})
        self._waves[-1][transfer.id] = copy.copy(transfer)

    def instruct(self, instruction: BankInstruction) -> None:
        """A new order, committed as submitted before anybody sends it."""
        self._new_instructions.append(instruction)

    def answered(self, instruction: BankInstruction) -> None:
        self._changed_instructions[instruction.id] = instruction

    def post(self, draft: Draft) -> None:
        self._drafts.append(draft)

    def move(self, movement: holds.Movement) -> None:
        self._movements.append(movement)

    def verified(self, row: funds.Verified) -> None:
        self._verified.append(row)

    def schedule(self, transfer: Transfer, step: Step, due_at: datetime | None, *, tries: int = 0) -> None:
        """What moves this transfer next, and when."""
        self._finished.discard(transfer.id)
        self._work[transfer.id] = Work(
            transfer_id=transfer.id,
            account_id=transfer.source_account_id,
            account_seq=transfer.account_seq,
            step=step,
            due_at=due_at,
            tries=tries,
        )

    def finish(self, transfer: Transfer) -> None:
        """Nothing is left to do for it."""
        self._work.pop(transfer.id, None)
        self._finished.add(transfer.id)

    def ask(self, proposal: Proposal) -> None:
        """A second person must decide about a transfer of this batch."""
        self._proposals.append(proposal)

    def decided(self, transfer: Transfer, state: str, reason: str = "") -> None:
        """Close the open review of a transfer, where it has one."""
        self._decided[transfer.id] = (state, reason)

    def parties(self, transfer: Transfer, instruction: BankInstruction | None, at: datetime | None = None) -> Parties:
        """Between whom the money of this transfer moves; `at` is the bank's date where the bank gave one."""
        return Parties(
            transfer_id=transfer.id,
            account_id=transfer.source_account_id,
            fund_id=transfer.fund_id,
            currency=transfer.currency,
            effective_at=at or self.at,
            instruction_id=instruction.id if instruction else None,
        )

    # --- writing

    def save(self) -> None:
        """Write everything and announce it."""
        written = events.append(
            facts=[fact for fact, _ in self._facts], actor=self.actor, at=self.at, newborn=self._born
        )
        bulk.insert(Transfer, list(self._born.values()))
        for wave in self._waves:
            bulk.update(Transfer, list(wave.values()), fields=_MUTABLE)
        bulk.insert(BankInstruction, self._new_instructions)
        bulk.update(BankInstruction, list(self._changed_instructions.values()), fields=_INSTRUCTION_MUTABLE)
        self._save_work()
        holds.apply(self._movements)
        if self.places is not None:
            self.places.save(at=self.at)
        funds.record_verifications(rows=self._verified, at=self.at)
        self._save_approvals()
        ledger.post(drafts=self._drafts, at=self.at)
        self._announce(written)
        moved = {movement.account_id for movement in self._movements}
        if moved:
            transaction.on_commit(lambda: cache.invalidate(moved))
        if any(row.step in AWAKE for row in self._work.values()):
            transaction.on_commit(waking.wake)

    def _save_work(self) -> None:
        bulk.insert(
            Work,
            list(self._work.values()),
            suffix="ON CONFLICT (transfer_id) DO UPDATE SET step = EXCLUDED.step, due_at = EXCLUDED.due_at, "
            "lease_until = NULL, tries = EXCLUDED.tries",
        )
        if self._finished:
            Work.objects.filter(pk__in=list(self._finished)).delete()

    def _save_approvals(self) -> None:
        if self._decided:
            open_ones = approvals.open_of(self._decided, kind=REVIEW)
            for state, reason in sorted(set(self._decided.values())):
                rows = [row for row in open_ones if self._decided[row.subject_id] == (state, reason)]
                approvals.close(rows=rows, state=state, actor=self.actor, at=self.at, reason=reason)
        approvals.open_requests(proposals=self._proposals, actor=self.actor, at=self.at)

    def _announce(self, written: list[Event]) -> None:
        if not written:
            return
        announcements = tuple(
            Announcement(event=event, transfer=transfer)
            for event, (_, transfer) in zip(written, self._facts, strict=True)
        )
        transfers_changed.send(sender=Transfer, announcements=announcements)
