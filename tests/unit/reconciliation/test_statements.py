from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bridge.sandbox.model.records import StatementLine
from bridge.sandbox.server.statements import Statement as BankStatement
from bridge.sandbox.server.statements import as_camt053, as_csv
from transfers.reconciliation.statements import StatementRefused, read

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINES = [("credit", 10_000, "withdrawal"), ("debit", 4_000, "deposit"), ("debit", 1_000, "return")]


def issued(opening: int = 500) -> BankStatement:
    """A statement as the bank issues it."""
    lines, balance = [], opening
    for number, (direction, amount, kind) in enumerate(LINES, 1):
        balance += amount if direction == "credit" else -amount
        lines.append(
            StatementLine(
                id=number,
                currency="USD",
                key=f"key-{number}",
                reference="BRIDGE trf",
                kind=kind,
                direction=direction,
                amount=amount,
                institution="meridian",
                institution_reference=f"MER{number}",
                code="R10" if kind == "return" else "",
                at=NOON,
                balance=balance,
            )
        )
    return BankStatement("SETTLEMENT-USD", "USD", DAY, opening, balance, lines, NOON)


def document(**changes: Any) -> dict[str, Any]:
    statement = issued()
    lines = [
        {
            "id": f"settlement-{item.id}",
            "at": "2026-11-20T12:00:00Z",
            "direction": item.direction,
            "amount": item.amount,
            "currency": item.currency,
            "kind": item.kind,
            "key": item.key,
            "institution_reference": item.institution_reference,
            "code": item.code,
            "balance": item.balance,
        }
        for item in statement.lines
    ]
    given = {
        "account": "SETTLEMENT-USD",
        "currency": "USD",
        "date": "2026-11-20",
        "opening_balance": 500,
        "closing_balance": statement.closing,
        "lines": lines,
    }
    return given | changes


def as_json(**changes: Any) -> bytes:
    return json.dumps(document(**changes)).encode()


class TestAllFormatsSayTheSame:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("day.json", as_json()),
            ("day.csv", as_csv(issued()).encode()),
            ("DAY.XML", as_camt053(issued()).encode()),
        ],
    )
    def test_read(self, name: str, content: bytes) -> None:
        statement = read(name=name, content=content)
        assert (statement.account, statement.currency, statement.day) == ("SETTLEMENT-USD", "USD", DAY)
        assert (statement.opening, statement.closing) == (500, 5_500)
        assert [(item.direction, item.amount, item.kind, item.key, item.code) for item in statement.lines] == [
            ("credit", 10_000, "withdrawal", "key-1", ""),
            ("debit", 4_000, "deposit", "key-2", ""),
            ("debit", 1_000, "return", "key-3", "R10"),
        ]
        assert all(item.at == NOON for item in statement.lines)

    def test_an_overdrawn_account_keeps_its_sign(self) -> None:
        statement = read(name="day.xml", content=as_camt053(issued(opening=-20_000)).encode())
        assert (statement.opening, statement.closing) == (-20_000, -15_000)


def bundled(*parts: tuple[str, str, str], amount: str = "100.00", path: str = "Amt") -> bytes:
    """As the bank issues it, with its first entry booked as a batch of `(amount, direction, key)`."""
    text = as_camt053(issued())
    start, end = text.index("<NtryDtls>"), text.index("</NtryDtls>")
    transactions = "".join(
        f"<TxDtls><Refs><EndToEndId>{key}</EndToEndId></Refs>"
        + (f'<Amt Ccy="USD">{money}</Amt>' if path == "Amt" else "")
        + (f"<CdtDbtInd>{way}</CdtDbtInd>" if way else "")
        + (f'<AmtDtls><TxAmt><Amt Ccy="USD">{money}</Amt></TxAmt></AmtDtls>' if path == "TxAmt" else "")
        + "</TxDtls>"
        for money, way, key in parts
    )
    return f"{text[:start]}<NtryDtls>{transactions}{text[end:]}".encode()


class TestBatchBookedEntries:
    @pytest.mark.parametrize("path", ["Amt", "TxAmt"])
    def test_each_transaction_is_a_line(self, path: str) -> None:
        content = bundled(("60.00", "", "first"), ("40.00", "CRDT", "second"), path=path)
        lines = read(name="day.xml", content=content).lines
        assert [(item.id, item.direction, item.amount, item.key) for item in lines[:2]] == [
            ("settlement-1/1", "credit", 6_000, "first"),
            ("settlement-1/2", "credit", 4_000, "second"),
        ]
        assert len(lines) == len(LINES) + 1

    def test_one_may_go_the_other_way(self) -> None:
        content = bundled(("120.00", "CRDT", "first"), ("20.00", "DBIT", "second"))
        assert [item.direction for item in read(name="day.xml", content=content).lines[:2]] == ["credit", "debit"]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (bundled(("60.00", "", "a"), ("39.99", "", "b")), "make 9999, not its 10000"),
            (bundled(("60.00", "", "a"), ("40.00", "", "b"), path="none"), "without an amount"),
            (bundled(("60.00", "", "a"), ("40.00", "", "b")).replace(b'"USD">40', b'"EUR">40'), "without an amount"),
        ],
    )
    def test_what_does_not_add_up_is_refused(self, content: bytes, told: str) -> None:
        with pytest.raises(StatementRefused) as refused:
            read(name="day.xml", content=content)
        assert told in refused.value.detail


class TestWhatIsRefused:
    def why(self, name: str, content: bytes) -> str:
        with pytest.raises(StatementRefused) as refused:
            read(name=name, content=content)
        return refused.value.detail

    def test_a_file_whose_tail_was_cut(self) -> None:
        assert "lines are missing or changed" in self.why("day.json", as_json(lines=document()["lines"][:2]))

    def test_a_file_whose_middle_was_cut(self) -> None:
        rows = as_csv(issued()).splitlines(keepends=True)
        assert "does not follow" in self.why("day.csv", "".join([*rows[:2], *rows[3:]]).encode())

    def test_a_changed_amount(self) -> None:
        lines = document()["lines"]
        lines[1]["amount"] += 1
        assert "does not follow" in self.why("day.json", as_json(lines=lines))

    def test_a_line_that_comes_twice(self) -> None:
        lines = document()["lines"]
        twice = [*lines, {**lines[0], "balance": 15_500}]
        assert "is in it twice" in self.why("day.json", as_json(lines=twice, closing_balance=15_500))

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("day.pdf", b"%PDF"),
            ("day.json", b"{"),
            ("day.json", b"[]"),
            ("day.json", b'{"lines": [1]}'),
            ("day.json", b"[" * 100_000),
            ("day.json", as_json(opening_balance=10**30, closing_balance=10**30 + 5_000)),
            ("day.json", as_json(opening_balance=-(10**20), lines=[], closing_balance=-(10**20))),
            ("day.json", b"\xff\xfe"),
            ("day.csv", b""),
            ("day.csv", b"id,at\n1,2\n"),
            ("day.xml", b"<a"),
            ("day.xml", b"<a/>"),
            ("day.xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'),
        ],
    )
    def test_what_is_no_statement_gets_a_clear_refusal(self, name: str, content: bytes) -> None:
        assert self.why(name, content).startswith("The statement was refused: ")

    @pytest.mark.parametrize("amount", [10_000.0, "1e4", None, True])
    def test_an_amount_that_is_no_whole_number(self, amount: object) -> None:
        lines = document()["lines"]
        lines[0]["amount"] = amount
        assert "cannot be read" in self.why("day.json", as_json(lines=lines))

    def test_a_time_without_an_offset(self) -> None:
        lines = document()["lines"]
        lines[0]["at"] = "2026-11-20T12:00:00"
        assert "offset" in self.why("day.json", as_json(lines=lines))

    def test_more_money_than_there_is(self) -> None:
        lines = [{**document()["lines"][0], "amount": 10**15, "balance": 10**15 + 500}]
        told = self.why("day.json", as_json(lines=lines, closing_balance=10**15 + 500))
        assert "more money than there is" in told

    def test_a_currency_that_does_not_exist(self) -> None:
        assert "is no currency" in self.why("day.json", as_json(currency="XQX", lines=[], closing_balance=500))
