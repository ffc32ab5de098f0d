"""What a benchmark says about the pace of its reference."""

from __future__ import annotations

import pytest

from benchmarks.samples import Paired, Reference


@pytest.mark.parametrize(("rates", "warned"), [([900, 1_700, 1_000], False), ([900, 1_900, 1_000], True)])
def test_a_reference_that_swings_warns(rates: list[float], warned: bool) -> None:
    reference, paired = Reference(iter(rates).__next__), Paired()
    for _ in rates[1:]:
        reference.around(lambda: 500.0, paired)
    assert ("between 900 and 1,900" in reference.warning()) is warned
    assert bool(reference.warning()) is warned
    assert paired.references == [(rates[0] + rates[1]) / 2, (rates[1] + rates[2]) / 2]


def test_no_reference_no_warning() -> None:
    assert Reference(lambda: 1.0).warning() == ""
