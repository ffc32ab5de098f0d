"""Do the check digits of a bank's number agree? Says nothing about whether the account exists."""

from __future__ import annotations

from typing import Final

_ABA_WEIGHTS: Final = (3, 7, 1) * 3
_ABA_PREFIXES: Final = (*range(13), *range(21, 33), *range(61, 73), 80)

# Length by country: SWIFT, IBAN Registry (ISO 13616).
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def looks_like_iban(number: str) -> bool:
    """Two letters and two digits in front: a number that means to be an IBAN."""
    plain = number.replace(" ", "")
    return plain[:2].isascii() and plain[:2].isalpha() and plain[2:4].isascii() and plain[2:4].isdigit()


def routing_number_is_valid(number: str) -> bool:
    """Nine digits of the American Bankers Association: a prefix in use, and 3·7·1 weights that sum to a ten."""
    if len(number) != 9 or not (number.isascii() and number.isdigit()) or int(number[:2]) not in _ABA_PREFIXES:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ABA_WEIGHTS, number, strict=True))
    return total > 0 and total % 10 == 0


def iban_is_valid(number: str) -> bool:
    """ISO 13616: the length of its country and a remainder of 1 by 97. Spaces are allowed."""
    plain = number.replace(" ", "").upper()
    if not (plain.isascii() and plain.isalnum()) or _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    if not plain[2:4].isdigit():
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1
