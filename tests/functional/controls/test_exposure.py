"""Limits on the money that is on the bridge, and the firm's own money: withdrawals wait, deposits never."""

from __future__ import annotations

from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.transactions import unit_of_work
from bridge.sandbox.model import Fault
from notifications.models import Notification
from tests.functional.controls.proposing import put_in_force
from tests.world import CHECKER, MAKER, MERIDIAN, World
from transfers.controls import exposure
from transfers.desk import everything
from transfers.engine import drain
from transfers.models import Alarm, Transfer
from transfers.parameters import Scope
from transfers.services.treasury import Funding, book_fundings

AMOUNT = 1_000_000
HERE = Scope(institution=MERIDIAN)


def states(transfers: list[Transfer]) -> list[tuple[str, str]]:
    found = Transfer.objects.in_bulk([row.id for row in transfers])
    return sorted((found[row.id].state, found[row.id].blocker_code) for row in transfers)


def raised() -> list[tuple[str, str]]:
    return list(Event.objects.filter(type__startswith="alarm.").order_by("at", "id").values_list("type", "state"))


class TestALimit:
    def test_stops_new_withdrawals_when_it_is_reached_and_they_go_on_by_themselves(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"USD": 3 * AMOUNT})
        fund = bridge.fund()
        transfers = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(5)]
        drain()
        assert states(transfers) == [("approved", "exposure_limit")] * 2 + [("withdrawing", "")] * 3
        assert exposure.on_the_bridge(["USD"])[MERIDIAN, "USD"] == 3 * AMOUNT
        (shown,) = [item for item in everything(at=clock.now()) if item.kind == "alarm"]
        assert (shown.urgency, shown.amount, shown.institution) == ("now", 3 * AMOUNT, MERIDIAN)
        bridge.check()
        bridge.run(seconds=10, rounds=20)
        assert states(transfers) == [("completed", "")] * 5

    def test_holds_to_the_cent_within_one_batch(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"USD": 3 * AMOUNT - 1})
        transfers = [bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(4)]
        drain()
        assert [state for state, _ in states(transfers)].count("withdrawing") == 2

    def test_does_not_stop_deposits(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=1, seconds=0)
        put_in_force(HERE, exposure_limit={"USD": 1})
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_of_all_institutions_together(self, bridge: World) -> None:
        put_in_force(exposure_limit_total={"USD": AMOUNT}, exposure_stop=100)
        transfers = [bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(2)]
        drain()
        assert states(transfers) == [("approved", "exposure_limit"), ("withdrawing", "")]
        held = Transfer.objects.get(blocker_code="exposure_limit")
        assert "all institutions" in held.blocker_message

    def test_of_one_currency_says_nothing_of_another(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"EUR": 1})
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_that_is_raised_lets_more_begin(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"USD": AMOUNT})
        fund = bridge.fund()
        transfers = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(2)]
        drain()
        bridge.advance(seconds=1)
        put_in_force(HERE, exposure_limit={"USD": 2 * AMOUNT})
        bridge.advance(seconds=46)
        drain()
        assert [state for state, _ in states(transfers)] != ["approved", "withdrawing"]
        bridge.run(rounds=10)
        assert states(transfers) == [("completed", "")] * 2


class TestAlarms:
    def test_are_raised_once_per_crossing_and_cleared(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"USD": 10 * AMOUNT})
        fund = bridge.fund()
        for _ in range(8):
            bridge.request(bridge.account(), fund, AMOUNT)
        drain()
        assert raised() == [("alarm.raised", "alert")]
        for _ in range(3):
            exposure.watch()
        assert raised() == [("alarm.raised", "alert")]
        for _ in range(3):
            bridge.request(bridge.account(), fund, AMOUNT)
        drain()
        assert raised()[1:] == [("alarm.raised", "stop")]
        for _ in range(3):  # one still waits for room: looking again says nothing new
            exposure.watch()
            bridge.advance(seconds=46)
        assert raised()[1:] == [("alarm.raised", "stop")]
        bridge.run(seconds=10, rounds=12)
        exposure.watch()
        assert raised()[2:] == [("alarm.cleared", "fine")]
        told = Notification.objects.filter(transfer_id__isnull=True, type__startswith="alarm.")
        assert told.count() == 3

    def test_end_when_the_limit_is_taken_away(self, bridge: World) -> None:
        put_in_force(HERE, exposure_limit={"USD": AMOUNT})
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        assert Alarm.objects.get().level == 2
        bridge.advance(seconds=1)
        put_in_force(HERE)
        exposure.watch()
        assert Alarm.objects.get().level == 0

    def test_nothing_is_asked_where_nothing_is_set(self, bridge: World) -> None:
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        exposure.watch()
        assert not Alarm.objects.exists()
        assert exposure.standing(at=clock.now()) == []


class TestTheFirmsOwnMoney:
    def test_below_zero_stops_withdrawals_and_funding_lets_them_go_on(self, bridge: World) -> None:
        bridge.fault(Fault.RETURN_LATER, institution=MERIDIAN, days=1, code="R10")
        first = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        assert bridge.fresh(first).state == "completed"
        bridge.advance(days=1)
        bridge.run()
        assert bridge.fresh(first).blocker_code == "advance_open"
        second = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        exposure.watch()
        drain()
        held = bridge.fresh(second)
        assert (held.state, held.blocker_code) == ("approved", "advance_uncovered")
        assert raised() == [("alarm.raised", "stop")]
        with unit_of_work() as moment:
            paid = Funding("put_in", "USD", AMOUNT, "BANK-1", moment, "To cover the advance.", MAKER.id)
            book_fundings(fundings=[paid], actor=CHECKER, at=moment)
        exposure.watch()
        assert raised()[1:] == [("alarm.cleared", "fine")]
        bridge.advance(seconds=46)
        bridge.run()
        assert bridge.fresh(second).state == "completed"
