"""Bank details as they are entered: slips of the pen are told before anything is sealed, field by field.

Says nothing about whether the account exists. Sources: Nacha Operating Rules (17 characters for an account number), the
ABA's routing numbers, ISO 13616.
"""

from __future__ import annotations

import re

from bridge.kernel.checksums import iban_is_valid, looks_like_iban, routing_number_is_valid
from bridge.kernel.errors import BridgeError
from bridge.kernel.rails import CURRENCY, Rail

SHORTEST, LONGEST, LONGEST_ACH = 4, 34, 17
_NUMBER = re.compile(r"[A-Za-z0-9 -]*[0-9][A-Za-z0-9 -]*")
_ACH = (Rail.ACH, Rail.SAME_DAY_ACH)


class BankDetailsWrong(BridgeError):
    """`errors` names the fields."""

    code = "bank_details_wrong"
    status = 422
    title = "Bank details are wrong"
    message = "{said}"

    def __init__(self, wrong: dict[str, str]) -> None:
        errors = {field: [{"code": self.code, "message": text}] for field, text in wrong.items()}
        super().__init__(said=" ".join(wrong.values()), errors=errors)


def plain_number(number: str) -> str:
    """As it is kept and sent: without the spaces of print, an IBAN in capitals."""
    plain = number.replace(" ", "")
    return plain.upper() if looks_like_iban(plain) else plain


def check_details(*, currency: str, routing_number: str, rail: str, account_number: str | None = None) -> None:
    """Raises `BankDetailsWrong`. `account_number` None: it is kept already, and nobody can read it."""
    wrong = wrong_details(currency=currency, routing_number=routing_number, rail=rail, account_number=account_number)
    if wrong:
        raise BankDetailsWrong(wrong)


def wrong_details(
    *, currency: str, routing_number: str, rail: str, account_number: str | None = None
) -> dict[str, str]:
    """What is wrong, by field; empty where nothing is."""
    found = {
        "account_number": "" if account_number is None else _wrong_number(account_number, rail),
        "routing_number": _wrong_routing_number(routing_number, rail),
        "rail": _wrong_rail(currency, rail),
    }
    return {field: text for field, text in found.items() if text}


def _wrong_number(number: str, rail: str) -> str:
    plain = plain_number(number)
    if not _NUMBER.fullmatch(number):
        return "An account number has digits, the letters A to Z, hyphens and spaces, and nothing else."
    if not SHORTEST <= len(plain) <= LONGEST:
        return f"An account number has {SHORTEST} to {LONGEST} characters."
    if looks_like_iban(plain):
        if not iban_is_valid(plain):
            return "This begins as an IBAN does, but its length or its check digits are wrong: compare it again."
        if rail:
            return f"{Rail(rail).label} reaches no IBAN: choose no rail, or enter the American account number."
    if rail in _ACH and len(plain) > LONGEST_ACH:
        return f"{Rail(rail).label} takes account numbers of at most {LONGEST_ACH} characters."
    return ""


def _wrong_routing_number(number: str, rail: str) -> str:
    if not number:
        return f"{Rail(rail).label} needs the bank's routing number (ABA)." if rail else ""
    if len(number) != 9 or not (number.isascii() and number.isdigit()):
        return "A routing number (ABA) has nine digits and nothing else."
    return (
        "" if routing_number_is_valid(number) else "The check digit of this routing number is wrong: compare it again."
    )


def _wrong_rail(currency: str, rail: str) -> str:
    if not rail or currency == CURRENCY:
        return ""
    return f"{Rail(rail).label} carries {CURRENCY} only, and this account is in {currency}: choose no rail."
