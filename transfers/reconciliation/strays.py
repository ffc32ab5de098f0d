"""Lines of the settlement account's statement that name none of our keys: which are receipts, which are charges, and
which are payments that people have booked already (A3, S3)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from accounts.ledger.models import Posting
from bridge.kernel.gateway import Activity
from bridge.kernel.results import Actor
from transfers.models import FloatMovement, Receipt
from transfers.services import payments, receipts

CHARGES = frozenset({"fee", "charge"})
_CREDITS, _DEBITS = (FloatMovement.Kind.PUT_IN,), (FloatMovement.Kind.TAKEN_OUT,)


@dataclass(frozen=True, slots=True)
class Payment:
    """What people booked by a bank's reference. `id` of the movement or receipt; `direction` as the settlement account
    sees it; minor units; `shown_by` the line that shows it, once there is one."""

    id: uuid.UUID
    direction: str
    reference: str
    amount: int
    currency: str
    at: datetime
    shown_by: str = ""

    def is_on(self, line: Activity) -> bool:
        same = (self.direction, self.amount, self.currency) == (line.direction, line.amount, line.currency)
        return same and self.reference in references(line)


@dataclass(slots=True)
class Sorted:
    receipts: list[Activity] = field(default_factory=list)
    charges: list[Activity] = field(default_factory=list)
    booked: list[tuple[Payment, Activity]] = field(default_factory=list)
    unclear: list[Activity] = field(default_factory=list)


def sort_out(lines: Iterable[Activity], *, ours: frozenset[str], payments: Sequence[Payment]) -> Sorted:
    """What each line that names none of `ours` is; each payment explains one line. Pure."""
    found, open_ = Sorted(), list(payments)
    for line in lines:
        if line.key in ours:
            continue
        paid = next((payment for payment in open_ if payment.is_on(line)), None)
        if paid is not None:
            open_.remove(paid)
            found.booked.append((paid, line))
        elif line.direction == "credit":
            found.receipts.append(line)
        elif line.kind in CHARGES:
            found.charges.append(line)
        else:
            found.unclear.append(line)
    return found


def take_in(*, account: str, day: date, lines: Sequence[Activity], actor: Actor, at: datetime) -> Sorted:
    """Post S1 and F1 for the lines of a day's statement that nothing of ours explains, each line once, and remember of
    what people booked which line shows it.

    Needs the intake's transaction, which lets in one statement at a time. Raises `LineChanged`.
    """
    keys = {line.id: payments.shown(account=account, day=day, line=line.id) for line in lines}
    before = payments.shown_payments(keys.values())
    stated = [(line, before[keys[line.id]]) for line in lines if keys[line.id] in before]
    for line, row in stated:
        receipts.refuse_changed(line, row)
    known = {line.id for line, _ in stated}
    fresh = [line for line in lines if line.id not in known]
    found = sort_out(fresh, ours=our_keys(lines), payments=payments_named_in(fresh))
    payments.remember(lines={paid.id: keys[line.id] for paid, line in found.booked})
    receipts.record_receipts(account=account, day=day, lines=found.receipts, actor=actor, at=at)
    receipts.record_charges(account=account, day=day, lines=found.charges, actor=actor, at=at)
    return found


def explained(*, account: str, day: date, lines: Sequence[Activity]) -> set[str]:
    """Ids of the lines that name none of our keys and that our books have all the same."""
    ours = our_keys(lines)
    return set(payments.explained_lines(account=account, day=day, ids=[x.id for x in lines if x.key not in ours]))


def our_keys(lines: Iterable[Activity]) -> frozenset[str]:
    """Those keys of the lines that are keys of our instructions."""
    return payments.our_keys(line.key for line in lines)


def payments_named_in(lines: Iterable[Activity]) -> list[Payment]:
    """What people booked under the references of these lines and no line has shown yet."""
    wanted = {reference for line in lines for reference in references(line)}
    moved = FloatMovement.objects.filter(bank_reference__in=wanted, shown_by="", reversed_at__isnull=True)
    back = Receipt.objects.filter(state=Receipt.State.SENT_BACK, bank_reference__in=wanted, back_shown_by="")
    return _payments(moved, back, dict(_posted_at(back)))


def payments_between(*, currency: str, start: datetime, end: datetime) -> list[Payment]:
    """What people booked with a bank's date from `start` to before `end`."""
    moved = FloatMovement.objects.filter(
        currency=currency, effective_at__gte=start, effective_at__lt=end, reversed_at__isnull=True
    )
    sent = Receipt.objects.filter(currency=currency, state=Receipt.State.SENT_BACK)
    days = {pk: at for pk, at in _posted_at(sent) if start <= at < end}
    return _payments(moved, sent.filter(pk__in=days), days)


def _posted_at(receipts: Iterable[Receipt]) -> list[tuple[uuid.UUID, datetime]]:
    rows = list(receipts)
    dates = dict(Posting.objects.filter(pk__in=[row.closed_by for row in rows]).values_list("pk", "effective_at"))
    return [(row.pk, dates[row.closed_by]) for row in rows if row.closed_by is not None]


def _payments(
    moved: Iterable[FloatMovement], back: Iterable[Receipt], days: dict[uuid.UUID, datetime]
) -> list[Payment]:
    found = [
        Payment(
            row.id,
            "credit" if row.kind in _CREDITS else "debit",
            row.bank_reference,
            row.amount,
            row.currency,
            row.effective_at,
            row.shown_by,
        )
        for row in moved
        if row.kind in (*_CREDITS, *_DEBITS)
    ]
    found += [
        Payment(row.id, "debit", row.bank_reference, row.amount, row.currency, days[row.pk], row.back_shown_by)
        for row in back
    ]
    return found


def references(line: Activity) -> set[str]:
    """By what people may have named this line."""
    return {line.id, line.institution_reference, line.reference} - {""}
