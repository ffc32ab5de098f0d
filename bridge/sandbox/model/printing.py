"""The settlement account's statement of one day, as it is printed: what the books say, and its misprints.

A statement with misprints still adds up: its balances follow from what is printed. Only comparing it with another
record shows that it is wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from datetime import date, datetime, time, timedelta, tzinfo

from bridge.sandbox.model.books import Books
from bridge.sandbox.model.faults import Fault
from bridge.sandbox.model.records import StatementLine


def printed(books: Books, *, currency: str, day: date, where: tzinfo) -> tuple[list[StatementLine], int, int]:
    """The lines of one day of the bank's time zone `where`, its opening and its closing balance in minor units."""
    start = datetime.combine(day, time(), where)
    end = datetime.combine(day + timedelta(days=1), time(), where)
    lines = books.statements.get(currency, [])
    first = bisect_left(lines, start, key=lambda line: line.at)
    last = bisect_left(lines, end, key=lambda line: line.at)
    opening = lines[first - 1].balance if first else 0
    closing = lines[last - 1].balance if last else 0
    wrong = books.misprints.get(currency, [])
    if not wrong:
        return lines[first:last], opening, closing
    opening += sum(_error(line, before=start) for line in wrong)
    kept = [shown for line in lines[first:last] for shown in _shown(line) if shown.at < end]
    kept += [shown for line in wrong if line.at < start for shown in _shown(line) if start <= shown.at < end]
    kept.sort(key=lambda line: (line.at, line.id))
    balance, result = opening, []
    for line in kept:
        balance += _signed(line)
        result.append(replace(line, balance=balance))
    return result, opening, balance


def _shown(line: StatementLine) -> list[StatementLine]:
    """The line as it is printed: not at all, once or twice."""
    if not line.misprint:
        return [line]
    if line.misprint == Fault.MISSING_LINE:
        return []
    shown = replace(line, amount=line.printed_amount, at=line.printed_at or line.at)
    return [shown, replace(shown, id=line.copy_id)] if line.copy_id else [shown]


def _error(line: StatementLine, *, before: datetime) -> int:
    """How much too high the printed balance is at `before` because of this line."""
    there = sum(_signed(shown) for shown in _shown(line) if shown.at < before)
    return there - (_signed(line) if line.at < before else 0)


def _signed(line: StatementLine) -> int:
    return line.amount if line.direction == "credit" else -line.amount
