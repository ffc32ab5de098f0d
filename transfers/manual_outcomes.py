"""An outcome that no bank will tell any more: two people decide it, on evidence such as a statement or a letter.

It is posted exactly as if the institution had reported it. For a key that the bank has forgotten there is no other way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Refused, Role
from transfers import asked
from transfers.blockers import Deed, allowed
from transfers.models import BankInstruction
from transfers.services import depositing, outcomes, unwinding, withdrawing
from transfers.states import LIVE, UNANSWERED

OUTCOME = "transfer.outcome"
LEGS = {
    InstructionKind.WITHDRAWAL: withdrawing.LEG,
    InstructionKind.DEPOSIT: depositing.LEG,
    InstructionKind.REFUND: unwinding.LEG,
}
DECIDED = {"settled": Outcome.SETTLED, "rejected": Outcome.REJECTED}


class NothingOpen(BridgeError):
    code = "nothing_open"
    status = 409
    title = "No outcome is open"
    message = "No outcome of this transfer is unknown or overdue: the bank has answered, or still has time to."


class OutcomeMalformed(BridgeError):
    code = "outcome_malformed"
    status = 422
    title = "The outcome cannot be used"
    message = "{why}"


def open_instruction(transfer_id: uuid.UUID) -> BankInstruction | None:
    """The live instruction whose outcome is to be told, if there is one."""
    kinds = [kind.value for kind in LEGS]
    return (
        BankInstruction.objects.select_related("transfer")
        .filter(transfer_id=transfer_id, kind__in=kinds, state__in=[str(state) for state in LIVE])
        .first()
    )


def _needed(transfer_id: uuid.UUID) -> BankInstruction:
    found = open_instruction(transfer_id)
    if found is None:
        raise NothingOpen()
    return found


def _look(subject_id: uuid.UUID) -> dict[str, Any]:
    order = open_instruction(subject_id)
    if order is None:
        return {"instruction": None}
    return {
        "instruction": order.key,
        "state": order.state,
        "amount": order.amount,
        "currency": order.currency,
        "sends": order.sends,  # what was not there before may be, once it was sent again
    }


def _validate(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`outcome` settled (with `settled_amount` in minor units, at most what was ordered, and the bank's `fee` where it
    is not the rest of the order) or rejected; `why` and `evidence` are needed."""
    order = _needed(subject_id)
    row = order.transfer
    safe = allowed(state=row.state, next_step=row.next_step, blocker_code=row.blocker_code)
    if order.state not in UNANSWERED and Deed.OUTCOME not in safe:
        raise NothingOpen()  # accepted, and not overdue: the bank will tell
    if payload.get("outcome") not in DECIDED:
        raise OutcomeMalformed(why="The outcome is 'settled', or 'rejected' for what the bank never carried out.")
    for name in ("why", "evidence"):
        if not str(payload.get(name, "")).strip():
            raise OutcomeMalformed(why=f"Give '{name}': an outcome that nobody reported must be explained.")
    if payload["outcome"] == "settled":
        amount = payload.get("settled_amount", order.amount)
        if type(amount) is not int or not 0 < amount <= order.amount:
            raise OutcomeMalformed(why=f"'settled_amount' is 1 to {order.amount} minor units.")
        fee = payload.get("fee", 0)
        if type(fee) is not int or not 0 <= fee <= order.amount - amount:
            raise OutcomeMalformed(why=f"'fee' is 0 to {order.amount - amount} minor units.")


def _split(payload: dict[str, Any], ordered: int) -> tuple[int, int]:
    """What arrived of the order and what the bank kept, in minor units; the rest never left the account."""
    if payload.get("outcome") != "settled":
        return 0, 0
    settled = payload.get("settled_amount", ordered)
    return settled, payload.get("fee", ordered - settled)


def _summarize(subject_id: uuid.UUID, payload: dict[str, Any]) -> str:
    order = _needed(subject_id)
    ordered, (settled, fee) = display(order.amount, order.currency), _split(payload, order.amount)
    if not 0 < settled < order.amount:
        return f"Decide that the {order.kind} of {ordered} was {payload.get('outcome')}"
    kept = f", and the bank kept {display(fee, order.currency)}" if fee else ""
    return f"Decide that the {order.kind} was settled with {display(settled, order.currency)} of {ordered}{kept}"


def _words(approval: Approval) -> list[tuple[str, object]]:
    words, seen = asked.parties(approval), approval.seen
    if approval.payload.get("outcome") != "settled" or "amount" not in seen:
        return words
    settled, fee = _split(approval.payload, seen["amount"])
    shares = {"settled amount": settled, "fee that the bank kept": fee, "never moved": seen["amount"] - settled - fee}
    return [*words, *((name, display(amount, seen["currency"])) for name, amount in shares.items())]


def being_decided(transfer_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these transfers whose outcome two people are asked about now: nothing of theirs is sent again, or what
    they read on paper would no longer be so."""
    rows = Approval.objects.filter(state=Approval.State.OPEN, kind=OUTCOME, subject_id__in=list(transfer_ids))
    return set(rows.values_list("subject_id", flat=True))


def _carry_out(approval: Approval, actor: Actor, at: datetime) -> None:
    order, payload = _needed(approval.subject_id), approval.payload
    settled, fee = _split(payload, order.amount)
    report = Report(
        key=order.key,
        outcome=DECIDED[payload["outcome"]],
        settled_amount=settled,
        fee=fee,
        code="two_people",
        reason=str(payload["why"]),
    )
    (result,) = outcomes.apply_within(leg=LEGS[InstructionKind(order.kind)], reports=[report], actor=actor, at=at)
    if isinstance(result, Refused):
        raise result.error


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=OUTCOME,
            subject_type="transfer_outcome",
            makers=frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE}),
            checkers=frozenset({Role.CHECKER, Role.COMPLIANCE}),
            lock=asked.lock_family,
            look=_look,
            summarize=_summarize,
            validate=_validate,
            carry_out=_carry_out,
            id_kind="transfer",
            words=_words,
            told=frozenset({"settled_amount", "fee"}),
        )
    )
