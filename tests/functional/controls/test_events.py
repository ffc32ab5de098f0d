"""Every event of the controls fits its published schema."""

from __future__ import annotations

import json

from bridge.events.models import Event
from tests.functional.controls.proposing import put_in_force
from tests.functional.controls.test_stops import lift, stop
from tests.functional.notifications.test_event_schemas import validator
from tests.world import MERIDIAN, World
from transfers.api.rendering import render_events
from transfers.controls import circuits, exposure
from transfers.engine import drain
from transfers.parameters import Scope

OURS = {"parameters.changed", "stop.set", "stop.widened", "stop.lifted"} | {
    f"{what}.{how}"
    for what, how in (("alarm", "raised"), ("alarm", "cleared"), ("circuit", "opened"), ("circuit", "closed"))
}


def test_each_of_them(bridge: World) -> None:
    fund = bridge.fund()
    put_in_force(Scope(fund_id=fund.id), acknowledge=600)
    put_in_force(Scope(institution=MERIDIAN), exposure_limit={"USD": 1_000_000})
    bridge.request(bridge.account(), fund, 1_000_000)
    drain()
    bridge.run()
    exposure.watch()
    stop(scope="investor", investor_id=bridge.investor().id)
    stop(scope="fund", fund_id=fund.id)
    lift(stop(scope="fund", fund_id=fund.id, deposits=True))
    circuits.heard({MERIDIAN: [False] * 5})
    circuits.heard({MERIDIAN: [True]})
    seen = set()
    for whole in (True, False):
        for event in render_events(Event.objects.filter(type__in=OURS), inside=whole):
            plain = json.loads(json.dumps(event))
            assert [error.message for error in validator(event["type"]).iter_errors(plain)] == [], event
            seen.add(event["type"])
    assert seen == OURS
