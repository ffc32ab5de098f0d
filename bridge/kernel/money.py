"""Money: an integer of minor units with its ISO 4217 currency. Never a float.

The number of decimals of a currency comes from `py-moneyed`, whose table follows ISO 4217.
"""

from __future__ import annotations

import re
from functools import lru_cache

import moneyed

MAX_AMOUNT = 10**15 - 1
# Codes of ISO 4217 that are no money: metals, units of account, tests, and none at all.
_NO_MONEY = re.compile("X(A[GU]|B[A-D]|DR|EU|F[OU]|P[DT]|RE|SU|TS|UA|XX)")


@lru_cache
def exponent(currency: str) -> int:
    """Decimals of a currency: 2 for USD, 0 for JPY. Raises `KeyError` for a code that ISO 4217 does not know."""
    try:
        unit = moneyed.get_currency(currency).sub_unit
    except moneyed.CurrencyDoesNotExist as error:
        raise KeyError(currency) from error
    return len(str(unit)) - 1


def is_currency(code: object) -> bool:
    if not isinstance(code, str):
        return False
    try:
        exponent(code)
    except KeyError:
        return False
    return True


def is_money(code: object) -> bool:
    """A currency in which an account may be kept."""
    return isinstance(code, str) and is_currency(code) and not _NO_MONEY.fullmatch(code)


def display(amount: int, currency: str) -> str:
    """`display(1234567, "USD")` → `USD 12,345.67`. For people; programs get the integer."""
    places = exponent(currency)
    sign = "−" if amount < 0 else ""
    whole, part = divmod(abs(amount), 10**places)
    decimals = f".{part:0{places}d}" if places else ""
    return f"{sign}{currency} {whole:,}{decimals}"
