"""Changing funds: opening them, their status; and keeping what the rules decided."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.ledger import services as ledger
from accounts.ledger.kinds import FUND_KINDS
from bridge.events import services as events
from bridge.kernel import bulk, clock, ids
from bridge.kernel.bank_details import plain_number
from bridge.kernel.columns import Rendered
from bridge.kernel.errors import BridgeError, NotFound, StaleVersion
from bridge.kernel.money import is_money
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


def open_funds(*, rows: Sequence[NewFund], actor: Actor) -> list[Fund]:
    """Create funds with their capacity and ledger accounts, and an event each. All or none.

    Raises `FundCodeTaken`, and `ValueError` for what is no currency.
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
        if not is_money(row.currency):
            raise ValueError(f"'{row.currency}' is no currency of ISO 4217 in which an account can be kept.")
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
        fund.set_number(plain_number(row.account_number))
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
            refused = refusal(change=change, fund=fund)
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


def refusal(*, change: Change, fund: Fund | None) -> Refused | None:
    """Where the fund is not there, or not in the version that the person saw."""
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
