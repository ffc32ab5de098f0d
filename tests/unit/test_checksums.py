from __future__ import annotations

import pytest

from bridge.kernel.checksums import iban_is_valid, routing_number_is_valid

ROUTING = ("021000021", "011401533", "091000019", "322271627", "026009593")
IBANS = (
    "GB82 WEST 1234 5698 7654 32",
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "ch9300762011623852957",
)


@pytest.mark.parametrize("number", ROUTING)
def test_a_routing_number_is_valid_and_no_slip_of_one_digit_is(number: str) -> None:
    assert routing_number_is_valid(number)
    for place in range(9):
        for digit in "0123456789":
            changed = number[:place] + digit + number[place + 1 :]
            assert routing_number_is_valid(changed) == (changed == number)


@pytest.mark.parametrize("number", ["", "000000000", "02100002", "0210000210", "02100002x", "٠٢١٠٠٠٠٢١", "990000002"])
def test_what_is_no_routing_number(number: str) -> None:
    assert not routing_number_is_valid(number)


@pytest.mark.parametrize("number", IBANS)
def test_an_iban_is_valid_and_no_slip_of_one_digit_is(number: str) -> None:
    assert iban_is_valid(number)
    plain = number.replace(" ", "")
    for place, letter in enumerate(plain):
        if letter.isdigit():
            assert not iban_is_valid(plain[:place] + str((int(letter) + 1) % 10) + plain[place + 1 :])


@pytest.mark.parametrize(
    "number",
    [
        "",
        "DE",
        "DE8937040044053201300",
        "DE893704004405320130000",
        "ZZ82WEST12345698765432",
        "DE89-3704-0044-0532",
        "DEAA",
    ],
)
def test_what_is_no_iban(number: str) -> None:
    assert not iban_is_valid(number)
