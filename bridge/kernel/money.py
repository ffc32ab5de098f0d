"""Money: an integer of minor units with its ISO 4217 currency. Never a float.

The number of decimals of a currency comes from `py-moneyed`, whose table follows ISO 4217.
"""

from __future__ import annotations

import re
from functools import lru_cache

import moneyed

MAX_AMOUNT = 10**15 - 1
_FIGURES = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")
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
    sign = "−" if amount < 0 else ""
    return f"{sign}{currency} {figures(abs(amount), currency)}"


def figures(amount: int, currency: str) -> str:
    """`figures(1234567, "USD")` → `12,345.67`; `amount` not negative."""
    places = exponent(currency)
    whole, part = divmod(amount, 10**places)
    return f"{whole:,}.{part:0{places}d}" if places else f"{whole:,}"


def written(text: str, currency: str) -> int:
    """Minor units of what a person wrote: `12,345.67`, `12345.67` or `USD 12,345.67` → 1234567.

    Nothing is guessed and nothing rounded: commas stand between thousands, and all decimals of the currency are
    written or none. Raises `ValueError` with a sentence that says how to write it.
    """
    places = exponent(currency)
    bare = text.strip().removeprefix(currency).strip()
    found = _FIGURES.fullmatch(bare) if bare.isascii() else None
    if found is None:
        raise ValueError(f"Write an amount in {currency}, such as {figures(25_000 * 10**places, currency)}.")
    decimals = found[2] or ""
    if len(decimals) not in (0, places):
        if not places:
            raise ValueError(f"{currency} has no decimals: write {found[1]}.")
        raise ValueError(f"{currency} has {places} decimals: write all of them, as in {found[1]}.{'0' * places}.")
    amount = int(found[1].replace(",", "") + decimals.ljust(places, "0")) if len(bare) <= 30 else MAX_AMOUNT + 1
    if amount > MAX_AMOUNT:
        raise ValueError(f"That is more than {display(MAX_AMOUNT, currency)}, the most that Bridge keeps.")
    return amount
