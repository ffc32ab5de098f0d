"""The settlement account's statement in the formats that banks send.

JSON, camt.053.001.08 (ISO 20022), BAI2 (ANSI X9.121's predecessor, as US banks send it), MT940 (SWIFT) and CSV. A
return keeps the key of the payment that came back and carries its return code. Longer than most modules: one writer
per format, each read beside its specification.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from xml.etree import ElementTree as ET

from bridge.kernel.money import exponent
from bridge.sandbox.model.records import StatementLine
from bridge.sandbox.model.views import moment, statement_line_view

CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


@dataclass(frozen=True, slots=True)
class Statement:
    """One day of one settlement account; balances in minor units."""

    account: str
    currency: str
    day: date
    opening: int
    closing: int
    lines: Sequence[StatementLine]
    at: datetime

    @property
    def id(self) -> str:
        return f"{self.account}-{self.day:%Y%m%d}"


def decimal(amount: int, currency: str) -> str:
    """`decimal(-1234, "USD")` → `-12.34`."""
    places = exponent(currency)
    whole, part = divmod(abs(amount), 10**places)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{part:0{places}d}" if places else f"{sign}{whole}"


def as_csv(statement: Statement) -> str:
    """The last row is `TOTAL`, the number of lines as its amount and the closing balance: without it a file was cut."""
    out = io.StringIO()
    names = "id,at,direction,amount,currency,kind,key,reference,institution,institution_reference,code,balance"
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(names.split(","))
    for line in statement.lines:
        reference = _unspreadsheet(line.reference)
        writer.writerow(
            (
                *(f"settlement-{line.id}", moment(line.at), line.direction, line.amount, line.currency, line.kind),
                *(line.key, reference, line.institution, line.institution_reference, line.code, line.balance),
            )
        )
    day = f"{statement.day.isoformat()}T00:00:00Z"
    writer.writerow(("TOTAL", day, "", len(statement.lines), statement.currency, *[""] * 6, statement.closing))
    return out.getvalue()


def _unspreadsheet(text: str) -> str:
    """A cell that begins like a formula is run by spreadsheets."""
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def as_camt053(statement: Statement) -> str:
    ET.register_namespace("", CAMT)
    root = ET.Element(f"{{{CAMT}}}Document")
    top = _add(root, "BkToCstmrStmt")
    header = _add(top, "GrpHdr")
    _add(header, "MsgId", statement.id)
    _add(header, "CreDtTm", moment(statement.at))
    body = _add(top, "Stmt")
    _add(body, "Id", statement.id)
    _add(body, "CreDtTm", moment(statement.at))
    account = _add(body, "Acct")
    _add(_add(_add(account, "Id"), "Othr"), "Id", statement.account)
    _add(account, "Ccy", statement.currency)
    for code, amount in (("OPBD", statement.opening), ("CLBD", statement.closing)):
        _balance(body, code, amount, statement)
    for line in statement.lines:
        _entry(body, line)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, f"{{{CAMT}}}{name}")
    child.text = text
    return child


def _amount(parent: ET.Element, amount: int, currency: str) -> None:
    _add(parent, "Amt", decimal(abs(amount), currency)).set("Ccy", currency)


def _balance(body: ET.Element, code: str, amount: int, statement: Statement) -> None:
    balance = _add(body, "Bal")
    _add(_add(_add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _amount(balance, amount, statement.currency)
    _add(balance, "CdtDbtInd", "CRDT" if amount >= 0 else "DBIT")
    _add(_add(balance, "Dt"), "Dt", statement.day.isoformat())


def _entry(body: ET.Element, line: StatementLine) -> None:
    entry = _add(body, "Ntry")
    _add(entry, "NtryRef", f"settlement-{line.id}")
    _amount(entry, line.amount, line.currency)
    _add(entry, "CdtDbtInd", "CRDT" if line.direction == "credit" else "DBIT")
    _add(_add(entry, "Sts"), "Cd", "BOOK")
    _add(_add(entry, "BookgDt"), "DtTm", moment(line.at))
    _add(_add(entry, "ValDt"), "Dt", line.at.date().isoformat())
    _add(entry, "AcctSvcrRef", (line.institution_reference or f"settlement-{line.id}")[:35])
    _add(_add(_add(entry, "BkTxCd"), "Prtry"), "Cd", line.kind)
    details = _add(_add(entry, "NtryDtls"), "TxDtls")
    references = _add(details, "Refs")
    if line.institution_reference:
        _add(references, "AcctSvcrRef", line.institution_reference[:35])
    # Keys may be longer than the 35 characters of an EndToEndId, so the key also goes into the proprietary reference.
    _add(references, "EndToEndId", line.key[:35] or "NOTPROVIDED")
    if line.key:
        proprietary = _add(references, "Prtry")
        _add(proprietary, "Tp", "IdempotencyKey")
        _add(proprietary, "Ref", line.key)
    if line.reference:
        _add(_add(details, "RmtInf"), "Ustrd", line.reference[:140])
    if line.code:
        _add(_add(_add(details, "RtrInf"), "Rsn"), "Prtry", line.code)
    _add(details, "AddtlTxInf", line.institution or "outside")


def as_bai2(statement: Statement) -> str:
    """BAI2: amounts without a decimal point; 165/475-like codes by direction; the key in the text field."""
    day, clock = f"{statement.day:%y%m%d}", f"{statement.at:%H%M}"
    account = [f"03,{statement.account},{statement.currency},010,{statement.opening},,,015,{statement.closing},,/"]
    for line in statement.lines:
        code = {"credit": "195", "debit": "495"}[line.direction]
        if line.kind == "return":
            code = {"credit": "257", "debit": "555"}[line.direction]
        reference = _bai_text(line.institution_reference)
        account.append(f"16,{code},{line.amount},Z,{reference},{_bai_text(line.key)},{_bai_text(line.reference)}")
    control = statement.opening + statement.closing + sum(line.amount for line in statement.lines)
    account.append(f"49,{control},{len(account) + 1}/")
    group = [f"02,BRIDGE,SANDBOX,1,{day},{clock},{statement.currency},2/", *account]
    group.append(f"98,{control},1,{len(group) + 1}/")
    file = [f"01,SANDBOX,BRIDGE,{day},{clock},1,,,2/", *group]
    file.append(f"99,{control},1,{len(file) + 1}/")
    return "\r\n".join(file) + "\r\n"


def _bai_text(text: str) -> str:
    return "".join(" " if char in ",/\r\n" else char for char in text)


def as_mt940(statement: Statement) -> str:
    """MT940: a return is a reversal (RC/RD), as SWIFT asks; the whole key stands in :86:."""
    day, comma = f"{statement.day:%y%m%d}", _comma
    lines = [f":20:{statement.day:%Y%m%d}{statement.currency}", f":25:{statement.account}", ":28C:1/1"]
    lines.append(f":60F:{_sign(statement.opening)}{day}{statement.currency}{comma(statement.opening, statement)}")
    for line in statement.lines:
        # RC reverses a credit, so it takes money out; RD reverses a debit and brings it back.
        mark = {"credit": "C", "debit": "D"}[line.direction]
        if line.kind == "return":
            mark = {"credit": "RD", "debit": "RC"}[line.direction]
        ours, theirs = _swift(line.key)[:16] or "NONREF", _swift(line.institution_reference)[:16]
        value = f"{line.at:%y%m%d%m%d}{mark}{comma(line.amount, statement)}NTRF{ours}"
        lines.append(f":61:{value}" + (f"//{theirs}" if theirs else ""))
        text = f"/KEY/{line.key}/KIND/{line.kind}/RTRN/{line.code}/REF/{_swift(line.institution_reference)}"
        lines += [(":86:" if start == 0 else "") + text[start : start + 61] for start in range(0, len(text), 61)][:6]
    lines.append(f":62F:{_sign(statement.closing)}{day}{statement.currency}{comma(statement.closing, statement)}")
    return "\r\n".join([*lines, "-"]) + "\r\n"


def _sign(amount: int) -> str:
    return "C" if amount >= 0 else "D"


def _comma(amount: int, statement: Statement) -> str:
    text = decimal(abs(amount), statement.currency).replace(".", ",")
    return text if "," in text else text + ","


def _swift(text: str) -> str:
    return "".join(char for char in text if char.isascii() and (char.isalnum() or char in "-.")).strip()


def as_json(statement: Statement) -> str:
    document = {
        "account": statement.account,
        "currency": statement.currency,
        "date": statement.day.isoformat(),
        "opening_balance": statement.opening,
        "closing_balance": statement.closing,
        "created_at": moment(statement.at),
        "lines": [statement_line_view(line) for line in statement.lines],
    }
    return json.dumps(document, separators=(",", ":"))


WRITERS: dict[str, tuple[str, Callable[[Statement], str]]] = {
    "json": ("application/json", as_json),
    "camt053": ("application/xml; charset=utf-8", as_camt053),
    "bai2": ("text/plain; charset=utf-8", as_bai2),
    "mt940": ("text/plain; charset=utf-8", as_mt940),
    "csv": ("text/csv; charset=utf-8", as_csv),
}
