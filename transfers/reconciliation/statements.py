"""Statements of the settlement account, read from files: JSON, CSV and camt.053.001.08 (ISO 20022). Pure.

A statement is believed only when its own figures agree: the opening balance and the lines give the closing balance,
a running balance fits every line, no line comes twice. A file that was cut or pasted together is refused whole.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Any

from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import Activity
from bridge.kernel.money import MAX_AMOUNT, is_currency
from transfers.reconciliation import camt

MAX_BYTES = 64 * 2**20
MAX_BALANCE = 1000 * MAX_AMOUNT  # still a bigint
LONGEST_TEXT = 200  # of what a line says for people; more is cut
COLUMNS = ("id", "at", "direction", "amount", "currency", "kind", "key", "institution_reference", "code", "balance")


class StatementRefused(BridgeError):
    code = "statement_refused"
    status = 422
    title = "The statement was refused"
    message = "The statement was refused: {why}."


@dataclass(frozen=True, slots=True)
class Statement:
    """One day of one account. Balances and amounts in minor units; `direction` is seen from this account."""

    account: str
    currency: str
    day: date
    opening: int
    closing: int
    lines: tuple[Activity, ...]
    format: str


def read(*, name: str, content: bytes) -> Statement:
    """Read a file by its name's ending (`.json`, `.csv`, `.xml`) and check its figures.

    Raises `StatementRefused` for anything that is no whole, consistent statement.
    """
    reader = READERS.get(PurePath(name).suffix.lower())
    if reader is None:
        raise StatementRefused(why=f"its name must end in one of {', '.join(READERS)}")
    if len(content) > MAX_BYTES:
        raise StatementRefused(why=f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        statement = reader(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise StatementRefused(why="it is no UTF-8 text") from error
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError, csv.Error) as error:
        raise StatementRefused(why=f"it cannot be read ({type(error).__name__}: {error})") from error
    _check(statement)
    return statement


def _check(statement: Statement) -> None:
    if not is_currency(statement.currency):
        raise StatementRefused(why=f"'{statement.currency}' is no currency")
    if max(abs(statement.opening), abs(statement.closing)) > MAX_BALANCE:
        raise StatementRefused(why="a balance in it is more money than there is")
    seen: set[str] = set()
    total = statement.opening
    for line in statement.lines:
        if line.id in seen:
            raise StatementRefused(why=f"line {line.id} is in it twice")
        seen.add(line.id)
        if line.direction not in ("credit", "debit") or line.amount <= 0 or line.currency != statement.currency:
            raise StatementRefused(why=f"line {line.id} has no direction, no amount, or another currency")
        if line.amount > MAX_AMOUNT:
            raise StatementRefused(why=f"line {line.id} is of more money than there is: {line.amount}")
        total += line.amount if line.direction == "credit" else -line.amount
    if total != statement.closing:
        raise StatementRefused(
            why=f"its lines lead from {statement.opening} to {total}, but it closes with {statement.closing}; "
            "lines are missing or changed"
        )


def _line(row: Mapping[str, Any]) -> Activity:
    at = datetime.fromisoformat(str(row["at"]))
    if at.tzinfo is None:
        raise ValueError("a time without an offset from UTC")
    return Activity(
        id=str(row["id"]),
        key=str(row["key"]),
        kind=str(row["kind"]),
        direction=str(row["direction"]),
        amount=_whole(row["amount"]),
        currency=str(row["currency"]),
        account_last4="",
        institution_reference=str(row["institution_reference"]),
        code=str(row["code"]),
        at=at.astimezone(UTC),
        sender=str(row.get("sender") or row.get("institution") or "")[:LONGEST_TEXT],
        reference=str(row.get("reference") or "")[:LONGEST_TEXT],
    )


def _whole(value: Any) -> int:
    """Minor units: an integer or its digits, never a float."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{value!r} is no whole number of minor units")
    return int(value)


def _running(opening: int, rows: list[Mapping[str, Any]], lines: tuple[Activity, ...]) -> None:
    """The balance printed beside each line must follow from the line before it."""
    balance = opening
    for row, line in zip(rows, lines, strict=True):
        balance += line.amount if line.direction == "credit" else -line.amount
        if _whole(row["balance"]) != balance:
            raise StatementRefused(why=f"the balance beside line {line.id} does not follow from the line before it")


def read_json(text: str) -> Statement:
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("lines"), list):
        raise TypeError("an object with lines is wanted")
    rows = document["lines"]
    lines = tuple(_line(row) for row in rows)
    opening = _whole(document["opening_balance"])
    if rows and "balance" in rows[0]:
        _running(opening, rows, lines)
    return Statement(
        account=str(document["account"]),
        currency=str(document["currency"]),
        day=date.fromisoformat(document["date"]),
        opening=opening,
        closing=_whole(document["closing_balance"]),
        lines=lines,
        format="json",
    )


def read_csv(text: str) -> Statement:
    """A CSV names no account, day or opening balance: they follow from its lines, so an empty one says nothing. Its
    last row must be `TOTAL`, with the number of lines as the amount and the closing balance."""
    rows: list[Mapping[str, Any]] = list(csv.DictReader(io.StringIO(text), strict=True))
    if len(rows) < 2:  # one of them is the total
        raise StatementRefused(why="it has no lines, so it names neither day nor account")
    missing = [name for name in COLUMNS if rows[0].get(name) is None]
    if missing:
        raise StatementRefused(why=f"it has no column {', '.join(missing)}")
    total = rows.pop()
    if total["id"] != "TOTAL":
        raise StatementRefused(why="its last row is not TOTAL, so its end is missing; fetch it again")
    lines = tuple(_line(row) for row in rows)
    days = {line.at.date() for line in lines}
    if len(days) != 1:
        raise StatementRefused(why="its lines are of several days; import one day at a time")
    first = lines[0]
    before = _whole(rows[0]["balance"]) - (first.amount if first.direction == "credit" else -first.amount)
    _running(before, rows, lines)
    _total(total, rows)
    return Statement(
        account=f"SETTLEMENT-{first.currency}",
        currency=first.currency,
        day=days.pop(),
        opening=before,
        closing=_whole(rows[-1]["balance"]),
        lines=lines,
        format="csv",
    )


def _total(last: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> None:
    said = _whole(last["amount"]), _whole(last["balance"])
    if said != (len(rows), _whole(rows[-1]["balance"])):
        raise StatementRefused(
            why=f"its TOTAL row speaks of {said[0]} lines and closes with {said[1]}, which its lines do not"
        )


def read_camt(text: str) -> Statement:
    document = camt.read(text)
    lines = tuple(_line(row) for row in document.rows)
    return Statement(
        document.account, document.currency, document.day, document.opening, document.closing, lines, "camt053"
    )


READERS: dict[str, Callable[[str], Statement]] = {".json": read_json, ".csv": read_csv, ".xml": read_camt}
