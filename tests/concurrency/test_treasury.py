"""Two people at one receipt, at one payment, at one float: one of them decides, and the money is used once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from accounts.gateway import registry as investor_side
from accounts.ledger import firm
from accounts.ledger.kinds import Kind
from accounts.ledger.models import Posting
from accounts.ledger.queries import balance
from bridge.approvals import services as approvals
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Role
from funds.gateway import registry as fund_side
from tests.concurrency.crowd import at_once
from tests.functional.treasury.conftest import CLERK, Treasury
from tests.world import HARBOR, MERIDIAN
from transfers.float_approvals import PUT_IN, TAKE_OUT
from transfers.models import Receipt
from transfers.receipt_approvals import IDENTIFY
from transfers.reconciliation import strays
from transfers.reconciliation.intake import import_statement
from transfers.services.covering import TopUp, top_up_transfers

CHECKERS = [Actor(f"checker-{n}", Role.CHECKER, Channel.ADMIN) for n in range(8)]


@pytest.fixture
def desk(transactional_db: None) -> Iterator[Treasury]:
    made = Treasury()
    with (
        investor_side.use_gateways({MERIDIAN: made.house.gateway(MERIDIAN)}),
        fund_side.use_gateways({HARBOR: made.house.gateway(HARBOR)}),
    ):
        made.settle_clocks()
        yield made
        made.check()


def codes(results: list[Any]) -> list[str]:
    """What each was told, in order: `done`, or the code of the refusal."""
    told = []
    for result in results:
        assert not isinstance(result, Exception) or hasattr(result, "code"), result
        one = result[0] if isinstance(result, list) else result
        told.append(one.error.code if isinstance(one, Refused) else getattr(one, "code", "done"))
    return sorted(told)


def test_one_receipt_is_identified_once_however_many_agree(desk: Treasury) -> None:
    first, second = desk.moved(2)
    stray = desk.receipt(7_00)
    asked = desk.asked(IDENTIFY, stray.id, {"transfer": str(first.id), "why": "By name."})
    calls = [partial(approvals.approve, changes=[Change(asked.id)], actor=checker) for checker in CHECKERS]
    told = codes(at_once(calls))
    assert told == ["approval_closed"] * 7 + ["done"]
    stray.refresh_from_db()
    assert (stray.state, stray.transfer_id) == ("identified", first.id)
    assert Posting.objects.filter(row="S2").count() == 1
    assert not second.splits.exists()


def test_two_people_who_ask_for_different_transfers_at_once_leave_one_request(desk: Treasury) -> None:
    transfers = desk.moved(4)
    stray = desk.receipt(7_00)
    calls = [
        partial(desk.asked, IDENTIFY, stray.id, {"transfer": str(row.id), "why": "By name."}, by=checker)
        for row, checker in zip(transfers, CHECKERS, strict=False)
    ]
    told = codes(at_once(calls))
    assert told == ["approval_already_open"] * 3 + ["done"]
    assert Receipt.objects.get(pk=stray.pk).state == "unidentified"


def test_the_same_free_float_is_taken_out_once(desk: Treasury) -> None:
    desk.moved()
    desk.funds_float(100_00)
    asked = [desk.asked(TAKE_OUT, *desk.funding(60_00, f"OUT-{n}")) for n in range(6)]
    calls = [
        partial(approvals.approve, changes=[Change(one.id)], actor=checker)
        for one, checker in zip(asked, CHECKERS, strict=False)
    ]
    assert codes(at_once(calls)) == ["done"] + ["float_too_small"] * 5
    assert firm.float_of("USD").free == 40_00


def test_a_credit_that_is_stated_and_booked_at_once_counts_once(desk: Treasury) -> None:
    desk.moved()
    desk.arrives(100_00, reference="IN-1")
    content = desk.statement()
    asked = desk.asked(PUT_IN, *desk.funding(100_00, "IN-1"))
    calls: list[Any] = [
        partial(approvals.approve, changes=[Change(asked.id)], actor=CHECKERS[0]),
        partial(import_statement, name="day.json", content=content, actor=CLERK),
    ]
    codes(at_once(calls))
    suspense = balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD")
    assert suspense + firm.float_of("USD").own == 100_00


def test_a_credit_is_not_booked_while_its_statement_is_taken_in(desk: Treasury, monkeypatch: Any) -> None:
    desk.moved()
    desk.arrives(100_00, reference="IN-1")
    asked = desk.asked(PUT_IN, *desk.funding(100_00, "IN-1"))
    sorted_out, told = strays.sort_out, []
    with ThreadPoolExecutor(1) as other:

        def meanwhile(*args: Any, **given: Any) -> Any:
            told.append(
                other.submit(at_once, [partial(approvals.approve, changes=[Change(asked.id)], actor=CHECKERS[0])])
            )
            with pytest.raises(TimeoutError):
                told[0].result(timeout=1)
            return sorted_out(*args, **given)

        monkeypatch.setattr(strays, "sort_out", meanwhile)
        desk.take_in()
    assert codes(told[0].result()) == ["movement_is_receipt"]
    assert firm.float_of("USD").own == 0


def test_a_short_pay_is_topped_up_once(desk: Treasury, settings: Any) -> None:
    settings.BRIDGE_POLICY = {"short_pay": "hold"}
    transfer = desk.short_paid(by=20_00)
    desk.funds_float(1_000_00)
    wanted = TopUp(transfer.id, 20_00, "A fee of ours.")
    results = at_once([partial(top_up_transfers, top_ups=[wanted], actor=checker) for checker in CHECKERS])
    done = [result for result in results if isinstance(result, list) and isinstance(result[0], Done)]
    assert len(done) == 1
    assert desk.fresh(transfer).amount == 100_000_00
    assert firm.float_of("USD").free == 980_00
