"""camt.053, the ISO 20022 bank-to-customer statement, read into plain rows. Pure.

Message definition: camt.053.001.08 (BankToCustomerStatement), https://www.iso20022.org. One statement with one
opening (OPBD) and one closing (CLBD) balance per file; only booked entries (BOOK) count. An entry that books several
transactions at once (batch booking) is a row for each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from xml.etree import ElementTree as ET

from bridge.kernel.money import exponent

NS = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}
KEY_TYPE = "IdempotencyKey"


@dataclass(frozen=True, slots=True)
class Document:
    account: str
    currency: str
    day: date
    opening: int
    closing: int
    rows: list[dict[str, Any]]


def read(text: str) -> Document:
    """Raises `ValueError` for what is no such message. Document types are refused: entities could read files or
    grow without end."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type has no place in a statement")
    try:
        root = ET.fromstring(text)  # noqa: S314 no document type, so no entities to expand
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    statements = root.findall("c:BkToCstmrStmt/c:Stmt", NS)
    if len(statements) != 1:
        raise ValueError(f"one statement of camt.053.001.08 is wanted, this has {len(statements)}")
    body = statements[0]
    currency = _text(body, "c:Acct/c:Ccy")
    opening, _ = _balance(body, "OPBD", currency)
    closing, day = _balance(body, "CLBD", currency)
    account = _text(body, "c:Acct/c:Id/c:Othr/c:Id", "") or _text(body, "c:Acct/c:Id/c:IBAN")
    booked = [entry for entry in body.findall("c:Ntry", NS) if _text(entry, "c:Sts/c:Cd") == "BOOK"]
    rows = [row for entry in booked for row in _rows(entry, currency)]
    return Document(account, currency, day, opening, closing, rows)


def _text(element: ET.Element, path: str, default: str | None = None) -> str:
    found = element.findtext(path, default=default, namespaces=NS)
    if found is None:
        raise ValueError(f"{path.replace('c:', '')} is missing")
    return found.strip()


def _minor(text: str, currency: str) -> int:
    try:
        scaled = Decimal(text).scaleb(exponent(currency))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no amount") from error
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{text} has more decimals than {currency}")
    return int(scaled)


def _balance(body: ET.Element, code: str, currency: str) -> tuple[int, date]:
    for balance in body.findall("c:Bal", NS):
        if _text(balance, "c:Tp/c:CdOrPrtry/c:Cd", "") == code:
            amount = _minor(_text(balance, "c:Amt"), currency)
            day = _text(balance, "c:Dt/c:Dt", "") or _text(balance, "c:Dt/c:DtTm")[:10]
            signed = amount if _text(balance, "c:CdtDbtInd") == "CRDT" else -amount
            return signed, date.fromisoformat(day)
    raise ValueError(f"the {code} balance is missing")


def _rows(entry: ET.Element, currency: str) -> list[dict[str, Any]]:
    """One row for each transaction of an entry, which together are its amount."""
    amount, direction = _amount(entry, "c:Amt", currency), _direction(entry)
    at = _text(entry, "c:BookgDt/c:DtTm", "") or _text(entry, "c:BookgDt/c:Dt") + "T00:00:00Z"
    name = _text(entry, "c:NtryRef", "") or _text(entry, "c:AcctSvcrRef")
    whole: dict[str, Any] = {
        "id": name,
        "at": at,
        "direction": direction,
        "amount": amount,
        "currency": currency,
        "kind": _text(entry, "c:BkTxCd/c:Prtry/c:Cd", "other"),
    }
    found = entry.findall("c:NtryDtls/c:TxDtls", NS)
    if len(found) < 2:
        return [{**whole, **_details(found[0] if found else entry)}]
    rows = []
    for number, transaction in enumerate(found, 1):
        path = "c:Amt" if transaction.find("c:Amt", NS) is not None else "c:AmtDtls/c:TxAmt/c:Amt"
        part = {"amount": _amount(transaction, path, currency), "direction": _direction(transaction, direction)}
        rows.append({**whole, "id": f"{name}/{number}", **part, **_details(transaction)})
    total = sum(row["amount"] if row["direction"] == direction else -row["amount"] for row in rows)
    if total != amount:
        raise ValueError(f"the {len(rows)} transactions of entry {name} make {total}, not its {amount}")
    return rows


def _amount(element: ET.Element, path: str, currency: str) -> int:
    amount = element.find(path, NS)
    if amount is None or amount.get("Ccy") != currency:
        raise ValueError("an entry, or a transaction of one, without an amount in the statement's currency")
    return _minor(amount.text or "", currency)


def _direction(element: ET.Element, default: str | None = None) -> str:
    said = _text(element, "c:CdtDbtInd", default)
    return {"CRDT": "credit", "DBIT": "debit"}.get(said, said)  # another word is refused with the line


def _details(transaction: ET.Element) -> dict[str, str]:
    key = _text(transaction, "c:Refs/c:EndToEndId", "")
    for proprietary in transaction.findall("c:Refs/c:Prtry", NS):
        if _text(proprietary, "c:Tp", "") == KEY_TYPE:
            key = _text(proprietary, "c:Ref")
    return {
        "key": "" if key == "NOTPROVIDED" else key,
        "institution_reference": _text(transaction, "c:Refs/c:AcctSvcrRef", ""),
        "code": _text(transaction, "c:RtrInf/c:Rsn/c:Prtry", "") or _text(transaction, "c:RtrInf/c:Rsn/c:Cd", ""),
        "sender": _text(transaction, "c:RltdPties/c:Dbtr/c:Pty/c:Nm", "")
        or _text(transaction, "c:RltdPties/c:Dbtr/c:Nm", "")
        or _text(transaction, "c:AddtlTxInf", ""),
        "reference": _text(transaction, "c:RmtInf/c:Ustrd", ""),
    }
