from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from bridge.events import queries as events
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Role
from bridge.sandbox.model import Fault, settling
from bridge.sandbox.model.records import ActivityLine
from tests.functional.reconciliation.conftest import Bench
from tests.world import HARBOR, MAKER, MERIDIAN
from transfers.models import Break, ReconciliationRun
from transfers.reconciliation import gathering
from transfers.reconciliation.running import DayNotBegun, reconcile
from transfers.reconciliation.scheduled import reconcile_yesterday
from transfers.reconciliation.services import resolve_break

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(id="test", role=Role.SYSTEM, channel=Channel.COMMAND)
AUDITOR = Actor(id="auditor", role=Role.AUDITOR, channel=Channel.ADMIN)


def run(bench: Bench) -> ReconciliationRun:
    return reconcile(date=bench.day, actor=ACTOR)


def the_break() -> Break:
    return Break.objects.get()


def story(item: Break) -> list[str]:
    return [event.type for event in events.timeline(subject_type="break", subject_id=item.pk)]


def lines(bench: Bench, institution: str) -> list[ActivityLine]:
    return bench.bank.books.activity[institution]


class TestWhenBothSidesAgree:
    def test_every_leg_is_matched_and_nothing_is_a_break(self, bench: Bench) -> None:
        bench.moved(3)
        found = run(bench)
        assert (found.matched, found.new_breaks, found.open_breaks, found.problems) == (6, 0, 0, [])
        bench.check()

    def test_the_unhappy_paths_agree_too(self, bench: Bench) -> None:
        bench.fault(Fault.REJECT, kind="withdrawal")
        bench.moved()
        bench.fault(Fault.REJECT, kind="deposit")
        bench.moved()
        bench.run(rounds=6)
        assert run(bench).new_breaks == 0
        assert set(bench.fresh_states()) == {"failed", "refunded"}
        bench.check()

    def test_what_is_in_flight_is_no_break(self, bench: Bench) -> None:
        bench.deliver_callbacks = False
        bench.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal", count=None)
        bench.request(bench.account(), bench.fund())
        bench.run(rounds=1)
        found = run(bench)
        assert (found.matched, found.new_breaks) == (0, 0)
        bench.check()

    def test_a_day_without_business_matches_nothing(self, bench: Bench) -> None:
        bench.moved()
        assert reconcile(date=bench.day - timedelta(days=3), actor=ACTOR).matched == 0

    def test_yesterday_is_reconciled_by_the_clock(self, bench: Bench) -> None:
        bench.moved()
        bench.advance(days=1)
        found = reconcile_yesterday()
        assert (found.date, found.matched, found.new_breaks) == (bench.day - timedelta(days=1), 2, 0)

    def test_a_day_of_the_future_is_refused(self, bench: Bench) -> None:
        with pytest.raises(DayNotBegun):
            reconcile(date=bench.day + timedelta(days=1), actor=ACTOR)
        assert not ReconciliationRun.objects.exists()


class TestWhatTheBankTellsDifferently:
    """In both directions, per reference; nothing of ours is ever changed by it."""

    def found(self, bench: Bench) -> Break:
        assert run(bench).new_breaks == 1
        bench_break = the_break()
        assert story(bench_break) == ["break.found"]
        return bench_break

    def test_a_line_that_the_bank_does_not_have(self, bench: Bench) -> None:
        (transfer,) = bench.moved()
        leg = bench.leg(transfer, "deposit")
        lines(bench, HARBOR)[:] = [line for line in lines(bench, HARBOR) if line.key != leg.key]
        item = self.found(bench)
        assert (item.kind, item.institution, item.reference) == ("missing_there", HARBOR, leg.key)
        assert (item.ours, item.theirs, item.transfer_id) == (1_000_000, 0, transfer.id)
        bench.check()

    def test_a_line_that_we_do_not_have(self, bench: Bench) -> None:
        bench.moved()
        line = lines(bench, MERIDIAN)[0]
        stray = ActivityLine(
            bench.bank.books.next_id(), MERIDIAN, line.account_number, "stray-1", "withdrawal", "debit", 777, "USD",
            "MER9", "", line.at,
        )  # fmt: skip
        lines(bench, MERIDIAN).append(stray)
        item = self.found(bench)
        assert (item.kind, item.reference, item.ours, item.theirs) == ("missing_here", "stray-1", None, -777)

    def test_another_amount(self, bench: Bench) -> None:
        bench.moved()
        lines(bench, MERIDIAN)[0].amount += 5
        item = self.found(bench)
        assert (item.kind, item.ours, item.theirs) == ("amount", 1_000_000, 1_000_005)
        bench.check()

    def test_the_same_payment_twice_is_asked_about_and_posted(self, bench: Bench) -> None:
        (transfer,) = bench.moved()
        row = bench.at_bank(bench.leg(transfer, "withdrawal"))
        settling.settle(bench.bank.books, row, credited=1_000_000, fee=0, at=bench.bank_time() - timedelta(hours=2))
        assert run(bench).new_breaks == 0
        (child,) = transfer.splits.all()
        assert (child.amount, child.state, child.next_step) == (1_000_000, "withdrawn", "refund")
        bench.check()

    def test_settled_there_while_rejected_here_is_asked_about_and_posted(self, bench: Bench) -> None:
        bench.fault(Fault.REJECT, kind="withdrawal")
        (transfer,) = bench.moved()
        row = bench.at_bank(bench.leg(transfer, "withdrawal"))
        settling.settle(bench.bank.books, row, credited=1_000_000, fee=0, at=bench.bank_time() - timedelta(hours=2))
        assert run(bench).new_breaks == 0
        assert bench.fresh(transfer).state == "withdrawn"
        bench.check()

    def test_the_same_payment_twice_at_a_bank_that_does_not_answer(self, bench: Bench) -> None:
        (transfer,) = bench.moved()
        row = bench.at_bank(bench.leg(transfer, "withdrawal"))
        settling.settle(bench.bank.books, row, credited=1_000_000, fee=0, at=bench.bank_time() - timedelta(hours=2))
        bench.fault(Fault.TIMEOUT_BEFORE, call="query", count=None)
        item = self.found(bench)
        assert (item.kind, item.ours, item.theirs) == ("duplicate", 1_000_000, 2_000_000)

    def test_sent_long_ago_and_booked_nowhere(self, bench: Bench) -> None:
        bench.deliver_callbacks = False
        bench.fault(Fault.TIMEOUT_BEFORE, count=None, kind="withdrawal")
        bench.request(bench.account(), bench.fund())
        bench.run(rounds=1)
        bench.advance(days=6)
        item = self.found(bench)
        assert (item.kind, item.ours, item.theirs) == ("missing_there", 1_000_000, None)

    def test_our_own_books_that_contradict_each_other(self, bench: Bench) -> None:
        (transfer,) = bench.moved()
        leg = bench.leg(transfer, "deposit")
        type(leg).objects.filter(pk=leg.pk).update(settled_amount=999_999)
        item = self.found(bench)
        assert (item.kind, item.reference) == ("amount", f"{leg.key}:ledger")
        assert (item.ours, item.theirs) == (1_000_000, 999_999)


class TestOpenBreaks:
    @pytest.fixture
    def item(self, bench: Bench) -> Break:
        bench.moved()
        lines(bench, MERIDIAN)[0].amount += 5
        run(bench)
        return the_break()

    def test_seen_again_is_not_new(self, bench: Bench, item: Break) -> None:
        bench.advance(minutes=5)
        again = run(bench)
        assert (again.new_breaks, again.open_breaks) == (0, 1)
        seen = the_break()
        assert seen.last_seen_at > item.last_seen_at
        assert (seen.first_seen_at, seen.version) == (item.first_seen_at, item.version)
        assert story(item) == ["break.found"]

    def test_with_other_figures_it_is_the_same_break_with_a_new_version(self, bench: Bench, item: Break) -> None:
        lines(bench, MERIDIAN)[0].amount += 5
        assert run(bench).new_breaks == 0
        changed = the_break()
        assert (changed.pk, changed.theirs, changed.version) == (item.pk, 1_000_010, 2)
        assert story(item) == ["break.found", "break.changed"]

    def test_resolved_by_itself_once_both_sides_agree_also_on_a_later_day(self, bench: Bench, item: Break) -> None:
        lines(bench, MERIDIAN)[0].amount -= 5
        bench.advance(days=2)
        assert run(bench).open_breaks == 0
        resolved = the_break()
        assert resolved.resolved_at is not None
        assert resolved.resolved_by is None
        assert "agree" in resolved.resolution
        assert story(item) == ["break.found", "break.resolved"]
        bench.check()

    def test_not_resolved_where_it_only_looks_gone(self, bench: Bench, item: Break) -> None:
        bench.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN, call="activity")
        lines(bench, MERIDIAN)[0].amount -= 5
        run(bench)
        assert the_break().resolved_at is None

    def test_a_difference_of_a_later_day_does_not_touch_an_earlier_run(self, bench: Bench, item: Break) -> None:
        assert reconcile(date=bench.day - timedelta(days=1), actor=ACTOR).open_breaks == 1
        assert the_break().resolved_at is None


class TestAnInstitutionThatDoesNotAnswer:
    def test_is_named_and_nothing_is_concluded_about_it(self, bench: Bench) -> None:
        bench.moved()
        lines(bench, MERIDIAN).clear()
        bench.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN, call="activity")
        found = run(bench)
        assert [problem["institution"] for problem in found.problems] == [MERIDIAN]
        assert (found.matched, found.new_breaks) == (1, 0)

    def test_no_transaction_is_open_while_it_is_asked(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        bench.moved()
        open_then: list[bool] = []
        ask = bench.bank.activity

        def watched(**given: Any) -> Any:
            open_then.append(connection.in_atomic_block)
            return ask(**given)

        monkeypatch.setattr(bench.bank, "activity", watched)
        run(bench)
        assert open_then == [False, False]


class TestResolvingByHand:
    @pytest.fixture
    def item(self, bench: Bench) -> Break:
        bench.moved()
        lines(bench, MERIDIAN)[0].amount += 5
        run(bench)
        return the_break()

    def refused(self, result: Any) -> str:
        assert isinstance(result, Refused)
        return result.error.code

    def test_says_who_and_why_and_is_an_event(self, item: Break) -> None:
        mara = User.objects.create_user("mara")
        actor = Actor(id=str(mara.pk), role=Role.MAKER, channel=Channel.ADMIN, label="mara")
        result = resolve_break(change=Change(item.pk, expected_version=1), actor=actor, resolution=" A bank charge. ")
        assert isinstance(result, Done)
        resolved = the_break()
        assert (resolved.resolution, resolved.resolved_by, resolved.version) == ("A bank charge.", mara, 2)
        assert story(item) == ["break.found", "break.resolved"]

    def test_found_again_afterwards_it_is_a_new_break(self, bench: Bench, item: Break) -> None:
        resolve_break(change=Change(item.pk), actor=MAKER, resolution="A bank charge.")
        assert run(bench).new_breaks == 1
        assert Break.objects.count() == 2

    def test_what_is_refused(self, item: Break) -> None:
        change = Change(item.pk)
        assert self.refused(resolve_break(change=change, actor=AUDITOR, resolution="x")) == "not_allowed"
        assert self.refused(resolve_break(change=change, actor=MAKER, resolution="  ")) == "resolution_missing"
        assert self.refused(resolve_break(change=change, actor=MAKER, resolution="x" * 401)) == "resolution_missing"
        stale = Change(item.pk, expected_version=7)
        assert self.refused(resolve_break(change=stale, actor=MAKER, resolution="x")) == "stale_version"
        nowhere = Change(type(item)().pk)
        assert self.refused(resolve_break(change=nowhere, actor=MAKER, resolution="x")) == "not_found"
        assert the_break().resolved_at is None
        assert isinstance(resolve_break(change=change, actor=MAKER, resolution="x"), Done)
        assert self.refused(resolve_break(change=change, actor=MAKER, resolution="x")) == "wrong_state"
        assert story(item) == ["break.found", "break.resolved"]


class TestWhileTheDayGoesOn:
    def test_what_settles_after_their_record_was_read_waits_for_the_next(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench.request(bench.account(), bench.fund())
        bench.run(rounds=1)
        real = gathering.ask

        def ask(institution: str, **given: Any) -> gathering.Record:
            record = real(institution, **given)
            if institution == MERIDIAN:
                bench.run()
            return record

        with monkeypatch.context() as patch:
            patch.setattr(gathering, "ask", ask)
            assert run(bench).new_breaks == 0
        assert run(bench).new_breaks == 0
        assert not Break.objects.exists()
