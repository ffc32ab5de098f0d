"""Stop switches: one person stops at once, two people let it go on; nothing is stranded and nothing spins."""

from __future__ import annotations

import uuid

import pytest
from django.db import transaction
from django.db.utils import DatabaseError, IntegrityError

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.results import Change, Done, Refused, Result, Role
from notifications.models import Notification
from tests.world import CHECKER, HARBOR, INVESTOR, MAKER, MERIDIAN, World
from transfers import services
from transfers.controls.stops import LIFT, NewStop, open_stops, set_stops
from transfers.engine import drain
from transfers.models import Stop, Work

AMOUNT = 1_000_000


def stop(**given: object) -> Stop:
    result = attempt(**given)
    assert isinstance(result, Done), result
    return Stop.objects.get(pk=result.id)


def attempt(
    *, actor: object = MAKER, why: str = "The bank reports fraud.", scope: str = "all", **given: object
) -> Result:
    (result,) = set_stops(stops=[NewStop(scope, why, **given)], actor=actor)  # type: ignore[arg-type]
    return result


def lift(row: Stop, *, why: str = "It was a false alarm.", by: object = CHECKER) -> Result:
    asked = approvals.propose(proposal=Proposal(LIFT, row.id, {"why": why}), actor=MAKER)
    (result,) = approvals.approve(changes=[Change(asked.id)], actor=by)  # type: ignore[arg-type]
    return result


class TestAStop:
    def test_holds_back_new_withdrawals_in_plain_words_and_goes_on_by_itself(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        row = stop()
        bridge.run(rounds=3)
        held = bridge.fresh(transfer)
        assert (held.state, held.blocker_code) == ("approved", "stopped")
        assert "The bank reports fraud" in held.blocker_message
        assert "everything" in held.blocker_message
        assert Work.objects.get(pk=transfer.id).due_at is not None
        bridge.check()
        assert isinstance(lift(row), Done)
        bridge.run(rounds=8, seconds=2)
        assert bridge.fresh(transfer).state == "completed"

    def test_does_not_spin_and_says_it_once(self, bridge: World) -> None:
        transfers = [bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(3)]
        stop()
        assert drain() >= 3
        assert drain() == 0
        for _ in range(4):
            bridge.advance(seconds=46)
            assert drain() >= 3
            assert drain() == 0
        blocked = Event.objects.filter(type="transfer.blocked", subject_id__in=[row.id for row in transfers])
        assert blocked.count() == 3

    def test_goes_on_within_a_minute_even_when_nobody_wakes_it(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        row = stop()
        drain()
        due = Work.objects.get(pk=transfer.id).due_at
        assert due is not None
        assert 0 < (due - clock.now()).total_seconds() <= 60
        lift(row)
        assert Work.objects.get(pk=transfer.id).due_at <= clock.now()

    def test_lets_what_has_begun_arrive(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=1, seconds=0)
        assert bridge.fresh(transfer).state == "withdrawing"
        stop()
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_of_deposits_keeps_the_money_in_clearing(self, bridge: World) -> None:
        fund = bridge.fund()
        transfer = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(rounds=1, seconds=0)
        row = stop(scope="fund", fund_id=fund.id, deposits=True)
        bridge.run()
        held = bridge.fresh(transfer)
        assert (held.state, held.next_step, held.blocker_code) == ("withdrawn", "deposit", "stopped")
        bridge.check()
        lift(row)
        bridge.run(seconds=2)
        assert bridge.fresh(transfer).state == "completed"

    def test_never_keeps_a_refund(self, bridge: World) -> None:
        from bridge.sandbox.model import Fault

        bridge.fault(Fault.REJECT, kind="deposit")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=1, seconds=0)
        stop()
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "refunded"

    def test_lets_an_approved_transfer_be_cancelled_and_expire(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        first = bridge.request(account, fund, AMOUNT)
        second = bridge.request(bridge.account(), fund, AMOUNT)
        stop()
        drain()
        services.cancel_transfers(changes=[Change(first.id)], actor=INVESTOR)
        bridge.advance(days=6)
        bridge.run(rounds=1)
        assert (bridge.fresh(first).state, bridge.fresh(second).state) == ("cancelled", "expired")


class TestScopes:
    def test_only_the_subject_is_stopped(self, bridge: World) -> None:
        stopped_fund, fund, account, owner = bridge.fund(), bridge.fund(), bridge.account(), bridge.investor()
        his = bridge.account(investor=owner)
        stop(scope="fund", fund_id=stopped_fund.id)
        stop(scope="investor", investor_id=owner.id)
        into_it, elsewhere = (
            bridge.request(account, stopped_fund, AMOUNT),
            bridge.request(bridge.account(), fund, AMOUNT),
        )
        of_him = bridge.request(his, fund, AMOUNT)
        bridge.run()
        assert bridge.fresh(elsewhere).state == "completed"
        assert bridge.fresh(into_it).blocker_code == "stopped"
        assert bridge.fresh(of_him).blocker_code == "stopped"
        assert owner.legal_name in bridge.fresh(of_him).blocker_message

    @pytest.mark.parametrize("institution", [MERIDIAN, HARBOR])
    def test_an_institution_is_stopped_at_either_end(self, bridge: World, institution: str) -> None:
        stop(scope="institution", institution=institution)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        assert bridge.fresh(transfer).blocker_code == "stopped"

    def test_an_open_stop_is_widened_to_deposits_and_not_set_twice(self, bridge: World) -> None:
        row = stop()
        again = attempt()
        assert isinstance(again, Refused)
        assert again.error.code == "already_stopped"
        wider = attempt(deposits=True, why="The fund's bank is suspected too.")
        assert isinstance(wider, Done)
        assert wider.id == row.id
        assert [found.deposits for found in open_stops()] == [True]


class TestWhoMay:
    @pytest.mark.parametrize("role", [Role.INVESTOR, Role.AUDITOR, Role.SERVICE, Role.SYSTEM])
    def test_only_operations_stop(self, bridge: World, role: Role) -> None:
        from bridge.kernel.results import Actor, Channel

        refused = attempt(actor=Actor("somebody", role, Channel.API))
        assert isinstance(refused, Refused)
        assert refused.error.code == "not_allowed"

    def test_one_person_cannot_lift(self, bridge: World) -> None:
        row = stop()
        result = lift(row, by=MAKER)
        assert isinstance(result, Refused)
        assert Stop.objects.get().lifted_at is None

    def test_a_lift_that_was_asked_for_is_void_when_the_stop_has_been_widened(self, bridge: World) -> None:
        row = stop()
        asked = approvals.propose(proposal=Proposal(LIFT, row.id, {"why": "Over."}), actor=MAKER)
        attempt(deposits=True)
        (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert isinstance(result, Refused)
        assert result.error.code == "approval_void"

    def test_both_are_told_to_operations(self, bridge: World) -> None:
        lift(stop())
        told = Notification.objects.filter(transfer_id__isnull=True).order_by("id")
        assert [row.type for row in told] == ["stop.set", "stop.lifted"]
        assert all(row.audiences == ["operations"] for row in told)
        bridge.check()

    @pytest.mark.parametrize(
        ("given", "word"),
        [
            ({"why": " "}, "why"),
            ({"scope": "planet"}, "all, institution"),
            ({"scope": "institution"}, "exactly"),
            ({"scope": "all", "institution": MERIDIAN}, "exactly"),
            ({"scope": "institution", "institution": "nowhere"}, "no institution"),
            ({"scope": "institution", "institution": MERIDIAN, "deposits": True}, "Deposits"),
            ({"scope": "fund", "fund_id": uuid.uuid4()}, "fund"),
            ({"scope": "investor", "investor_id": uuid.uuid4()}, "investor"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, bridge: World, given: dict[str, object], word: str) -> None:
        result = attempt(**given)
        assert isinstance(result, Refused)
        assert word in str(result.error)
        assert not Stop.objects.exists()


class TestTheDatabase:
    def test_keeps_scope_and_subject_together(self, bridge: World) -> None:
        with pytest.raises(IntegrityError, match="stop_scope_fits_subject"), transaction.atomic():
            Stop.objects.create(scope="fund", why="x", set_by="a", set_at=clock.now())

    def test_keeps_one_open_stop_per_subject(self, bridge: World) -> None:
        stop()
        with pytest.raises(IntegrityError, match="stop_one_open_per_subject"), transaction.atomic():
            Stop.objects.create(scope="all", why="x", set_by="a", set_at=clock.now())

    def test_wants_two_people_to_lift_and_deletes_none(self, bridge: World) -> None:
        row = stop()
        row.lifted_at, row.lifted_by, row.lift_asked_by = clock.now(), "a", "a"
        with pytest.raises(IntegrityError, match="stop_lifted_by_two_people"), transaction.atomic():
            row.save(update_fields=["lifted_at", "lifted_by", "lift_asked_by"])
        with pytest.raises(DatabaseError, match="never_deleted"), transaction.atomic():
            Stop.objects.all().delete()
