"""A family of transfers on paper: the real legs, batch, places and ledger rows, without a database.

`Desk` plays what banks report and what people and the engine begin, straight through the code that decides, and keeps
the books that a database would keep. So a random walk over evidence costs microseconds where a stored one costs
milliseconds. What only the database knows (triggers, locks, concurrency) is tested elsewhere.

Longer than most modules: one desk, from intent to books.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime
from unittest import mock

from accounts.ledger import rows
from accounts.ledger.kinds import Kind
from accounts.ledger.queries import Whereabouts
from accounts.ledger.rows import Draft
from accounts.models import Investor, InvestorAccount
from bridge.kernel import clock
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import ENGINE
from funds.models import Fund, Reservation
from funds.places import Places, _Room
from transfers.checks import PLACES_OF_MONEY
from transfers.models import BankInstruction, Transfer
from transfers.services import depositing, freezing, orders, outcomes, splitting, unwinding, withdrawing
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.services.family import Books
from transfers.services.following import follow
from transfers.states import EDGES, ENDED, LIVE, RESERVING, NextStep, State, Step

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LEGS = {"withdrawal": withdrawing.LEG, "deposit": depositing.LEG, "refund": unwinding.LEG}
_SIGNED = {Kind.CASH, Kind.FEES, Kind.OUTSIDE, Kind.FIRM_ADVANCE}


@contextmanager
def on_paper() -> Iterator[None]:
    """No database: the clock stands still, and no scope has set parameters of its own."""
    with clock.pinned(START), mock.patch("transfers.policy.in_force", return_value={}):
        yield


class PaperBatch(Batch):
    """A batch whose rows are the desk's own objects; `save` hands everything to the desk."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(actor=ENGINE, at=desk.now)
        self.desk = desk
        self.transfers = dict(desk.transfers)
        self.accounts = {desk.account.id: desk.account}
        self.places = desk.places
        self.owing = {key for key in desk.transfers if desk.whereabouts(key).advanced}
        for row in desk.transfers.values():
            row.told_state, row.told, row.written = row.state, 0, ()

    def load_books(self, transfers: Iterable[Transfer]) -> Books:
        for row in transfers:
            if row.id not in self.books._where:
                self.books._where[row.id] = deepcopy(self.desk.whereabouts(row.id))
                for draft in self._drafts:
                    self.books._move(draft, only={row.id: self.books.of(row.id)})
        return self.books

    def save(self) -> None:
        self.desk.take(self)


class Desk:
    """One investor, one account, two funds, and the transfers of the walk. Amounts in minor units."""

    def __init__(self, *, room: int = 10**12) -> None:
        self.now = START
        self.investor = Investor(id=uuid.uuid4(), legal_name="On Paper")
        self.account = InvestorAccount(id=uuid.uuid4(), investor=self.investor, institution="meridian", currency="USD")
        self.funds = [Fund(id=uuid.uuid4(), code=f"f{n}", institution="harbor", currency="USD") for n in range(2)]
        self.places = Places({fund.id: _Room(fund.id, None, room, 0, 0, 0) for fund in self.funds})
        self.transfers: dict[uuid.UUID, Transfer] = {}
        self.orders: list[BankInstruction] = []
        self.work: dict[uuid.UUID, Step] = {}
        self.rows: Counter[str] = Counter()
        self.balances: Counter[tuple[uuid.UUID | None, str]] = Counter()
        self.books = Books()
        self.last: dict[uuid.UUID, str] = {}  # the state in each transfer's last event
        self.arrows: Counter[tuple[str, str]] = Counter()
        self.bank = 0  # the real settlement account
        self.added: Counter[uuid.UUID] = Counter()  # by family: what people added
        self._seq = itertools.count(1)

    # --- what begins

    def approved(self, amount: int = 100_000, fund: Fund | None = None) -> Transfer:
        key = uuid.uuid4()
        row = Transfer(
            id=key,
            family_id=key,
            source_account=self.account,
            account_seq=next(self._seq),
            investor=self.investor,
            fund=fund or self.funds[0],
            amount=amount,
            requested_amount=amount,
            currency="USD",
            state=State.APPROVED,
            requested_by="investor",
            created_at=self.now,
            updated_at=self.now,
        )
        self.places.reserve(
            transfer_id=key,
            fund_id=row.fund_id,
            investor_id=self.investor.id,
            amount=amount,
            expires_at=None,
            at=self.now,
        )
        self.transfers[key] = row
        self.work[key] = Step.WITHDRAW
        return row

    def begin(self, row: Transfer, kind: str) -> BankInstruction | None:
        """As the engine does after its rules have passed: intent, transition, posting. None where no place is left."""
        batch = PaperBatch(self)
        if kind == "deposit" and not depositing.has_its_place(self.places, row):
            row.next_step = NextStep.REFUND
            return None
        attempt = 1 + sum(order.transfer_id == row.id and order.kind == kind for order in self.orders)
        order = orders.instruct(batch, row, InstructionKind(kind), attempt=attempt)
        who = batch.parties(row, order)
        if kind == "withdrawal":
            row.begin_withdrawal(at=self.now)
            batch.post(rows.withdrawal_submitted(who, amount=order.amount))
        elif kind == "deposit":
            row.begin_deposit(at=self.now)
            batch.post(rows.deposit_submitted(who, amount=order.amount))
        else:
            self.places.release(row.id)
            row.begin_refund(at=self.now)
            batch.post(rows.refund_submitted(who, amount=order.amount))
        batch.note(row, f"transfer.{row.state}", instruction=order.id, attempt=attempt)
        batch.schedule(row, Step(f"ask_{kind}"), self.now)
        batch.save()
        return order

    # --- what banks say

    def report(self, order: BankInstruction, outcome: Outcome, **facts: int) -> None:
        """One report with cumulative facts; what it moves at the bank is added up as well."""
        batch = PaperBatch(self)
        row = self.transfers[order.transfer_id]
        said = Report(key=order.key, outcome=outcome, code="R00", at=self.now, **facts)
        sign = 1 if order.kind == "withdrawal" else -1
        settled = max(said.settled_amount - order.settled_amount, 0)
        fee = max(said.fee - order.fee, 0)
        back = max(said.returned_amount - order.returned_amount, 0)
        if outcome in (Outcome.SETTLED, Outcome.RETURNED):
            self.bank += sign * settled - (fee if order.kind != "withdrawal" else 0) - sign * back
        batch.instructions = {order.id: order for order in self.orders}
        outcomes._take(batch, LEGS[order.kind], said, order, row, 0)
        batch.save()

    def settles(self, order: BankInstruction, amount: int | None = None, fee: int = 0) -> None:
        """Once more, or for the first time."""
        amount = order.amount - fee if amount is None else amount
        facts = {
            "settled_amount": order.settled_amount + amount,
            "fee": order.fee + fee,
            "return_fee": order.return_fee,
        }
        self.report(order, Outcome.SETTLED, **facts, returned_amount=order.returned_amount)

    def rejects(self, order: BankInstruction) -> None:
        self.report(order, Outcome.REJECTED)

    def returns(self, order: BankInstruction, amount: int | None = None, fee: int = 0, extra: int = 0) -> None:
        left = order.settled_amount - order.returned_amount if amount is None else amount
        facts = {"settled_amount": order.settled_amount, "fee": order.fee, "return_fee": order.return_fee + fee}
        self.report(order, Outcome.RETURNED, **facts, returned_amount=order.returned_amount + left - fee + extra)

    # --- what people do

    def do(self, row: Transfer, why: Why, *drafts: Draft, next_step: NextStep | None = None) -> None:
        batch = PaperBatch(self)
        batch.load_books(batch.family_of(row))
        for draft in drafts:
            batch.post(draft)
        follow(batch, row, Cause(why, next_step=next_step, reason="people"))
        batch.save()

    def freeze(self, row: Transfer) -> None:
        batch = PaperBatch(self)
        self.bank -= row.amount
        freezing.freeze(batch, row, "true match")
        batch.save()

    def unfreeze(self, row: Transfer) -> None:
        amount = self.whereabouts(row.id).frozen
        self.bank += amount
        self.do(row, Why.UNFROZEN, rows.unfrozen(self.parties(row), amount=amount))

    def write_off(self, row: Transfer) -> None:
        amount = self.whereabouts(row.id).advanced
        self.added[row.family_id] += amount
        self.do(row, Why.WRITTEN_OFF, rows.advance_written_off(self.parties(row), amount=amount))

    def top_up(self, row: Transfer, amount: int) -> None:
        self.added[row.family_id] += amount
        self.do(row, Why.TOPPED_UP, rows.short_pay_topped_up(self.parties(row), amount=amount))

    def identify(self, row: Transfer, amount: int) -> None:
        """A receipt came and turned out to belong to this transfer."""
        self.bank += amount
        self.added[row.family_id] += amount
        batch = PaperBatch(self)
        batch.post(rows.receipt_unidentified(currency="USD", amount=amount, effective_at=self.now))
        batch.save()
        self.do(row, Why.IDENTIFIED, rows.receipt_identified(self.parties(row), amount=amount))

    def split(self, row: Transfer, amount: int) -> None:
        batch = PaperBatch(self)
        splitting.split(batch, row, amount=amount, reason="cut back")
        batch.save()

    def direct(self, row: Transfer, next_step: NextStep) -> None:
        """People decide what comes next for money that waits."""
        row.next_step = next_step
        row.unblock()

    def fund_firm(self, amount: int) -> None:
        self.bank += amount
        batch = PaperBatch(self)
        batch.post(rows.firm_funded(currency="USD", amount=amount, effective_at=self.now))
        batch.save()

    def parties(self, row: Transfer) -> rows.Parties:
        return PaperBatch(self).parties(row, None)

    # --- the books

    def whereabouts(self, transfer_id: uuid.UUID) -> Whereabouts:
        return self.books._where.get(transfer_id, Whereabouts())

    def take(self, batch: PaperBatch) -> None:
        """What a database would do with this batch."""
        for row in batch._born.values():
            self.transfers[row.id] = row
        for fact, row in batch._facts:
            before = self.last.get(row.id, State.APPROVED if row.split_from_id is None else "")
            if before and before != fact.state:
                assert State(fact.state) in EDGES[State(before)], (before, fact.state)
                self.arrows[before, fact.state] += 1
            self.last[row.id] = fact.state
        for draft in batch._drafts:
            assert sum(line.amount for line in draft.lines) == 0, draft
            assert all(line.amount for line in draft.lines), draft
            self.rows[draft.row] += 1
            for line in draft.lines:
                self.balances[line.place.owner_id, line.place.kind] += line.amount
                if line.transfer_id:
                    self.books.born(line.transfer_id)
            self.books.note(draft)
        self.orders += batch._new_instructions
        for key in batch._finished:
            self.work.pop(key, None)
        self.work |= {key: Step(work.step) for key, work in batch._work.items()}

    def family(self, row: Transfer) -> list[Transfer]:
        return [other for other in self.transfers.values() if other.family_id == row.family_id]

    def orders_of(self, row: Transfer, kind: str) -> list[BankInstruction]:
        return [order for order in self.orders if order.transfer_id == row.id and order.kind == kind]

    # --- what must always be true

    def check(self) -> None:
        """I2–I6, I9, I11 and I12 of the design, and that every arrow was legal."""
        for row in self.transfers.values():
            self._check_transfer(row)
        for root in {row.family_id for row in self.transfers.values()}:
            self._check_family(self.family(self.transfers[root]))
        self._check_places()
        for (owner, kind), balance in self.balances.items():
            assert balance >= 0 or kind in _SIGNED, ("I9", owner, kind, balance)
        ours = ("clearing", "suspense", "firm_advance", "deposit_in_transit", "refund_in_transit")
        book = sum(balance for (_, kind), balance in self.balances.items() if kind in ours)
        assert book == self.bank, ("I12", book, self.bank)

    def _check_transfer(self, row: Transfer) -> None:
        where = self.whereabouts(row.id)
        for kind, state in PLACES_OF_MONEY.items():
            amount = getattr(where, kind)
            assert amount >= 0, ("I9", kind, amount)
            assert (amount > 0) == (row.state == state), ("I3", row.state, row.blocker_code, where)
        assert where.advanced >= 0, ("more repaid than advanced", where)
        assert where.at_fund >= 0, ("the fund gave more than it had", where)
        assert row.amount > 0
        if where.clearing:
            assert row.amount == where.clearing, ("the amount is what there is", row.amount, where)
        live = any(order.state in LIVE for order in self.orders if order.transfer_id == row.id)
        ended = row.state in ENDED
        assert ended or row.id in self.work or live, ("I11", row.state)
        assert not ended or row.blocker_code or row.id not in self.work, ("I11 work", row.state)
        assert not where.advanced or row.blocker_code or live or row.id in self.work, (
            "I11 advance in sight",
            row.state,
            where,
        )
        assert row.state != State.WITHDRAWN or row.next_step != NextStep.NONE or row.blocker_code
        assert self.last.get(row.id, row.state) == row.state, ("I7", row.state)

    def _check_family(self, family: list[Transfer]) -> None:
        where = [self.whereabouts(row.id) for row in family]
        frozen, advanced = sum(w.frozen for w in where), sum(w.advanced for w in where)
        clearing = sum(w.clearing for w in where)
        assert frozen or not (advanced and clearing), ("I3 family", advanced, clearing)
        net = self.added[family[0].family_id]
        for order in self.orders:
            if order.transfer_id not in {row.id for row in family}:
                continue
            if order.kind == "withdrawal":
                net += order.settled_amount - order.returned_amount
            elif order.state in LIVE:
                net += order.returned_amount - order.amount
            else:
                net += order.returned_amount - order.settled_amount - order.fee
        assert net + advanced == clearing + frozen, ("I4", net, advanced, clearing, frozen)

    def _check_places(self) -> None:
        reserved: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        confirmed: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        for row in self.transfers.values():
            place = self.places._reservations.get(row.id)
            state = place.state if place else Reservation.State.RELEASED
            pair = (row.fund_id, row.investor_id)
            assert (state == Reservation.State.CONFIRMED) == (row.state == State.COMPLETED), ("I6", row.state, state)
            assert state != Reservation.State.RESERVED or row.state in RESERVING, ("I6", row.state, state)
            if place and row.state in (State.APPROVED, State.WITHDRAWING, State.DEPOSITING, State.COMPLETED):
                assert place.amount == row.amount, ("I6 amount", row.state, place.amount, row.amount)
            if place and state != Reservation.State.RELEASED:
                (confirmed if state == Reservation.State.CONFIRMED else reserved)[pair] += place.amount
        for pair, place_ in self.places._places.items():
            assert (place_.reserved, place_.confirmed) == (reserved[pair], confirmed[pair]), ("I6 sums", pair)
