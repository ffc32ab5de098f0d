"""What two people decide about a transfer's money: `transfer.write_off`, `transfer.top_up`, `transfer.redirect`,
`transfer.pay_elsewhere`. Each is judged when it is asked for and again, under locks, when it is decided."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from accounts.ledger import firm
from accounts.models import InvestorAccount
from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import display
from bridge.kernel.results import Actor
from funds.models import Fund
from transfers import asked
from transfers.blockers import DEEDS, Deed
from transfers.models import Transfer
from transfers.services import covering, permitting, redirecting

WRITE_OFF, TOP_UP = "transfer.write_off", "transfer.top_up"
REDIRECT, PAY_ELSEWHERE = "transfer.redirect", "transfer.pay_elsewhere"


def _safe(transfer_id: uuid.UUID, deed: Deed) -> Transfer:
    row = asked.transfer(transfer_id)
    _raise(permitting.unsafe(row, deed))
    return row


def _raise(error: BridgeError | None) -> None:
    if error is not None:
        raise error


def _seen(row: Transfer) -> dict[str, Any]:
    return {"amount": row.amount, "currency": row.currency, "state": row.state, "blocker": row.blocker_code}


# --- an advance is given up


def _claim(row: Transfer) -> int:
    return firm.claims_on([row.id]).get(row.id, 0)


def _look_claim(transfer_id: uuid.UUID) -> dict[str, Any]:
    row = asked.transfer(transfer_id)
    return {"advanced": _claim(row), "currency": row.currency}


def _validate_write_off(transfer_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`why`. The whole open claim is written off."""
    asked.why(payload)
    if not _claim(_safe(transfer_id, Deed.WRITE_OFF)):
        raise covering.NoOpenAdvance()


def _write_off(approval: Approval, actor: Actor, at: datetime) -> None:
    wanted = covering.WriteOff(approval.subject_id, asked.why(approval.payload))
    asked.only(covering.write_off_advances(write_offs=[wanted], actor=actor, at=at))


def _write_off_words(transfer_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = asked.transfer(transfer_id)
    return f"Write off the advance of {display(_claim(row), row.currency)} for {row.public_id}"


# --- a short pay is topped up


def _look_short(transfer_id: uuid.UUID) -> dict[str, Any]:
    row = asked.transfer(transfer_id)
    return {**_seen(row), "missing": covering.missing(row)}


def _validate_top_up(transfer_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`amount` in minor units, at most what is missing, and `why`."""
    asked.why(payload)
    row, amount = _safe(transfer_id, Deed.TOP_UP), asked.amount(payload)
    short = covering.missing(row)
    if amount > short:
        raise covering.NotShort(why=f"{display(short, row.currency)} is missing, so no more than that is added.")


def _top_up(approval: Approval, actor: Actor, at: datetime) -> None:
    payload = approval.payload
    wanted = covering.TopUp(approval.subject_id, asked.amount(payload), asked.why(payload))
    asked.only(covering.top_up_by_two(top_ups=[wanted], actor=actor, at=at))


def _top_up_words(transfer_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = asked.transfer(transfer_id)
    return f"Top up {row.public_id} with {display(asked.amount(payload), row.currency)} of the firm's own"


# --- another fund


def _fund(payload: dict[str, Any]) -> Fund:
    found = Fund.objects.filter(pk=asked.identifier(payload, "fund")).first()
    if found is None:
        raise NotFound(what="fund")
    return found


def _look_fund(transfer_id: uuid.UUID) -> dict[str, Any]:
    row = asked.transfer(transfer_id)
    return {**_seen(row), "fund": str(row.fund_id)}


def _validate_redirect(transfer_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`fund` and `why`."""
    asked.why(payload)
    _raise(redirecting.cannot_redirect(_safe(transfer_id, Deed.REDIRECT), _fund(payload)))


def _redirect(approval: Approval, actor: Actor, at: datetime) -> None:
    payload = approval.payload
    wanted = redirecting.Redirect(approval.subject_id, asked.identifier(payload, "fund"), asked.why(payload))
    asked.only(redirecting.redirect_transfers(redirects=[wanted], actor=actor, at=at))


def _redirect_words(transfer_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = asked.transfer(transfer_id)
    return f"Redirect {display(row.amount, row.currency)} from {row.fund.name} to {_fund(payload).name}"


# --- another account of the investor


def _account(payload: dict[str, Any]) -> InvestorAccount | None:
    return InvestorAccount.objects.filter(pk=asked.identifier(payload, "account")).first()


def _look_refund(transfer_id: uuid.UUID) -> dict[str, Any]:
    row = asked.transfer(transfer_id)
    return {**_seen(row), "version": row.version}


def _validate_elsewhere(transfer_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`account`, another one of the same investor, its `last4`, and `why`."""
    asked.why(payload)
    account = _account(payload)
    _raise(redirecting.unusable(_safe(transfer_id, Deed.PAY_ELSEWHERE), account))
    assert account is not None
    if payload.get("last4", account.number_last4) != account.number_last4:
        raise asked.AskedMalformed(why="'last4' are not the last digits of this account's number. Look again.")


def _pay_elsewhere(approval: Approval, actor: Actor, at: datetime) -> None:
    payload = approval.payload
    _validate_elsewhere(approval.subject_id, payload)  # the number may have changed since
    wanted = redirecting.PayElsewhere(approval.subject_id, asked.identifier(payload, "account"), asked.why(payload))
    asked.only(redirecting.pay_elsewhere(payments=[wanted], actor=actor, at=at))


def _elsewhere_words(transfer_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row, account = asked.transfer(transfer_id), _account(payload)
    to = f"{account.institution} ···{account.number_last4}" if account else "another account"
    return f"Refund {display(row.amount, row.currency)} of {row.public_id} to {to}"


# --- in words, for those who decide


def _words(approval: Approval) -> list[tuple[str, object]]:
    words, payload, seen = asked.parties(approval), approval.payload, approval.seen
    if approval.kind == REDIRECT:
        words = [(name, value) for name, value in words if name != "fund"]
        names = {str(row.pk): row.name for row in Fund.objects.filter(pk__in=[seen["fund"], _fund(payload).pk])}
        words += [("fund now", names.get(seen["fund"], seen["fund"])), ("fund to be", _fund(payload).name)]
    elif approval.kind == PAY_ELSEWHERE and (account := _account(payload)) is not None:
        words.append(("paid to", f"{account} at {account.institution.title()}, of {account.investor}"))
    return words


_HANDLERS = (
    (WRITE_OFF, Deed.WRITE_OFF, "transfer_advance", _look_claim, _write_off_words, _validate_write_off, _write_off),
    (TOP_UP, Deed.TOP_UP, "transfer_short_pay", _look_short, _top_up_words, _validate_top_up, _top_up),
    (REDIRECT, Deed.REDIRECT, "transfer_fund", _look_fund, _redirect_words, _validate_redirect, _redirect),
    (
        PAY_ELSEWHERE,
        Deed.PAY_ELSEWHERE,
        "transfer_refund",
        _look_refund,
        _elsewhere_words,
        _validate_elsewhere,
        _pay_elsewhere,
    ),
)


def register() -> None:
    """Called when the app is ready."""
    for kind, deed, subject_type, look, summarize, validate, carry_out in _HANDLERS:
        register_handler(
            Handler(
                kind=kind,
                subject_type=subject_type,
                id_kind="transfer",
                makers=DEEDS[deed].roles,
                checkers=asked.CHECKERS,
                lock=asked.lock_family,
                look=look,
                summarize=summarize,
                validate=validate,
                carry_out=carry_out,
                words=_words,
                told=frozenset({"fund", "account"}),
            )
        )
