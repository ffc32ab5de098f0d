"""`work_due`: everything that is open stands there once, with what moves it next and who is asked."""

from __future__ import annotations

import json
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test.utils import CaptureQueriesContext

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel import clock
from bridge.kernel.results import Change
from bridge.sandbox.model import Fault
from tests.factories import make_fund
from tests.world import CHECKER, HARBOR, MAKER, MERIDIAN, World
from transfers import desk, services
from transfers.blockers import BLOCKERS, Queue
from transfers.manual_outcomes import OUTCOME
from transfers.models import InboundCallback, Transfer, Work

AMOUNT = 1_000_000


def told(**given: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("work_due", "--json", stdout=out, **given)
    return json.loads(out.getvalue())


def text(**given: Any) -> str:
    out = StringIO()
    call_command("work_due", stdout=out, **given)
    return out.getvalue()


def by_id(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in report["items"]}


@pytest.fixture
def mixed(bridge: World) -> dict[str, Transfer]:
    """Transfers that wait for each kind of thing."""
    held, plain = bridge.fund(on_deposit_failure="hold"), bridge.fund()
    full = bridge.fund(seat_limit=1)
    bridge.fault(Fault.REJECT, institution=HARBOR, code="R02", reason="Account closed")
    rejected = bridge.request(bridge.account(), held, AMOUNT)
    bridge.run(rounds=8)
    reviewed = bridge.request(bridge.account(), bridge.fund(second_person_above=1), AMOUNT)
    bridge.request(bridge.account(), full, AMOUNT)
    waitlisted = bridge.request(bridge.account(), full, AMOUNT)
    bridge.run(rounds=3)
    bridge.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN)
    unknown = bridge.request(bridge.account(), plain, AMOUNT)
    bridge.run(rounds=2)
    account = bridge.account()
    first, second = bridge.request(account, plain, AMOUNT), bridge.request(account, plain, 2 * AMOUNT)
    return {
        "rejected": rejected,
        "reviewed": reviewed,
        "waitlisted": waitlisted,
        "unknown": unknown,
        "first": first,
        "second": second,
    }


class TestEverythingThatIsOpen:
    def test_each_open_transfer_stands_there_once(self, mixed: dict[str, Transfer]) -> None:
        items = [item for item in told()["items"] if item["kind"] == "transfer"]
        counts = Counter(item["id"] for item in items)
        assert set(counts.values()) == {1}
        assert set(counts) == {row.public_id for row in Transfer.objects.filter(work__isnull=False)}

    def test_each_says_why_and_what_moves_it_next(self, mixed: dict[str, Transfer]) -> None:
        found = by_id(told())
        codes = {name: found[row.public_id]["code"] for name, row in mixed.items()}
        assert codes == {
            "rejected": "deposit_rejected",
            "reviewed": "in_review",
            "waitlisted": "waiting_for_place",
            "unknown": "outcome_unknown",
            "first": "withdraw",
            "second": "waiting_for_earlier",
        }
        assert all(item["why"] and item["next"] and item["since"] for item in found.values())
        unknown, rejected = found[mixed["unknown"].public_id], found[mixed["rejected"].public_id]
        assert [each["action"] for each in unknown["actions"]] == ["outcome"]
        assert unknown["place"] == "between the investor's bank and us"
        assert "Account closed" in rejected["why"]
        assert (rejected["place"], rejected["amount"], rejected["currency"]) == ("settlement account", AMOUNT, "USD")
        assert rejected["asked"] == ["checker", "compliance", "maker"]

    def test_what_is_urgent_comes_first_and_then_what_is_older(self, mixed: dict[str, Transfer]) -> None:
        report = told()
        urgencies = [item["urgency"] for item in report["items"]]
        assert urgencies == sorted(urgencies, key=["now", "soon", "watch"].index)
        assert report["items"][0]["id"] == mixed["unknown"].public_id
        assert sum(row["open"] for row in report["queues"]) == report["open"] == len(report["items"])

    def test_however_much_is_open_it_takes_as_many_queries(
        self, bridge: World, mixed: dict[str, Transfer], django_assert_num_queries: Any
    ) -> None:
        moment = clock.now()
        from django.db import connection

        with CaptureQueriesContext(
            connection,
        ) as few:
            before = len(desk.everything(at=moment))
        fund = bridge.fund(second_person_above=1)
        bridge.requests([(bridge.account(), fund, AMOUNT) for _ in range(12)])
        with django_assert_num_queries(len(few)):
            assert len(desk.everything(at=moment)) == before + 12

    def test_what_nobody_works_on_is_urgent(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.advance(hours=1)
        item = by_id(told())[transfer.public_id]
        assert (item["code"], item["urgency"], item["queue"]) == ("engine_late", "now", "engineering")
        bridge.run()
        assert told()["items"] == []


class TestWhatElseWaits:
    def test_a_decision_that_a_second_person_owes_stands_there_until_it_expires(
        self, bridge: World, mixed: dict[str, Transfer]
    ) -> None:
        payload = {"outcome": "rejected", "why": "No trace of it", "evidence": "letter 7"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, mixed["unknown"].id, payload), actor=MAKER)
        item = by_id(told())[asked.public_id]
        assert (item["queue"], item["asked"]) == ("review", ["checker", "compliance"])
        reviews = Approval.objects.get(subject_id=mixed["reviewed"].id)
        assert reviews.public_id not in by_id(told())  # it stands with its transfer

        bridge.advance(days=6)
        bridge.run(rounds=2)
        asked.refresh_from_db()
        assert asked.state == "expired"
        assert asked.public_id not in by_id(told())

    def test_a_callback_that_nobody_takes_is_urgent_after_a_while(self, bridge: World) -> None:
        InboundCallback.objects.create(institution=HARBOR, callback_id="c-1", body={}, received_at=clock.now())
        assert by_id(told())["c-1"]["urgency"] == "watch"
        bridge.advance(minutes=11)
        assert by_id(told())["c-1"]["urgency"] == "now"


class TestAskingForLess:
    def test_one_queue_one_fund_one_institution(self, mixed: dict[str, Transfer]) -> None:
        rejected, unknown = mixed["rejected"], mixed["unknown"]
        assert list(by_id(told(queue="compensate"))) == [rejected.public_id]
        assert list(by_id(told(queue="ask-the-bank"))) == [unknown.public_id]
        assert list(by_id(told(fund=rejected.fund.code))) == [rejected.public_id]
        assert list(by_id(told(fund=rejected.fund.public_id))) == [rejected.public_id]
        assert unknown.public_id in by_id(told(institution=MERIDIAN))
        assert unknown.public_id not in by_id(told(institution=HARBOR))

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"queue": "nowhere"}, "There is no queue"),
            ({"fund": "fund_nothing"}, "fund_nothing"),
            ({"fund": "no-such-code"}, "There is no fund"),
            ({"institution": "nobody"}, "There is no institution"),
        ],
    )
    def test_what_is_not_there_is_named(self, bridge: World, given: dict[str, str], says: str) -> None:
        make_fund()
        with pytest.raises(CommandError, match=says):
            told(**given)


class TestOnATerminal:
    def test_a_table_with_totals_per_queue(self, mixed: dict[str, Transfer]) -> None:
        shown = text()
        assert mixed["rejected"].public_id in shown
        assert "Deposit rejected" in shown
        assert "USD 10,000.00" in shown
        assert all(queue in shown for queue in (Queue.COMPENSATE, Queue.REVIEW, Queue.WAITING))

    def test_nothing_is_open(self, bridge: World) -> None:
        assert "Nothing is open." in text()


def test_nothing_that_is_decided_stays(bridge: World, mixed: dict[str, Transfer]) -> None:
    services.refund_transfers(changes=[Change(mixed["rejected"].id)], actor=CHECKER)
    bridge.run()
    assert mixed["rejected"].public_id not in by_id(told())
    assert set(Work.objects.values_list("transfer__blocker_code", flat=True)) <= {"", *BLOCKERS}
