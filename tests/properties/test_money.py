"""How amounts are shown and read: every minor unit, with the decimals that ISO 4217 gives the currency."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.kernel.money import MAX_AMOUNT, display, exponent, figures, is_currency, written

# ISO 4217, list one: codes with other than two decimals, and some that look as if they had none.
DECIMALS = {
    "USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "HUF": 2, "MGA": 2, "MRU": 2, "CZK": 2,
    "JPY": 0, "KRW": 0, "VND": 0, "ISK": 0, "CLP": 0, "XAF": 0, "XOF": 0, "XPF": 0, "UGX": 0, "RWF": 0, "PYG": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip


@pytest.mark.parametrize(("currency", "places"), DECIMALS.items())
def test_decimals_are_those_of_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


@given(amount=st.integers(-MAX_AMOUNT, MAX_AMOUNT), currency=st.sampled_from(sorted(DECIMALS)))
@example(amount=0, currency="USD")
@example(amount=-1, currency="USD")
@example(amount=MAX_AMOUNT, currency="JPY")
def test_the_shown_text_says_the_amount_to_the_last_minor_unit(amount: int, currency: str) -> None:
    text = display(amount, currency)
    sign = -1 if text.startswith("−") else 1
    code, number = text.removeprefix("−").split(" ")
    assert code == currency
    assert sign * int(number.replace(",", "").replace(".", "")) == amount
    _, _, decimals = number.partition(".")
    assert len(decimals) == exponent(currency)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1234567, "USD", "USD 12,345.67"),
        (5, "USD", "USD 0.05"),
        (-5, "USD", "−USD 0.05"),
        (0, "USD", "USD 0.00"),
        (1234567, "JPY", "JPY 1,234,567"),
        (1234567, "KWD", "KWD 1,234.567"),
    ],
)
def test_examples(amount: int, currency: str, text: str) -> None:
    assert display(amount, currency) == text


@given(amount=st.integers(0, MAX_AMOUNT), currency=st.sampled_from(sorted(DECIMALS)))
@example(amount=MAX_AMOUNT, currency="KWD")
def test_what_is_shown_is_read_as_the_same_amount(amount: int, currency: str) -> None:
    shown = figures(amount, currency)
    assert written(shown, currency) == amount
    assert written(shown.replace(",", ""), currency) == amount
    assert written(display(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("25000", "USD", 25_000_00),
        (" 25,000 ", "USD", 25_000_00),
        ("USD25,000.05", "USD", 25_000_05),
        ("007", "USD", 7_00),
        ("1.000", "KWD", 1_000),
        ("12,345", "JPY", 12_345),
    ],
)
def test_whole_units_and_groups_may_be_written(text: str, currency: str, amount: int) -> None:
    assert written(text, currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "told"),
    [
        ("25.000", "USD", "USD has 2 decimals: write all of them, as in 25.00."),
        ("1.5", "USD", "as in 1.00"),
        ("1,5", "USD", "such as 25,000.00"),
        ("1.000,00", "USD", "such as 25,000.00"),
        ("1,00,000", "USD", "such as 25,000.00"),
        ("100.00", "JPY", "JPY has no decimals: write 100."),
        ("EUR 5", "USD", "Write an amount in USD"),
        ("-5", "USD", "Write an amount in USD"),
        ("5e3", "USD", "Write an amount in USD"),
        ("٥", "USD", "Write an amount in USD"),
        ("5\x00", "USD", "Write an amount in USD"),
        ("", "USD", "Write an amount in USD"),
        ("10000000000000", "USD", "more than USD 9,999,999,999,999.99"),
        ("9" * 10_000, "USD", "more than USD 9,999,999,999,999.99"),
    ],
)
def test_nothing_is_guessed_and_nothing_rounded(text: str, currency: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        written(text, currency)


@given(code=st.one_of(st.text(max_size=5), st.none(), st.integers(), st.binary(max_size=4)))
def test_what_is_no_currency_is_said_to_be_none(code: object) -> None:
    assert is_currency(code) is (isinstance(code, str) and _known(code))


def _known(code: str) -> bool:
    try:
        exponent(code)
    except KeyError:
        return False
    return True


@pytest.mark.parametrize("code", ["usd", "US", "", "DOLLAR", "ZZZ", " USD", "USD\n", None, 840])
def test_lower_case_numbers_and_inventions_are_no_currencies(code: object) -> None:
    assert not is_currency(code)
