"""Keeping a bank's statement: once, whole, and only when its figures agree. What in it no instruction of ours explains
is booked with it: a credit as an unidentified receipt (S1), a charge as the firm's own cost (F1)."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Q

from bridge.kernel import crashpoints
from bridge.kernel.crashpoints import Point
from bridge.kernel.gateway import Activity
from bridge.kernel.results import Actor
from bridge.kernel.transactions import retried, unit_of_work
from transfers.models import BankStatement
from transfers.reconciliation import strays
from transfers.reconciliation.statements import Statement, StatementRefused, read
from transfers.services import payments


@retried
def import_statement(*, name: str, content: bytes, actor: Actor) -> BankStatement:
    """Read a statement file, keep it, and book its stray lines; the next reconciliation of its day compares it.

    Raises `LineChanged`, and `StatementRefused` where the file is none or not whole, was imported before, or its
    currency has a statement of that day, under whatever name of the account, or it does not begin where the last
    imported statement before it ended.
    """
    statement = read(name=name, content=content)
    crashpoints.reach(Point.RECONCILE_STATEMENT_READ)
    digest = hashlib.sha256(content).hexdigest()
    with unit_of_work() as at:
        payments.alone()
        _refuse_repeated(statement, digest)
        strays.take_in(account=statement.account, day=statement.day, lines=statement.lines, actor=actor, at=at)
        stored = BankStatement.objects.create(
            account=statement.account,
            currency=statement.currency,
            date=statement.day,
            opening=statement.opening,
            closing=statement.closing,
            lines=[_row(line) for line in statement.lines],
            format=statement.format,
            sha256=digest,
            imported_at=at,
            imported_by=actor.label or actor.id,
        )
    crashpoints.reach(Point.RECONCILE_STATEMENT_STORED)
    return stored


def _refuse_repeated(statement: Statement, digest: str) -> None:
    same = BankStatement.objects.filter(sha256=digest).first()
    if same is not None:
        raise StatementRefused(why=f"this very file was imported on {same.imported_at:%Y-%m-%d %H:%M} UTC")
    there = BankStatement.objects.filter(
        Q(account=statement.account) | Q(currency=statement.currency), date=statement.day
    ).first()
    if there is not None:
        name = "" if there.account == statement.account else f"; {statement.account} names the same account differently"
        raise StatementRefused(
            why=f"another statement of {there.account} for {there.date} in {there.currency} was imported on "
            f"{there.imported_at:%Y-%m-%d %H:%M} UTC{name}"
        )
    of_account = BankStatement.objects.filter(account=statement.account)
    before = of_account.filter(date__lt=statement.day).order_by("-date").first()
    if before is not None and before.closing != statement.opening:
        raise StatementRefused(
            why=f"it opens with {statement.opening}, but the statement of {before.date} closed with {before.closing}; "
            "a day between them is missing, or one of them is not whole"
        )


def lines_of(statement: BankStatement) -> list[Activity]:
    """The kept lines as they were read."""
    return [Activity(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in statement.lines]


def _row(line: Activity) -> dict[str, Any]:
    return {**asdict(line), "at": line.at.isoformat()}
