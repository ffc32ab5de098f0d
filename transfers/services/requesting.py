"""Asking for transfers: rules, hold, place, order, event, in one transaction.

Longer than most modules: a request in earnest and a dry run must take the same course.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts import holds
from accounts.models import InvestorAccount
from accounts.services import keep_observations
from bridge.approvals.services import Proposal
from bridge.kernel import compiled, crashpoints, idempotency, ids, rows
from bridge.kernel.crashpoints import Point
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import MAX_AMOUNT, display
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.together import together
from bridge.kernel.transactions import retried, unit_of_work
from funds.models import Fund, Verification
from funds.places import Places
from funds.rules.engine import Verdict
from funds.rules.outcomes import Outcome
from transfers.facts import Facts
from transfers.models import Transfer
from transfers.policy import policy
from transfers.services import history, orders, verifying
from transfers.services.batch import ASKED, REVIEW, Batch
from transfers.services.verifying import Files, Subject
from transfers.states import HELD, State, Step

Render = Callable[[list[Result]], idempotency.Answer]


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """What somebody asks for. `amount` in minor units of `currency`."""

    source_account_id: uuid.UUID
    fund_id: uuid.UUID
    amount: int
    currency: str
    external_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What would be decided about a request, and why."""

    outcome: str
    state: str
    decisions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A transfer that this unit of work has opened, and what its answer says beside it: nothing is read again.

    `place_until`: until when its place is reserved, None where it has none. `waits`: behind an earlier withdrawal.
    """

    transfer: Transfer
    decisions: list[dict[str, Any]]
    place_until: datetime | None
    waits: bool


RenderEach = Callable[[Sequence[Opened]], list[idempotency.Answer]]


class AmountOutOfRange(BridgeError):
    code = "amount_out_of_range"
    status = 422
    title = "Amount out of range"
    message = "An amount is 1 to 999,999,999,999,999 minor units."


class CurrencyMismatch(BridgeError):
    code = "currency_mismatch"
    status = 422
    title = "Another currency"
    message = "The account holds {account}, the request says {currency}. There is no conversion."


_STATE = {
    Outcome.PASS: State.APPROVED,
    Outcome.HOLD: State.IN_REVIEW,
    Outcome.WAITLIST: State.WAITLISTED,
    Outcome.FAIL: State.REJECTED,
}


@retried
def request_transfers(*, requests: Sequence[TransferRequest], actor: Actor, facts: Facts) -> list[Result]:
    """Verify each request and open its transfer in the state that the rules chose.

    Approved and reviewed ones take the hold and the place in the same commit. Results are in the order of the
    requests; an unknown account or fund is refused by itself.

    Locks the accounts, then the funds' capacities, then the allocations.
    """
    with unit_of_work() as moment:
        results, _ = _open(requests, actor, facts, moment)
    return results


@retried
def request_transfers_once(
    *,
    requests: Sequence[TransferRequest],
    keys: Sequence[idempotency.Key],
    actor: Actor,
    facts: Facts,
    render: RenderEach,
) -> list[idempotency.Answer | Refused]:
    """`request_transfers`, each request under a key of its own, all of them different.

    What the facts have unkept is stored in the same commit.

    Per request: the answer that `render` gave and that is now kept under its key, the one kept earlier (`replayed`),
    or the refusal, after which the key is free: also `RequestInFlight` and `IdempotencyKeyReused`.
    """
    taking = idempotency.Taking(keys, also=ASKED)
    with unit_of_work(taking) as moment, together():
        known = taking.known()
        keep_observations(rows=facts.unkept)
        fresh = [number for number, found in enumerate(known) if found is None]
        given, opened = _open([requests[number] for number in fresh], actor, facts, moment)
        results = dict(zip(fresh, given, strict=True))
        rendered = render([opened[result.id] for result in given if isinstance(result, Done)]) if opened else []
        done = [number for number, result in results.items() if isinstance(result, Done)]
        answers = dict(zip(done, rendered, strict=True))
        idempotency.keep_each([(keys[number], answer) for number, answer in answers.items()], at=moment)
        crashpoints.reach(Point.SUBMIT_ANSWER_KEPT)
    crashpoints.reach(Point.SUBMIT_COMMITTED)
    refused = {number: result for number, result in results.items() if isinstance(result, Refused)}
    refused |= {number: Refused(None, found) for number, found in enumerate(known) if isinstance(found, BridgeError)}
    kept = {number: found for number, found in enumerate(known) if isinstance(found, idempotency.Answer)}
    return [refused.get(number) or kept.get(number) or answers[number] for number in range(len(requests))]


def _open(
    requests: Sequence[TransferRequest], actor: Actor, facts: Facts, moment: datetime
) -> tuple[list[Result], dict[uuid.UUID, Opened]]:
    if not requests:
        return [], {}
    batch = Batch(actor=actor, at=moment)
    intake = _Intake(batch, requests, facts)
    results = intake.run()
    batch.save()
    crashpoints.reach(Point.SUBMIT_WRITTEN)
    return results, intake.opened


@retried
def check_transfers(*, requests: Sequence[TransferRequest], actor: Actor, facts: Facts) -> list[CheckResult | Refused]:
    """What would be decided now, each request by itself. Writes nothing and holds nothing."""
    with unit_of_work() as moment:
        return _Intake(Batch(actor=actor, at=moment), requests, facts, dry=True).check()


@dataclass(slots=True)
class _Asking:
    """An account of this unit of work, and what its requests have taken so far.

    `alike`: by fund and amount how many stand and the last one's public id. `first`: in its order, of those that are
    about to be withdrawn.
    """

    account: InvestorAccount
    held: int = 0
    numbered: int = 0
    first: int | None = None
    alike: dict[tuple[int, int], tuple[int, str]] = field(default_factory=dict)

    def is_behind(self, before: int | None, own: int) -> bool:
        """Whether another goes first: one that stood there `before`, or one of this unit of work."""
        if self.first is None:
            self.first = own if before is None else before
        return self.first < own


class _Intake:
    """The requests of one unit of work, with the rows they need locked."""

    def __init__(self, batch: Batch, requests: Sequence[TransferRequest], facts: Facts, *, dry: bool = False) -> None:
        self.batch, self.requests, self.facts = batch, requests, facts
        account_ids = {request.source_account_id for request in requests}
        if dry:
            self.accounts = {row.id: row for row in compiled.by_key(InvestorAccount, account_ids)}
        else:
            self.accounts = batch.lock_accounts(account_ids, owners=False)
        files = Files.read(accounts=self.accounts.values(), fund_ids={request.fund_id for request in requests})
        self.funds = files.funds
        pairs = {
            (request.fund_id, self.accounts[request.source_account_id].investor_id)
            for request in requests
            if request.source_account_id in self.accounts and request.fund_id in self.funds
        }
        self.places: Places = Places.read(pairs=pairs) if dry else batch.lock_places(pairs, [])
        self.earlier = history.look_back(
            [(request.source_account_id, request.fund_id, request.amount) for request in requests], at=batch.at
        )
        self.judge = verifying.Judge.of(
            stage=Verification.Stage.CREATE,
            at=batch.at,
            funds=self.funds.values(),
            accounts=self.accounts.values(),
            profiles=files.profiles,
        )
        self.asking = {account_id: _Asking(account) for account_id, account in self.accounts.items()}
        self.opened: dict[uuid.UUID, Opened] = {}

    def run(self) -> list[Result]:
        return [self._one(number, request) for number, request in enumerate(self.requests)]

    def check(self) -> list[CheckResult | Refused]:
        results: list[CheckResult | Refused] = []
        for number, request in enumerate(self.requests):
            known = self._known(request)
            if isinstance(known, Refused):
                results.append(known)
                continue
            verdict, _ = self._judge(self._subject(number, request, *known))
            state = _STATE[verdict.outcome]
            results.append(
                CheckResult(verdict.outcome.value, str(state), verifying.decisions_as_json(verdict.decisions))
            )
        return results

    def _known(self, request: TransferRequest) -> tuple[_Asking, Fund] | Refused:
        """Who asks and for which fund, or why nobody can."""
        asking, fund = self.asking.get(request.source_account_id), self.funds.get(request.fund_id)
        if asking is None:
            return Refused(None, NotFound(what="account", field="source_account"))
        if fund is None:
            return Refused(None, NotFound(what="fund", field="fund"))
        if not 1 <= request.amount <= MAX_AMOUNT:
            return Refused(None, AmountOutOfRange(field="amount"))
        own = asking.account.currency
        if request.currency != own:
            return Refused(None, CurrencyMismatch(field="currency", account=own, currency=request.currency))
        return asking, fund

    def _subject(self, number: int, request: TransferRequest, asking: _Asking, fund: Fund) -> Subject:
        earlier = self.earlier[number]
        within, last = asking.alike.get((fund.id.int, request.amount), (0, ""))
        return Subject(
            account=asking.account,
            fund=fund,
            capacity=self.places.capacity(fund.id),
            already=self.places.already(fund.id, asking.account.investor_id),
            amount=request.amount,
            currency=request.currency,
            own_held=-asking.held,
            duplicates=(earlier.alike + within, last or earlier.latest),
        )

    def _judge(self, subject: Subject) -> tuple[Verdict, Any]:
        return self.judge(subject, observation=self.facts.observations.get(subject.account.id))

    def _one(self, number: int, request: TransferRequest) -> Result:
        known = self._known(request)
        if isinstance(known, Refused):
            return known
        asking, fund = known
        subject = self._subject(number, request, asking, fund)
        verdict, seen = self._judge(subject)
        transfer = self._new(request, asking, fund)
        batch, new_id = self.batch, transfer.id
        batch.bear(transfer)
        batch.note(transfer, "transfer.requested", external_id=request.external_id)
        batch.verified(verifying.kept(new_id, fund.id, Verification.Stage.CREATE, verdict, seen))
        self._settle(transfer, verdict, asking)
        state = transfer.state
        placed = state in HELD
        if state != State.REJECTED:
            key = (fund.id.int, request.amount)
            asking.alike[key] = (asking.alike.get(key, (0, ""))[0] + 1, transfer.public_id)
            self.judge.decided(subject, placed=placed)
        self.opened[new_id] = Opened(
            transfer=transfer,
            decisions=verifying.decisions_as_json(verdict.decisions),
            place_until=orders.waits(batch, transfer).after(batch.at, "reservation") if placed else None,
            waits=state == State.APPROVED and asking.is_behind(self.earlier[number].first_seq, transfer.account_seq),
        )
        return Done(new_id, str(state), transfer.version)

    def _new(self, request: TransferRequest, asking: _Asking, fund: Fund) -> Transfer:
        account, batch = asking.account, self.batch
        waits = policy(institution=account.institution, rail=account.rail, fund_id=fund.id)
        asking.numbered += 1
        batch.move(holds.Movement(account.id, numbered=1))
        new_id = ids.new_id()
        transfer = rows.new(
            Transfer,
            {
                "id": new_id,
                "family_id": new_id,
                "source_account_id": account.id,
                "account_seq": account.last_seq + asking.numbered,
                "investor_id": account.investor_id,
                "fund_id": fund.id,
                "amount": request.amount,
                "requested_amount": request.amount,
                "currency": request.currency,
                "external_id": request.external_id,
                "metadata": request.metadata,
                "requested_by": batch.actor.id,
                "created_at": batch.at,
                "updated_at": batch.at,
                "expected_at": waits.after(batch.at, "expected"),
            },
        )
        transfer._state.fields_cache |= {"source_account": account, "investor": account.investor, "fund": fund}
        return transfer

    def _settle(self, transfer: Transfer, verdict: Verdict, asking: _Asking) -> None:
        """Put a new transfer where its verification says."""
        batch, outcome = self.batch, verdict.outcome
        if outcome == Outcome.FAIL:
            transfer.reject(at=batch.at)
            batch.note(transfer, "transfer.rejected", reasons=verifying.reasons(verdict, at_least=Outcome.FAIL))
        elif outcome == Outcome.WAITLIST or not self.places.has_room(
            transfer.fund_id, transfer.investor_id, transfer.amount
        ):  # the second where a rule that errs could not say so
            waitlist(batch, transfer, verdict)
        else:
            asking.held += transfer.amount
            take(batch, transfer)
            if outcome == Outcome.HOLD:
                review(batch, transfer, verdict)
            else:
                approve(batch, transfer)


def take(batch: Batch, transfer: Transfer) -> None:
    """The hold and the place, together or not at all."""
    assert batch.places is not None
    batch.places.reserve(
        transfer_id=transfer.id,
        fund_id=transfer.fund_id,
        investor_id=transfer.investor_id,
        amount=transfer.amount,
        expires_at=orders.waits(batch, transfer).after(batch.at, "reservation"),
        at=batch.at,
    )
    batch.move(holds.taken(transfer.source_account_id, transfer.amount))


def give_back(batch: Batch, transfer: Transfer) -> None:
    """The opposite of `take`."""
    assert batch.places is not None
    batch.places.release(transfer.id)
    batch.move(holds.released(transfer.source_account_id, transfer.amount))


def approve(batch: Batch, transfer: Transfer, *, by: str = "") -> None:
    transfer.approve(at=batch.at, expires_at=orders.waits(batch, transfer).after(batch.at, "reservation"), by=by)
    batch.note(transfer, "transfer.approved", approved_by=by)
    batch.schedule(transfer, Step.WITHDRAW, batch.at)


def review(batch: Batch, transfer: Transfer, verdict: Verdict) -> None:
    expires_at = orders.waits(batch, transfer).after(batch.at, "review")
    transfer.hold(
        at=batch.at,
        expires_at=expires_at,
        code="in_review",
        reason=verifying.sentence(verdict, at_least=Outcome.HOLD),
    )
    batch.note(transfer, "transfer.held", reasons=verifying.reasons(verdict, at_least=Outcome.HOLD))
    batch.schedule(transfer, Step.DECIDE, expires_at)
    ask_for_review(batch, transfer)


def ask_for_review(batch: Batch, transfer: Transfer) -> None:
    """Open the approval that a checker decides: bound to who pays what to whom."""
    batch.ask(
        Proposal(
            kind=REVIEW,
            subject_id=transfer.id,
            reason=transfer.blocker_message,
            seen=bound(transfer),
            summary=f"{display(transfer.amount, transfer.currency)} of {_whose(transfer)}: {transfer.blocker_message}",
            maker=transfer.requested_by,
        )
    )


def _whose(transfer: Transfer) -> str:
    """`Ada Lovelace ···1234 → Aldine III`. A request knows its own; for a review that comes later it is one query."""
    known = transfer._state.fields_cache
    if not {"source_account", "investor", "fund"} <= known.keys():
        found = Transfer.objects.select_related("source_account", "investor", "fund").get(pk=transfer.pk)
        known = found._state.fields_cache
    return f"{known['investor']} ···{known['source_account'].number_last4} → {known['fund']}"


def cut_from(transfer: Transfer) -> int:
    """What it would be about if the fund itself had not cut it back; 0 where it did not. What banks kept or sent back
    is not in it."""
    return transfer.amount + transfer.cut_back if transfer.cut_back else 0


def bound(transfer: Transfer) -> dict[str, Any]:
    """What a checker's approval of a transfer is bound to."""
    return {
        "amount": transfer.amount,
        "currency": transfer.currency,
        "source_account": str(transfer.source_account_id),
        "fund": str(transfer.fund_id),
    }


def waitlist(batch: Batch, transfer: Transfer, verdict: Verdict) -> None:
    expires_at = orders.waits(batch, transfer).after(batch.at, "waitlist")
    transfer.waitlist(at=batch.at, expires_at=expires_at, reason=verifying.sentence(verdict, at_least=Outcome.WAITLIST))
    batch.note(transfer, "transfer.waitlisted", reasons=verifying.reasons(verdict, at_least=Outcome.WAITLIST))
    batch.schedule(transfer, Step.PROMOTE, expires_at)
