"""What compliance establishes about investors, and changes of their bank details, which take two people."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import ComplianceProfile, Investor, InvestorAccount
from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.console.display import link
from bridge.events import services as events
from bridge.kernel import clock, locking
from bridge.kernel.bank_details import check_details, plain_number
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion
from bridge.kernel.results import Actor, Change, Role, only

CHANGE_DETAILS = "account.change_details"
NUMBER_FIELDS = ("number_sealed", "number_last4", "number_index", "iban", "number_valid")
DETAIL_FIELDS = ("routing_number", "owner_name", "owner_confirmed", *NUMBER_FIELDS)
PROFILE_FIELDS = (
    "accredited",
    "accredited_until",
    "qualified_purchaser",
    "qualified_purchaser_until",
    "kyc",
    "kyc_verified_at",
    "sanctions",
    "sanctions_screened_at",
    "is_fund",
    "look_through_owners",
)


class DetailsMalformed(BridgeError):
    code = "details_malformed"
    status = 422
    title = "Bank details malformed"
    message = "{why}"


def record_compliance(*, change: Change, values: dict[str, Any], actor: Actor) -> ComplianceProfile:
    """Keep what compliance established about an investor (`PROFILE_FIELDS`; what is not given stays).

    Raises `NotFound`, `StaleVersion`, `NotAllowed` for another role than compliance, `KeyError` for another field.
    """
    if actor.role not in (Role.COMPLIANCE, Role.SYSTEM):
        raise NotAllowed(only([Role.COMPLIANCE]))
    unknown = sorted(values.keys() - set(PROFILE_FIELDS))
    if unknown:
        raise KeyError(", ".join(unknown))
    with transaction.atomic():
        moment = clock.now()
        if not Investor.objects.select_for_update(no_key=True).filter(pk=change.id).exists():
            raise NotFound(what="investor")
        row = ComplianceProfile.objects.filter(pk=change.id).first()
        if row is None:
            row = ComplianceProfile(investor_id=change.id, version=0)
        if change.expected_version not in (None, row.version):
            raise StaleVersion(expected=change.expected_version, actual=row.version)
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
        row.updated_at = moment
        row.save()
        data = {"values": values, "reason": change.reason}
        fact = events.Fact("compliance", row.pk, "compliance.recorded", "", row.version, data)
        events.append(facts=[fact], actor=actor, at=moment)
    return row


def _account(subject_id: uuid.UUID) -> InvestorAccount:
    found = InvestorAccount.objects.select_related("investor").filter(pk=subject_id).first()
    if found is None:
        raise NotFound(what="account")
    return found


def _lock(subject_id: uuid.UUID) -> None:
    locking.lock(InvestorAccount.objects.only("id"), [subject_id])


def _look(subject_id: uuid.UUID) -> dict[str, Any]:
    """The number is bound by its keyed hash: nothing encrypted or readable stands in an approval."""
    row = _account(subject_id)
    return {"number": row.number_index, "routing_number": row.routing_number, "owner_name": row.owner_name}


def _validate(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    row = _account(subject_id)
    known = {"routing_number", "owner_name", "owner_confirmed", "verified", "why", *NUMBER_FIELDS}
    if unknown := sorted(payload.keys() - known):
        raise DetailsMalformed(why=f"Unknown fields: {', '.join(unknown)}.")
    if not str(payload.get("why", "")).strip():
        raise DetailsMalformed(why="Say why the bank details change ('why').")
    if "routing_number" in payload:
        check_details(currency=row.currency, routing_number=str(payload["routing_number"]), rail=row.rail)


def sealed_number(*, account_id: uuid.UUID, number: str) -> dict[str, Any]:
    """The part of a proposal's payload that carries a new account number, readable for nobody."""
    row = InvestorAccount(id=account_id)
    row.set_number(plain_number(number))
    return {name: getattr(row, name) for name in NUMBER_FIELDS}


def _change(approval: Approval, actor: Actor, at: datetime) -> None:
    row = InvestorAccount.objects.select_for_update(no_key=True).get(pk=approval.subject_id)
    payload = approval.payload
    for name in DETAIL_FIELDS:
        if name in payload:
            setattr(row, name, payload[name])
    row.details_changed_at = at
    row.details_verified_at = at if payload.get("verified") else None
    row.version += 1
    data = {"last4": row.number_last4, "why": payload["why"], "approval": approval.id}
    fact = events.Fact("account", row.id, "account.details_changed", row.status, row.version, data)
    events.append(facts=[fact], actor=actor, at=at)  # first: the database looks for it when the row changes
    row.save(update_fields=[*DETAIL_FIELDS, "details_changed_at", "details_verified_at", "version"])


def _summarize(subject_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = _account(subject_id)
    to = f" to ···{payload['number_last4']}" if "number_last4" in payload else ""
    return f"Change the bank details of {row.investor}: {row} at {row.institution.title()} ({row.currency}){to}"


def _words(approval: Approval) -> list[tuple[str, object]]:
    row, payload, seen = _account(approval.subject_id), approval.payload, approval.seen
    words: list[tuple[str, object]] = [
        ("investor", link("accounts.investor", row.investor_id, row.investor)),
        ("account", link("accounts.investoraccount", row.pk, f"{row.name} at {row.institution.title()}")),
        ("currency", row.currency),
    ]
    if "number_last4" in payload:
        words.append(("new account number", f"···{payload['number_last4']}"))
        words.append(("its check digits", _check_digits(payload)))
    for name in ("routing_number", "owner_name"):
        if name in payload:
            words.append((name.replace("_", " "), f"{seen.get(name) or 'none'} → {payload[name] or 'none'}"))
    verified = "yes" if payload.get("verified") else "no: until they are, the rules may hold transfers of this account"
    return [*words, ("verified with the institution", verified)]


def _check_digits(payload: dict[str, Any]) -> str:
    if not payload.get("iban"):
        return "cannot be checked: only an IBAN has them, and this is none"
    return "right" if payload.get("number_valid") else "wrong: this is no valid IBAN"


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=CHANGE_DETAILS,
            subject_type="account",
            makers=frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE}),
            checkers=frozenset({Role.CHECKER, Role.COMPLIANCE}),
            lock=_lock,
            look=_look,
            summarize=_summarize,
            validate=_validate,
            carry_out=_change,
            words=_words,
            told=frozenset({"verified", "routing_number", "owner_name", *NUMBER_FIELDS}),
        )
    )


__all__ = ["CHANGE_DETAILS", "PROFILE_FIELDS", "record_compliance", "register", "sealed_number"]
