"""Several engines under one limit: it holds to the cent, and nothing that fits is kept back for ever."""

from __future__ import annotations

from tests.concurrency.crowd import at_once, errors
from tests.functional.controls.proposing import put_in_force
from tests.world import MAKER, MERIDIAN, World
from transfers.controls import exposure
from transfers.controls.stops import NewStop, set_stops
from transfers.engine import drain
from transfers.models import Alarm, BankInstruction, Transfer
from transfers.parameters import Scope

AMOUNT = 1_000_000
ENGINES = 4


def test_the_limit_holds_with_several_workers(bridge: World) -> None:
    put_in_force(Scope(institution=MERIDIAN), exposure_limit={"USD": 7 * AMOUNT + AMOUNT - 1})
    fund = bridge.fund()
    transfers = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(24)]
    assert errors(at_once([lambda: drain(batch=3)] * ENGINES)) == []
    assert exposure.on_the_bridge(["USD"])[MERIDIAN, "USD"] == 7 * AMOUNT
    assert Alarm.objects.get().level == 2
    for _ in range(20):
        bridge.advance(seconds=46)
        bridge.receive()
        assert errors(at_once([lambda: drain(batch=3)] * 2)) == []
        assert exposure.on_the_bridge(["USD"]).get((MERIDIAN, "USD"), 0) <= 7 * AMOUNT
    assert set(Transfer.objects.filter(pk__in=[row.pk for row in transfers]).values_list("state", flat=True)) == {
        "completed"
    }


def test_when_a_stop_is_set_nothing_begins_after_it(bridge: World) -> None:
    fund = bridge.fund()
    for _ in range(24):
        bridge.request(bridge.account(), fund, AMOUNT)

    def stop() -> int:
        set_stops(stops=[NewStop("all", "Fraud is suspected.")], actor=MAKER)
        return BankInstruction.objects.count()

    results = at_once([lambda: drain(batch=2)] * 3 + [stop])
    assert errors(results) == []
    assert BankInstruction.objects.filter(kind="withdrawal").count() == results[-1]
    held = Transfer.objects.filter(state="approved")
    assert set(held.values_list("blocker_code", flat=True)) <= {"stopped"}
