"""A page of a bookkeeping manual: what happens, and after it what was posted and where every dollar is.

A test plays a story step by step against the real services and the sandbox bank, and `reads` compares the ledger with
what an accountant would write down, such as

    W2  clearing 999.80 + fees 0.20 ← withdrawal in transit 1,000.00
    t1  withdrawn, next deposit
    =   investor -1,000.00 · clearing 999.80 · fees 0.20

A row of the posting table with its debits (to, +) and credits (from, −), each transfer with its state, what comes next
and what blocks it, and the balance of every account that has one. `t2` … are the transfers split off, in the order of
their birth. The firm's own money in the settlement account is `firm`, an open claim of its is `advance`. Amounts are
US dollars. `book` makes docs/STORIES.md of these tests.

Longer than most modules: one page, what can happen on it and how it is written down.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from collections.abc import Iterable
from textwrap import dedent
from typing import Any

from accounts.ledger.kinds import Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.models import InvestorAccount
from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.kernel.results import Actor, Change, Channel, Done, Role
from bridge.sandbox.model.records import Instruction
from funds.models import Fund
from tests.functional.stories.oracle import FIGURES
from tests.functional.treasury.conftest import Treasury
from tests.world import CHECKER, MAKER
from transfers import services
from transfers.engine import callbacks, drain
from transfers.models import Transfer

COMPLIANCE = Actor("compliance-login", Role.COMPLIANCE, Channel.ADMIN)
SECOND = Actor("second-compliance-login", Role.COMPLIANCE, Channel.ADMIN)
WORDS = {
    Kind.WITHDRAWAL_IN_TRANSIT: "withdrawal in transit",
    Kind.CLEARING: "clearing",
    Kind.DEPOSIT_IN_TRANSIT: "deposit in transit",
    Kind.REFUND_IN_TRANSIT: "refund in transit",
    Kind.FROZEN: "frozen",
    Kind.SUSPENSE: "suspense",
    Kind.FEES: "fees",
    Kind.OUTSIDE: "outside",
}
ORDER = (
    *("investor", "other account", "withdrawal in transit", "clearing", "deposit in transit", "fund", "other fund"),
    *("refund in transit", "frozen", "advance", "firm", "suspense", "fees", "outside"),
)
BEGINNINGS = {
    "approved": 0,
    "withdrawing": 1,
    "withdrawn": 2,
    "depositing": 3,
    "completed": 4,
}
AMOUNT = 1_000_00


class Page:
    """One story. Amounts are minor units of USD."""

    def __init__(self, world: Treasury) -> None:
        self.world = world
        self.account: InvestorAccount = world.account()
        self.other_account: InvestorAccount | None = None
        self.fund: Fund | None = None
        self.other_fund: Fund | None = None
        self._seen = 0
        self._steps = itertools.count(1)

    # --- what happens

    def begins(self, where: str, *, amount: int = AMOUNT, **fund: Any) -> None:
        """One transfer, up to this state without any trouble. `fund` are the fund's terms."""
        self.fund = self.fund or self.world.fund(**fund)
        transfer = self.world.request(self.account, self.fund, amount)
        assert transfer.state == "approved", transfer.state
        for happens in (self.engine, self.settled_withdrawal, self.engine, self.settled_deposit)[: BEGINNINGS[where]]:
            happens()
        self._new_postings()

    def settled_withdrawal(self) -> None:
        self.settles("withdrawal")

    def settled_deposit(self) -> None:
        self.settles("deposit")

    def engine(self) -> None:
        """Bridge does all that is due."""
        drain()

    def settles(self, kind: str, amount: int | None = None, *, fee: int = 0, of: str = "t1") -> None:
        """The bank settles: late or again, if it must. `amount` is what it credits, `fee` what it keeps besides."""
        order = self._at_the_bank(kind, of)
        self._decides(order, "settle", amount=order.terms.amount - fee if amount is None else amount, fee=fee)

    def rejects(self, kind: str, *, of: str = "t1", code: str = "R02", reason: str = "Account closed") -> None:
        self._decides(self._at_the_bank(kind, of), "reject", code=code, reason=reason)

    def returns(
        self, kind: str, amount: int = 0, *, fee: int = 0, interest: int = 0, of: str = "t1", code: str = "R10"
    ) -> None:
        """The bank sends back `amount` (all of it, if 0), keeps `fee` of that; the fund adds `interest`."""
        given = {"amount": amount, "fee": fee, "interest": interest, "code": code, "reason": "Not authorized"}
        self._decides(self._at_the_bank(kind, of), "return", **given)

    def directs(self, to: str, *, of: str = "t1") -> None:
        """People decide what comes next for money that waits: `refund` or `deposit`."""
        service = {"refund": services.refund_transfers, "deposit": services.retry_transfers}[to]
        self._done(service(changes=[Change(self.transfer(of).id, reason="Decided.")], actor=CHECKER))

    def recalls(self, *, of: str = "t1") -> None:
        self._done(services.recall_transfers(changes=[Change(self.transfer(of).id, reason="Agreed.")], actor=CHECKER))

    def freezes(self) -> None:
        change = Change(self.transfer("t1").id, reason="A true match on the sanctions list.")
        self._done(services.freeze_transfers(changes=[change], actor=COMPLIANCE))

    def two_people(
        self, kind: str, payload: dict[str, Any], *, of: str = "t1", subject: Any = None, compliance: bool = False
    ) -> None:
        """One asks for it, another agrees."""
        maker, checker = (COMPLIANCE, SECOND) if compliance else (MAKER, CHECKER)
        proposal = Proposal(kind, subject or self.transfer(of).id, payload, "As agreed.")
        asked = approvals.propose(proposal=proposal, actor=maker)
        self._done(approvals.approve(changes=[Change(asked.id, asked.version)], actor=checker))

    def hears(self) -> None:
        """What the bank calls back reaches Bridge and is posted; nothing else happens yet."""
        self.world.receive()
        callbacks.process(limit=100)

    def transfer(self, name: str) -> Transfer:
        return self.transfers()[int(name[1:]) - 1]

    def transfers(self) -> list[Transfer]:
        return list(Transfer.objects.order_by("created_at", "id"))

    def _at_the_bank(self, kind: str, of: str) -> Instruction:
        """The newest order of this kind."""
        order = self.transfer(of).instructions.filter(kind=kind).order_by("-attempt").first()
        assert order is not None, f"{of} has no {kind}"
        return next(row for row in self.world.bank.books.instructions.values() if row.terms.key == order.key)

    def _decides(self, order: Instruction, verb: str, **given: Any) -> None:
        with self.world.house.lock:
            problem = self.world.bank.force(order, verb=verb, given=given, now=self.world.bank_time())
        assert problem is None, problem
        self.hears()

    def _done(self, results: Any) -> None:
        assert [type(result) for result in results] == [Done], results

    # --- what the page says then

    def reads(self, prose: str, text: str) -> None:
        """After `prose` has happened, the books say `text`."""
        wanted = [" ".join(line.split()) for line in dedent(text).strip().splitlines()]
        actual = self._written()
        assert actual == wanted, f"step {next(self._steps)}, {prose}\n" + "\n".join(actual)

    def ends(self, *, oracle: str = "") -> None:
        """All invariants hold, the bank agrees, its balance is ours, and so does the model that the books are built
        after: `oracle` is the story's number there."""
        self.world.check()
        assert self._inside() == self.world.bank.books.settlement("USD").current
        if oracle:
            states, figures = FIGURES[oracle]
            assert dict(zip(("t1", "t2", "t3"), [str(row.state) for row in self.transfers()], strict=False)) == states
            assert self._figures() == figures

    def _written(self) -> list[str]:
        transfers = {row.id: f"t{n}" for n, row in enumerate(self.transfers(), 1)}
        lines = [self._row(posting, transfers) for posting in self._new_postings()]
        for row in self.transfers():
            told = f"{transfers[row.id]} {row.state}"
            told += f", next {row.next_step}" if row.next_step not in ("", "none") else ""
            lines.append(told + (f", blocked: {row.blocker_code}" if row.blocker_code else ""))
        return [*lines, f"= {self._balances(transfers)}"]

    def _new_postings(self) -> list[Posting]:
        found = list(Posting.objects.order_by("created_at", "id").prefetch_related("entries__account"))
        new, self._seen = found[self._seen :], len(found)
        return new

    def _row(self, posting: Posting, transfers: dict[uuid.UUID, str]) -> str:
        entries = sorted(posting.entries.all(), key=lambda entry: entry.id)

        def side(sign: int) -> str:
            return " + ".join(
                f"{self._place(entry, transfers if entry.transfer_id != posting.transfer_id else {})} "
                f"{money(entry.amount * sign)}"
                for entry in entries
                if entry.amount * sign > 0
            )

        return f"{posting.row} {side(1)} ← {side(-1)}"

    def _balances(self, transfers: dict[uuid.UUID, str]) -> str:
        found: Counter[str] = Counter()
        for entry in Entry.objects.select_related("account"):
            tagged = len(transfers) > 1 and entry.account.kind not in (Kind.CASH, Kind.FEES, Kind.OUTSIDE)
            found[self._place(entry, transfers if tagged else {})] += entry.amount
        ranked = sorted((name for name in found if found[name]), key=self._rank)
        return " · ".join(f"{name} {money(found[name])}" for name in ranked) or "nothing"

    def _rank(self, name: str) -> tuple[int, str]:
        return next(n for n, place in enumerate(ORDER) if name == place or name.startswith(f"{place} t")), name

    def _place(self, entry: Entry, tags: dict[uuid.UUID, str]) -> str:
        account: LedgerAccount = entry.account
        tag = f" {tags[entry.transfer_id]}" if entry.transfer_id in tags else ""
        if account.kind == Kind.FIRM_ADVANCE:
            return f"advance{tag}" if entry.transfer_id else "firm"
        return self._whose(account) + (tag if account.kind != Kind.CASH or tags else "")

    def _whose(self, account: LedgerAccount) -> str:
        if account.kind != Kind.CASH:
            return WORDS[Kind(account.kind)]
        owners = [(self.account, "investor"), (self.other_account, "other account"), (self.fund, "fund")]
        owners.append((self.other_fund, "other fund"))
        return next(word for owner, word in owners if owner is not None and owner.id == account.owner_id)

    # --- what the model and the bank are asked for

    def _figures(self) -> dict[str, int]:
        """The same sums as the model's: by kind of account, over all transfers."""
        found: Counter[str] = Counter()
        for account in LedgerAccount.objects.all():
            name = SHORT.get(Kind(account.kind), "")
            if account.kind == Kind.CASH:
                name = "fcash" if self._whose(account) in ("fund", "other fund") else "icash"
            found[name] += account.balance
        return {name: amount for name, amount in found.items() if amount}

    def _inside(self) -> int:
        """What our ledger has in the settlement account; frozen money stays there, blocked."""
        kinds = (Kind.CLEARING, Kind.FROZEN, Kind.SUSPENSE, Kind.FIRM_ADVANCE)
        return sum_of((*kinds, Kind.DEPOSIT_IN_TRANSIT, Kind.REFUND_IN_TRANSIT))


SHORT = {
    Kind.WITHDRAWAL_IN_TRANSIT: "wit",
    Kind.CLEARING: "clr",
    Kind.DEPOSIT_IN_TRANSIT: "dit",
    Kind.REFUND_IN_TRANSIT: "rit",
    Kind.FROZEN: "frozen",
    Kind.SUSPENSE: "susp",
    Kind.FEES: "fees",
    Kind.OUTSIDE: "outside",
    Kind.FIRM_ADVANCE: "adv",
}


def sum_of(kinds: Iterable[Kind]) -> int:
    return sum(LedgerAccount.objects.filter(kind__in=[str(kind) for kind in kinds]).values_list("balance", flat=True))


def money(amount: int) -> str:
    """`money(-123456)` → `-1,234.56`."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100:,}.{abs(amount) % 100:02d}"
