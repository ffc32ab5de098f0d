"""People send money in clearing somewhere else than was planned: to another fund, or back to another account of the
same investor. Two people decide; the engine then does the next step as always."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.models import InvestorAccount
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic
from funds.models import Fund, Verification
from funds.rules.outcomes import Outcome
from transfers.blockers import Deed
from transfers.models import BankInstruction, Transfer
from transfers.services import deciding, permitting, verifying
from transfers.services.batch import Batch
from transfers.services.verifying import Subject
from transfers.states import LIVE, NextStep, Step


class CannotRedirect(BridgeError):
    code = "cannot_redirect"
    status = 409
    title = "It cannot go to that fund"
    message = "{why}"


class AccountUnusable(BridgeError):
    code = "account_unusable"
    status = 409
    title = "The refund cannot go to this account"
    message = "{why}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """To which fund the money of a transfer goes instead."""

    transfer_id: uuid.UUID
    fund_id: uuid.UUID
    why: str


@dataclass(frozen=True, slots=True)
class PayElsewhere:
    """To which other account of the investor the refund of a transfer goes."""

    transfer_id: uuid.UUID
    account_id: uuid.UUID
    why: str


def redirect_transfers(*, redirects: Sequence[Redirect], actor: Actor, at: datetime) -> list[Result]:
    """Swap fund and place, inside the decision of two people: the old place is given back, the create rules of the new
    fund run, and the deposit comes next. What a rule wants a person for, two have agreed to.

    Refused: `NotFound`, `NotAllowed`, `NotSafe`, `CannotRedirect`, `CriteriaNotMet` (also where no place is free).
    Locks transfers, accounts, capacities and allocations of both funds.
    """
    require_atomic()
    batch = Batch(actor=actor, at=at)
    found = batch.lock_transfers(item.transfer_id for item in redirects)
    funds = Fund.objects.in_bulk([item.fund_id for item in redirects])
    batch.lock_accounts({row.source_account_id for row in found.values()})
    pairs = {(row.fund_id, row.investor_id) for row in found.values()}
    pairs |= {
        (item.fund_id, found[item.transfer_id].investor_id)
        for item in redirects
        if item.transfer_id in found and item.fund_id in funds
    }
    batch.lock_places(pairs, found.keys())
    results: list[Result] = []
    for item in redirects:
        row, fund = found.get(item.transfer_id), funds.get(item.fund_id)
        error: BridgeError | None = NotFound(what="transfer" if row is None else "fund")
        if row is not None and fund is not None:
            error = permitting.refusal(row, actor, Deed.REDIRECT) or cannot_redirect(row, fund)
            error = error or _swap(batch, row, fund, item.why)
        if error is not None or row is None:
            results.append(Refused(item.transfer_id, error or NotFound(what="transfer")))
            continue
        results.append(Done(row.id, str(row.state), row.version))
    batch.save()
    return results


def pay_elsewhere(*, payments: Sequence[PayElsewhere], actor: Actor, at: datetime) -> list[Result]:
    """The refund comes next, and goes to another account of the same investor; inside the decision of two people.

    Refused: `NotFound`, `NotAllowed`, `NotSafe`, `AccountUnusable`. Locks transfers and accounts.
    """
    require_atomic()
    batch = Batch(actor=actor, at=at)
    found = batch.lock_transfers(item.transfer_id for item in payments)
    accounts = batch.lock_accounts(item.account_id for item in payments)
    results: list[Result] = []
    for item in payments:
        row, account = found.get(item.transfer_id), accounts.get(item.account_id)
        error: BridgeError | None = NotFound(what="transfer")
        if row is not None:
            error = permitting.refusal(row, actor, Deed.PAY_ELSEWHERE) or unusable(row, account)
        if error is not None or row is None or account is None:
            results.append(Refused(item.transfer_id, error or NotFound(what="transfer")))
            continue
        row.refund_account_id, row.next_step = account.id, NextStep.REFUND
        row.unblock()
        batch.note(row, "transfer.refund_redirected", paid_to=account.id, last4=account.number_last4, reason=item.why)
        batch.schedule(row, Step.REFUND, at)
        results.append(Done(row.id, str(row.state), row.version))
    batch.save()
    return results


def cannot_redirect(transfer: Transfer, fund: Fund) -> BridgeError | None:
    """Why this transfer cannot go to that fund, apart from its criteria."""
    if fund.id == transfer.fund_id:
        return CannotRedirect(why="It goes to this fund already. Retry the deposit instead.")
    if fund.currency != transfer.currency:
        return CannotRedirect(
            why=f"The fund takes {fund.currency}, the money is {transfer.currency}; nothing is converted."
        )
    orders = BankInstruction.objects.filter(transfer_id=transfer.id)
    if orders.filter(state__in=[str(state) for state in LIVE]).exists():
        return CannotRedirect(why="A payment of it is on its way: wait for the bank's answer.")
    return None


def unusable(transfer: Transfer, account: InvestorAccount | None) -> BridgeError | None:
    """Why the refund cannot go there. Another investor's account is as good as none."""
    if account is None or account.investor_id != transfer.investor_id:
        return NotFound(what="account of this investor")
    if account.id == transfer.source_account_id:
        return AccountUnusable(why="This is the account from which the money came. Refund it the usual way.")
    if account.currency != transfer.currency:
        return AccountUnusable(why=f"The account is in {account.currency}, the money is {transfer.currency}.")
    if account.status != InvestorAccount.Status.OPEN:
        return AccountUnusable(why="The account is not open.")
    verified, changed = account.details_verified_at, account.details_changed_at
    if verified is None or (changed is not None and changed > verified):
        return AccountUnusable(why="Its bank details are not verified. Have two people verify them first.")
    return None


def _swap(batch: Batch, row: Transfer, fund: Fund, why: str) -> BridgeError | None:
    assert batch.places is not None
    before = row.fund_id
    verdict, seen = _judged(batch, row, fund)
    if verdict.outcome in (Outcome.FAIL, Outcome.WAITLIST) or not batch.places.has_room(
        fund.id, row.investor_id, row.amount
    ):
        reasons = verifying.sentence(verdict, at_least=Outcome.WAITLIST)
        return deciding.CriteriaNotMet(reasons=reasons or "The fund has no place left for this amount.")
    batch.verified(verifying.kept(row.id, fund.id, Verification.Stage.CREATE, verdict, seen))
    batch.places.release(row.id)
    row.fund, row.cut_back = fund, 0  # the other fund has cut nothing back
    batch.places.reserve(
        transfer_id=row.id,
        fund_id=fund.id,
        investor_id=row.investor_id,
        amount=row.amount,
        expires_at=None,
        at=batch.at,
    )
    row.next_step = NextStep.DEPOSIT
    row.unblock()
    batch.note(row, "transfer.redirected", from_fund=before, reason=why)
    batch.schedule(row, Step.DEPOSIT, batch.at)
    return None


def _judged(batch: Batch, row: Transfer, fund: Fund) -> tuple[verifying.Verdict, verifying.rule_facts.Facts]:
    """The create rules of the new fund, for what there is now: it has cut nothing back. The balance of the account says
    nothing: the money has left it."""
    assert batch.places is not None
    account = batch.accounts[row.source_account_id]
    judge = verifying.Judge.of(
        stage=Verification.Stage.CREATE, at=batch.at, funds=[fund], accounts=[account], transfer_ids=[row.id]
    )
    subject = Subject(
        account=account,
        fund=fund,
        capacity=batch.places.capacity(fund.id),
        already=batch.places.already(fund.id, row.investor_id),
        amount=row.amount,
        currency=row.currency,
        transfer_id=row.id,
    )
    return judge(subject, observation=None)
