"""One reconciliation from beginning to end: ask the institutions, compare, and hand the result to the service."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction
from django.db.models import Min

from bridge.kernel import clock, crashpoints
from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import Activity
from bridge.kernel.results import Actor
from transfers.models import BankInstruction, BankStatement, Break, ReconciliationRun
from transfers.reconciliation import asking, books, gathering, intake, ledger_check, services, strays
from transfers.reconciliation.matching import SETTLEMENT, Difference, Kind, Matching, match
from transfers.reconciliation.results import Compared
from transfers.services import payments

LONGEST_LOOK_BACK = timedelta(days=90)


class DayNotBegun(BridgeError):
    code = "day_not_begun"
    status = 422
    title = "This day has not begun"
    message = "{date} has not begun yet; there is nothing to reconcile."


def reconcile(*, date: date, actor: Actor, progress: Callable[[int], None] = lambda _: None) -> ReconciliationRun:
    """Compare our instructions and ledger with both institutions' record of this day (UTC) and of every day back to
    the oldest open break (at most 90), so that what was settled meanwhile is seen.

    Where they differ about an instruction its institution is asked once more, by key: what it tells is posted, and
    only what then still differs is recorded. An institution that does not answer is listed in the run's `problems`,
    and nothing is concluded about it. A currency whose settlement account moved on the day without a statement of it is
    listed in `unstated`: that is told, and no break. Raises `DayNotBegun` for a day of the future. No transaction is
    open while institutions are asked.
    """
    now = clock.now()
    if date > now.date():
        raise DayNotBegun(date=date.isoformat())
    start = datetime.combine(_first_day(date), time(), UTC)
    end = datetime.combine(date + timedelta(days=1), time(), UTC)
    records = [
        gathering.ask(institution, since=start, until=end, progress=progress)
        for institution in gathering.institutions()
    ]
    found = _compare(records, start=start, end=end, at=clock.now(), day=date)
    if asking.ask_about(found.differences):
        found = _compare(records, start=start, end=end, at=clock.now(), day=date)
    crashpoints.reach(crashpoints.Point.RECONCILE_COMPARED)
    return services.record(date=date, since=start.date(), found=found, actor=actor)


def _first_day(day: date) -> date:
    oldest = Break.objects.filter(resolved_at__isnull=True, date__lte=day).aggregate(first=Min("date"))["first"]
    return max(min(oldest or day, day), day - LONGEST_LOOK_BACK)


@dataclass(frozen=True, slots=True)
class _Ours:
    """Our side, read in one snapshot."""

    statements: list[BankStatement]
    stated: dict[uuid.UUID, list[Activity]]
    booked: list[books.Movement]
    rows: list[BankInstruction]
    ever: list[books.Movement]
    inside: dict[uuid.UUID, int]
    explained: dict[uuid.UUID, set[str]]
    paid: dict[uuid.UUID, list[strays.Payment]]
    moved: set[str]


def _compare(records: list[gathering.Record], *, start: datetime, end: datetime, at: datetime, day: date) -> Compared:
    found = Compared()
    mine = _read([line.key for record in records for line in record.lines], start=start, end=end, day=day)
    for record in records:
        name = record.institution
        if record.problem:
            found.problems.append({"institution": name, "problem": record.problem})
            continue
        ours = books.sides(mine.rows, mine.booked, institution=name)
        matching = match(institution=name, ours=ours, theirs=record.lines, at=at, day=day, asked_at=record.asked_at)
        found.add(name, matching)
    judged = [row for row in mine.rows if row.institution in found.judged]
    own = ledger_check.compare(rows=judged, booked=mine.ever, day=day)
    owner = {f"{row.key}:ledger": row.institution for row in judged}
    found.differences += own.differences
    found.agreed |= {(owner[reference], reference) for reference in own.agreed}
    _settlement(found, mine, at=at, day=day)
    found.unstated = sorted(mine.moved - {item.currency for item in mine.statements if item.date == day})
    return found


def _read(keys: list[str], *, start: datetime, end: datetime, day: date) -> _Ours:
    """After the institutions were asked: what they had booked by then, we may know by now."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        statements = list(
            BankStatement.objects.filter(date__gte=start.date(), date__lte=day).order_by("account", "date")
        )
        stated = {statement.pk: intake.lines_of(statement) for statement in statements}
        booked = books.movements(start=start, end=end)
        named = {*keys, *(line.key for lines in stated.values() for line in lines)} - {""}
        rows = books.instructions(booked=booked, keys=named, created_before=end)
        ever = books.movements_of({row.transfer_id for row in rows})
        inside = {item.pk: _inside(item) for item in statements}
        explained = {
            item.pk: strays.explained(account=item.account, day=item.date, lines=stated[item.pk]) for item in statements
        }
        paid = {item.pk: _paid(item) for item in statements}
        moved = books.moved(start=datetime.combine(day, time(), UTC), end=end)
        return _Ours(statements, stated, booked, rows, ever, inside, explained, paid, moved)


def _paid(statement: BankStatement) -> list[strays.Payment]:
    begin = datetime.combine(statement.date, time(), UTC)
    return strays.payments_between(currency=statement.currency, start=begin, end=begin + timedelta(days=1))


def _inside(statement: BankStatement) -> int:
    end = datetime.combine(statement.date + timedelta(days=1), time(), UTC)
    return books.money_inside(currency=statement.currency, before=end)


def _settlement(found: Compared, books_: _Ours, *, at: datetime, day: date) -> None:
    """The settlement account, per currency, on the days for which a statement was imported."""
    for currency in sorted({statement.currency for statement in books_.statements}):
        mine = [statement for statement in books_.statements if statement.currency == currency]
        days = {statement.date for statement in mine}
        dated = [item for item in books_.booked if item.day in days]
        known = {item.instruction_id for item in dated}
        stated = [(line, item) for item in mine for line in books_.stated[item.pk]]
        stray = [line for line, item in stated if line.id in books_.explained[item.pk]]
        listed = [line for line, item in stated if line.id not in books_.explained[item.pk]]
        keys = {line.key for line in listed}
        rows = [row for row in books_.rows if row.currency == currency and (row.pk in known or row.key in keys)]
        ours = books.sides(rows, dated, institution=SETTLEMENT)
        matching = match(institution=SETTLEMENT, ours=ours, theirs=listed, at=at, day=day)
        matching.agreed |= {line.id for line in stray} | {line.key for line in stray if line.key}
        shown = {payments.shown(account=item.account, day=item.date, line=line.id) for line, item in stated}
        for statement in mine:
            _unstated(matching, books_.paid[statement.pk], shown)
        _balance(matching, mine, books_.inside[mine[-1].pk])
        found.add(SETTLEMENT, matching)


def _unstated(matching: Matching, paid: list[strays.Payment], shown: set[str]) -> None:
    """What people booked by a bank's reference for this day must be shown by a line, each by its own."""
    for payment in paid:
        if payment.shown_by in shown:
            matching.agreed.add(payment.reference)
            continue
        signed = payment.amount if payment.direction == "credit" else -payment.amount
        matching.lacks(payment.currency, -signed)
        why = f"Two people booked a payment under the reference {payment.reference}; the statement has no such line."
        matching.differences.append(
            Difference(
                Kind.MISSING_THERE,
                SETTLEMENT,
                payment.reference,
                payment.currency,
                signed,
                None,
                why,
                payment.at.date(),
            )
        )


def _balance(matching: Matching, statements: list[BankStatement], inside: int) -> None:
    """I12: what our ledger has in the account, plus the differences already listed, is the bank's closing balance.

    The newest statement decides; where it agrees, whatever differed on an earlier day has come right.
    """
    newest = statements[-1]
    reference = f"{newest.account} {newest.date}"
    explained = matching.unmatched.get(newest.currency, 0)
    if inside + explained == newest.closing:
        matching.agreed |= {f"{item.account} {item.date}" for item in statements}
        return
    what = (
        f"The account closed with another balance than our ledger has in it, after {explained} (minor units) of "
        "differences that are listed one by one."
    )
    matching.differences.append(
        Difference(Kind.BALANCE, SETTLEMENT, reference, newest.currency, inside, newest.closing, what, newest.date)
    )
