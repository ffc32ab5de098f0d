"""Changing funds: opening them, their status, their limits; and keeping what the rules decided."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.ledger import services as ledger
from accounts.ledger.kinds import FUND_KINDS
from bridge.events import services as events
from bridge.kernel import bulk, clock, ids, locking
from bridge.kernel.columns import Rendered
from bridge.kernel.errors import BridgeError, NotFound, StaleVersion
from bridge.kernel.money import display, is_currency
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from bridge.kernel.transactions import require_atomic
from funds.models import Fund, FundCapacity, Verification


@dataclass(frozen=True, slots=True)
class NewFund:
    """A fund to be. Amounts in minor units of `currency`; `account_number` in clear, sealed at once."""

    code: str
    name: str
    kind: str
    currency: str
    institution: str
    account_number: str
    opens_at: datetime
    closes_at: datetime | None = None
    routing_number: str = ""
    description: str = ""
    status: str = Fund.Status.DRAFT
    minimum: int = 1
    maximum: int | None = None
    seat_limit: int | None = None
    hard_cap: int | None = None
    on_deposit_failure: str = Fund.OnDepositFailure.REFUND
    regime: str = Fund.Regime.NONE
    eligibility: str = Fund.Eligibility.NONE
    required_documents: tuple[str, ...] = ()
    second_person_above: int | None = None
    escrow_minimum: int | None = None
    contributed_elsewhere: int = 0
    rail: str = ""


class FundCodeTaken(BridgeError):
    code = "fund_code_taken"
    status = 409
    title = "Fund code or account already in use"
    message = "A fund with the code '{fund}' or with this bank account exists already."


class UnknownStatus(BridgeError):
    code = "unknown_status"
    status = 422
    title = "Unknown status"
    message = "'{wanted}' is no status of a fund."


class LimitTooLow(BridgeError):
    code = "limit_too_low"
    status = 409
    title = "Limit below what is taken"
    message = "{taken} taken already: the limit cannot be set to {limit}."


class LimitsUnchanged(BridgeError):
    code = "limits_unchanged"
    status = 409
    title = "Nothing changes"
    message = "These are the fund's limits already."


class LimitsReasonMissing(BridgeError):
    code = "reason_missing"
    status = 422
    title = "No reason given"
    message = "Say why the limits change, in a sentence: it is kept for ever."


def open_funds(*, rows: Sequence[NewFund], actor: Actor) -> list[Fund]:
    """Create funds with their capacity and ledger accounts, and an event each. All or none.

    Raises `FundCodeTaken`, and `ValueError` for a currency that ISO 4217 does not know.
    """
    try:
        with transaction.atomic():
            return _open(rows, actor)
    except IntegrityError as error:
        if "fund_account_number_once" in str(error) or "code" in str(error):
            raise FundCodeTaken(fund=", ".join(row.code for row in rows[:3])) from error
        raise


def _open(rows: Sequence[NewFund], actor: Actor) -> list[Fund]:
    moment = clock.now()
    funds = []
    for row in rows:
        if not is_currency(row.currency):
            raise ValueError(f"'{row.currency}' is no ISO 4217 currency.")
        fund = Fund(
            id=ids.new_id(),
            code=row.code,
            name=row.name,
            description=row.description,
            kind=row.kind,
            status=row.status,
            currency=row.currency,
            minimum=row.minimum,
            maximum=row.maximum,
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            on_deposit_failure=row.on_deposit_failure,
            regime=row.regime,
            eligibility=row.eligibility,
            required_documents=list(row.required_documents),
            second_person_above=row.second_person_above,
            escrow_minimum=row.escrow_minimum,
            contributed_elsewhere=row.contributed_elsewhere,
            rail=row.rail,
            institution=row.institution,
            routing_number=row.routing_number,
            created_at=moment,
        )
        fund.set_number(row.account_number)
        funds.append(fund)
    Fund.objects.bulk_create(funds)
    FundCapacity.objects.bulk_create(
        FundCapacity(fund=fund, seat_limit=row.seat_limit, hard_cap=row.hard_cap)
        for fund, row in zip(funds, rows, strict=True)
    )
    ledger.open_accounts(owners=[(fund.id, fund.currency) for fund in funds], kinds=FUND_KINDS)
    facts = [
        events.Fact(
            "fund",
            fund.id,
            "fund.opened",
            fund.status,
            fund.version,
            {"code": fund.code, "currency": fund.currency, "seat_limit": row.seat_limit, "hard_cap": row.hard_cap},
        )
        for fund, row in zip(funds, rows, strict=True)
    ]
    events.append(facts=facts, actor=actor, at=moment)
    return funds


def set_fund_status(*, changes: Sequence[Change], status: str, actor: Actor) -> list[Result]:
    """Put funds into a status; each is refused by itself (`NotFound`, `StaleVersion`).

    Raises `UnknownStatus`.
    """
    if status not in Fund.Status.values:
        raise UnknownStatus(wanted=status)
    results: list[Result] = []
    with transaction.atomic():
        moment = clock.now()
        ids_ = [change.id for change in changes]
        rows = {row.id: row for row in Fund.objects.select_for_update(no_key=True).filter(pk__in=ids_).order_by("pk")}
        facts = []
        for change in changes:
            fund = rows.get(change.id)
            refused = _refusal(change, fund)
            if refused is not None or fund is None:
                results.append(refused or Refused(change.id, NotFound(what="fund")))
                continue
            previous, fund.status, fund.version = fund.status, status, fund.version + 1
            fund.save(update_fields=["status", "version"])
            data = {"previous_status": previous, "reason": change.reason}
            facts.append(events.Fact("fund", fund.id, "fund.status_changed", status, fund.version, data))
            results.append(Done(fund.id, status, fund.version))
        events.append(facts=facts, actor=actor, at=moment)
    return results


def change_limits(*, change: Change, seat_limit: int | None, hard_cap: int | None, actor: Actor) -> Result:
    """Set a fund's seat limit and hard cap (minor units; `None` for no limit). The change carries the reason.

    Refused with `LimitsReasonMissing`, `NotFound`, `StaleVersion`, `LimitsUnchanged`, or `LimitTooLow` where more is
    taken already. Locks the capacity.
    """
    if not change.reason.strip():
        return Refused(change.id, LimitsReasonMissing())
    with transaction.atomic():
        moment = clock.now()
        fund = Fund.objects.select_for_update(no_key=True).filter(pk=change.id).first()
        refused = _refusal(change, fund)
        if refused is not None or fund is None:
            return refused or Refused(change.id, NotFound(what="fund"))
        (capacity,) = locking.lock(FundCapacity.objects.all(), [fund.id])
        error = _limits_error(capacity, fund.currency, seat_limit, hard_cap)
        if error is not None:
            return Refused(fund.id, error)
        data = {
            "previous": {"seat_limit": capacity.seat_limit, "hard_cap": capacity.hard_cap},
            "seat_limit": seat_limit,
            "hard_cap": hard_cap,
            "reason": change.reason,
        }
        capacity.seat_limit, capacity.hard_cap = seat_limit, hard_cap
        capacity.save(update_fields=["seat_limit", "hard_cap"])
        fund.version += 1
        fund.save(update_fields=["version"])
        fact = events.Fact("fund", fund.id, "fund.limits_changed", fund.status, fund.version, data)
        events.append(facts=[fact], actor=actor, at=moment)
        return Done(fund.id, fund.status, fund.version)


def _limits_error(
    capacity: FundCapacity, currency: str, seat_limit: int | None, hard_cap: int | None
) -> BridgeError | None:
    seats, taken = capacity.seats_taken, capacity.reserved + capacity.confirmed
    if (seat_limit, hard_cap) == (capacity.seat_limit, capacity.hard_cap):
        return LimitsUnchanged()
    if seat_limit is not None and seat_limit < seats:
        return LimitTooLow(taken=f"{seats:,} {'seat is' if seats == 1 else 'seats are'}", limit=f"{seat_limit:,}")
    if hard_cap is not None and hard_cap < taken:
        return LimitTooLow(taken=f"{display(taken, currency)} is", limit=display(hard_cap, currency))
    return None


def _refusal(change: Change, fund: Fund | None) -> Refused | None:
    if fund is None:
        return Refused(change.id, NotFound(what="fund"))
    if change.expected_version not in (None, fund.version):
        return Refused(fund.id, StaleVersion(expected=change.expected_version, actual=fund.version))
    return None


@dataclass(frozen=True, slots=True)
class Verified:
    """One run of all rules for one transfer, as it will be kept. `facts` and `decisions` are JSON already."""

    transfer_id: uuid.UUID
    fund_id: uuid.UUID
    stage: str
    outcome: str
    facts: Rendered
    decisions: Rendered


def record_verifications(*, rows: Sequence[Verified], at: datetime) -> None:
    """Keep what the rules saw and decided; one INSERT for all."""
    require_atomic()
    bulk.insert_columns(
        Verification,
        {
            "id": ids.new_ids(len(rows)),
            "transfer_id": [row.transfer_id for row in rows],
            "fund_id": [row.fund_id for row in rows],
            "stage": [row.stage for row in rows],
            "outcome": [row.outcome for row in rows],
            "facts": [row.facts for row in rows],
            "decisions": [row.decisions for row in rows],
            "at": [at] * len(rows),
        },
    )
