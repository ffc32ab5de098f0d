"""One unit of work over some transfers: everything they touch, locked in order, decided in memory, written in bulk.

A service opens a batch, makes transitions, notes what happened, and saves. `save` writes each table once, whatever
the number of transfers: events first (the database refuses a changed transfer without its event), transfers,
instructions, work, holds, places, decisions, and the ledger last (its rows are last in the order of locks). Then it
announces. A transfer that takes two steps in one batch is written in two waves.

Longer than most modules: all that one unit of work may change is in one place, in the order in which it is written.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Model

from accounts import cache, holds
from accounts.ledger import firm
from accounts.ledger import services as ledger
from accounts.ledger.kinds import Kind
from accounts.ledger.rows import Draft, Parties, Place
from accounts.models import Investor, InvestorAccount
from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.events import services as events
from bridge.events.models import Event
from bridge.kernel import bulk, compiled, crashpoints, locking, rows
from bridge.kernel.results import Actor
from bridge.kernel.together import send, together
from bridge.kernel.transactions import telling
from funds import services as funds
from funds.criteria import RULES
from funds.models import Fund
from funds.places import Places
from transfers import waking
from transfers.models import BankInstruction, Transfer, Work
from transfers.policy import LAYERS
from transfers.services.family import Books, relatives
from transfers.signals import Announcement, transfers_changed
from transfers.states import State, Step

Values = tuple[Any, ...]  # a row as it is at one moment, whatever becomes of it

_MUTABLE = [
    "fund",
    "refund_account",
    "amount",
    "cut_back",
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
    "bridge_since",
    "completed_at",
    "ended_at",
    "expected_at",
    "final_at",
]
_TEXT = {state.value: state.value for state in State}  # found by a state as well as by its text
_READ = [name for name in rows.names(Transfer) if name != "metadata"]  # JSON that the engine does not look at
_WRITTEN = ["id", *(name for name in rows.names(Transfer) if name.removesuffix("_id") in _MUTABLE)]
_as_written: Callable[[Any], Values] = attrgetter(*_WRITTEN)  # type: ignore[assignment]
_INSTRUCTION_MUTABLE = [
    "state",
    "institution_reference",
    "settled_amount",
    "returned_amount",
    "fee",
    "return_fee",
    "return_code",
    "reason",
    "sends",
    "last_sent_at",
    "acknowledged_at",
    "settled_at",
    "ended_at",
]

_ORDER_WRITTEN = ["id", *_INSTRUCTION_MUTABLE]
_order_as_written: Callable[[Any], Values] = attrgetter(*_ORDER_WRITTEN)  # type: ignore[assignment]

ASKED = (events.EPOCH, LAYERS, RULES)  # for by nearly every unit of work over transfers
beginning = telling(*ASKED)
REVIEW = "transfer.review"
AWAKE = (Step.WITHDRAW, Step.DEPOSIT, Step.REFUND, Step.RECALL)


class _Due(NamedTuple):
    """A row of `Work` to be."""

    transfer: uuid.UUID
    account_id: uuid.UUID
    account_seq: int
    step: Step
    due_at: datetime | None
    tries: int


class Batch:
    """Everything that one unit of work changes. Use inside `unit_of_work()`."""

    def __init__(self, *, actor: Actor, at: datetime) -> None:
        self.actor = actor
        self.at = at
        self.transfers: dict[uuid.UUID, Transfer] = {}
        self.instructions: dict[uuid.UUID, BankInstruction] = {}
        self.accounts: dict[uuid.UUID, InvestorAccount] = {}
        self.places: Places | None = None
        self._waves: list[list[tuple[Values, Values]]] = []
        self._orders_before: dict[uuid.UUID, Values] = {}
        self._born: dict[uuid.UUID, Transfer] = {}
        self._facts: list[tuple[events.Fact, Transfer]] = []
        self._new_instructions: list[BankInstruction] = []
        self._changed_instructions: dict[uuid.UUID, BankInstruction] = {}
        self._work: dict[uuid.UUID, _Due] = {}
        self._finished: set[uuid.UUID] = set()
        self._movements: list[holds.Movement] = []
        self._drafts: list[Draft] = []
        self._verified: list[funds.Verified] = []
        self._proposals: list[Proposal] = []
        self._decided: dict[uuid.UUID, tuple[str, str]] = {}
        self.books = Books()
        self.owing: set[uuid.UUID] = set()  # transfers for which the firm has advanced money at some time

    # --- locks, in this order

    def lock_transfers(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Transfer]:
        found = locking.lock(Transfer.objects.only(*_READ), ids)
        funds_of = compiled.by_key(Fund, {row.fund_id for row in found})
        rows.relate(found, "fund", {fund.id: fund for fund in funds_of})
        for row in found:
            row.told_state = row.state
            row.written = _as_written(row)
            self.transfers[row.id] = row
        return self.transfers

    def lock_families(self, transfer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Transfer]:
        """Lock these transfers with everything of their split families."""
        found = self.lock_transfers(relatives(transfer_ids))
        # A child may have been born before the locks were ours: it is younger, so the order of locks is kept.
        while late := relatives(found, but=found):
            found = self.lock_transfers(late)
        return found

    def family_of(self, transfer: Transfer) -> list[Transfer]:
        """The locked family of a transfer, the oldest first."""
        rows = [row for row in self.transfers.values() if row.family_id == transfer.family_id]
        return sorted(rows, key=lambda row: row.id)

    def load_books(self, transfers: Iterable[Transfer]) -> Books:
        """From now on `books` knows where the money of these transfers is, what this batch posts included."""
        self.books.load([row.id for row in transfers], pending=self._drafts)
        return self.books

    def lock_instructions(self, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BankInstruction]:
        found = locking.lock(BankInstruction.objects.all(), ids)
        self.instructions = {row.id: row for row in found}
        self._orders_before = {row.id: _order_as_written(row) for row in found}
        return self.instructions

    def lock_accounts(self, ids: Iterable[uuid.UUID], *, owners: bool = True) -> dict[uuid.UUID, InvestorAccount]:
        """The accounts, with their owners unless the caller reads these with others (`verifying.Files`)."""
        found = locking.lock(InvestorAccount.objects.all(), ids)
        if owners:
            known = compiled.by_key(Investor, {row.investor_id for row in found})
            rows.relate(found, "investor", {owner.id: owner for owner in known})
        self.accounts = {row.id: row for row in found}
        for row in self.transfers.values():
            account = self.accounts.get(row.source_account_id)
            if account is not None:
                row._state.fields_cache["source_account"] = account
        return self.accounts

    def lock_places(self, pairs: Iterable[tuple[uuid.UUID, uuid.UUID]], transfer_ids: Iterable[uuid.UUID]) -> Places:
        self.places = Places.lock(pairs=pairs, transfer_ids=transfer_ids)
        return self.places

    def lock_places_of(self, transfers: Sequence[Transfer]) -> Places:
        return self.lock_places([(row.fund_id, row.investor_id) for row in transfers], [row.id for row in transfers])

    def watch_places_of(self, transfers: Sequence[Transfer]) -> Places:
        """`lock_places_of` for who will rarely change more than the transfers' own reservations: see `Places.watch`."""
        pairs = [(row.fund_id, row.investor_id) for row in transfers]
        self.places = Places.watch(pairs=pairs, transfer_ids=[row.id for row in transfers])
        return self.places

    def lock_places_of_families(self, transfers: Sequence[Transfer]) -> Places:
        """Lock also the places at funds that these transfers were redirected from: a deposit that was sent there may
        settle after all."""
        former = BankInstruction.objects.filter(
            bulk.Among("transfer_id", [row.id for row in transfers]), kind=BankInstruction.Kind.DEPOSIT
        )
        pairs = {(row.fund_id, row.investor_id) for row in transfers}
        for transfer_id, fund_id in former.order_by().values_list("transfer_id", "fund_id").distinct():
            pairs.add((fund_id, self.transfers[transfer_id].investor_id))
        return self.lock_places(pairs, [row.id for row in transfers])

    # --- changes

    def bear(self, transfer: Transfer) -> None:
        """A transfer that this batch creates."""
        self._born[transfer.id] = transfer
        if transfer.split_from_id is not None:
            self.transfers[transfer.id] = transfer
            self.books.born(transfer.id)
        transfer.told_state = ""

    def note(self, transfer: Transfer, type: str, **data: Any) -> None:
        """One thing that happened to a transfer: its next version, its event, its announcement.

        It is written as it is now: what is changed after the last note is not.
        """
        state = transfer.state
        previous, transfer.told_state = transfer.told_state, state
        transfer.version += 1
        transfer.updated_at = self.at
        body = {
            "amount": transfer.amount,
            "currency": transfer.currency,
            "source_account": str(transfer.source_account_id),
            "fund": str(transfer.fund_id),
            "investor": str(transfer.investor_id),
            "previous_state": previous,
            **{name: str(value) if value.__class__ is uuid.UUID else value for name, value in data.items()},
        }
        fact = events.Fact("transfer", transfer.id, type, _TEXT[state], transfer.version, body)
        self._facts.append((fact, transfer))
        if self._born and transfer.id in self._born and not (transfer.split_from_id and transfer.version > 1):
            if transfer.split_from_id:  # it may move on within this batch, and is born as it is now
                self._born[transfer.id] = rows.copy(transfer)
            return
        while len(self._waves) <= transfer.told:
            self._waves.append([])
        before, transfer.written = transfer.written, _as_written(transfer)
        self._waves[transfer.told].append((before, transfer.written))
        transfer.told += 1

    def instruct(self, instruction: BankInstruction) -> None:
        """A new order, committed as submitted before anybody sends it."""
        self._new_instructions.append(instruction)

    def answered(self, instruction: BankInstruction) -> None:
        self._changed_instructions[instruction.id] = instruction

    def post(self, draft: Draft) -> None:
        self._drafts.append(draft)
        if self.books.known:
            self.books.note(draft)

    def free_float(self, currency: str) -> int:
        """What of the firm's own money is still free, in minor units, with what this batch posts. Locks its account."""
        own = Place(None, Kind.FIRM_ADVANCE)
        moved = (
            line.amount
            for draft in self._drafts
            if draft.currency == currency
            for line in draft.lines
            if line.place == own
        )
        return firm.free_alone(currency) + sum(moved)

    def move(self, movement: holds.Movement) -> None:
        self._movements.append(movement)

    def verified(self, row: funds.Verified) -> None:
        self._verified.append(row)

    def schedule(self, transfer: Transfer, step: Step, due_at: datetime | None, *, tries: int = 0) -> None:
        """What moves this transfer next, and when."""
        if self._finished:
            self._finished.discard(transfer.id)
        self._work[transfer.id] = _Due(
            transfer.id, transfer.source_account_id, transfer.account_seq, step, due_at, tries
        )

    def finish(self, transfer: Transfer) -> None:
        """Nothing is left to do for it."""
        if self._work:
            self._work.pop(transfer.id, None)
        self._finished.add(transfer.id)

    def ask(self, proposal: Proposal) -> None:
        """A second person must decide about a transfer of this batch."""
        self._proposals.append(proposal)

    def decided(self, transfer: Transfer, state: str, reason: str = "") -> None:
        """Close the open review of a transfer, where it has one."""
        self._decided[transfer.id] = (state, reason)

    def parties(self, transfer: Transfer, instruction: BankInstruction | None, at: datetime | None = None) -> Parties:
        """Between whom the money of this transfer moves; `at` is the bank's date where the bank gave one. An order is
        about the fund that it was sent to, whatever the transfer was redirected to since."""
        return Parties(
            transfer_id=transfer.id,
            account_id=transfer.source_account_id,
            fund_id=(instruction and instruction.fund_id) or transfer.fund_id,
            currency=transfer.currency,
            effective_at=at or self.at,
            instruction_id=instruction.id if instruction else None,
        )

    # --- writing

    def save(self) -> None:
        """Write everything and announce it: one statement where there is little, see `together`."""
        with together():
            self._write()
        crashpoints.reach_legs(self._new_instructions, crashpoints.Moment.INTENT_WRITTEN)
        moved = {movement.account_id for movement in self._movements}
        if moved:
            transaction.on_commit(lambda: cache.invalidate(moved))
        if due := sum(row.step in AWAKE for row in self._work.values()):
            transaction.on_commit(functools.partial(waking.wake, due=due))

    def _write(self) -> None:
        written = events.append(
            facts=[fact for fact, _ in self._facts], actor=self.actor, at=self.at, newborn=self._born
        )
        bulk.insert(Transfer, list(self._born.values()))
        for wave in filter(None, self._waves):
            before, after = zip(*wave, strict=True)
            _update(Transfer, _WRITTEN, before, after)
        bulk.insert(BankInstruction, self._new_instructions)
        orders = self._changed_instructions
        _update(
            BankInstruction,
            _ORDER_WRITTEN,
            [self._orders_before.get(number, ()) for number in orders],
            [_order_as_written(order) for order in orders.values()],
        )
        self._save_work()
        holds.apply(self._movements)
        if self.places is not None:
            self.places.save(at=self.at)
        funds.record_verifications(rows=self._verified, at=self.at)
        self._save_approvals()
        ledger.post(drafts=self._drafts, at=self.at)
        self._announce(written)

    def _save_work(self) -> None:
        due = zip(*self._work.values(), strict=True)
        bulk.insert_columns(
            Work,
            dict(zip(_Due._fields, map(list, due), strict=False)),
            suffix="ON CONFLICT (transfer_id) DO UPDATE SET step = EXCLUDED.step, due_at = EXCLUDED.due_at, "
            "lease_until = NULL, tries = EXCLUDED.tries",
        )
        if self._finished:
            send()
            Work.objects.filter(bulk.Among("pk", self._finished)).delete()

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


def _update(model: type[Model], names: Sequence[str], before: Sequence[Values], after: Sequence[Values]) -> None:
    """Write the columns that differ in any row; the first of `names` is the key. Nothing is known of what was `()`."""
    if not after:
        return
    was, now = zip(*before, strict=True) if all(before) else (), zip(*after, strict=True)
    key, *columns = now
    changed = dict(zip(names[1:], columns, strict=True))
    for name, column in zip(names, was, strict=False):
        if column == changed.get(name):
            del changed[name]
    bulk.update_columns(model, key, changed)
