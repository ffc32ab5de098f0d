"""What two people decided is what is carried out, whoever comes between their look and the deed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections

from accounts.ledger import firm
from accounts.ledger.models import Posting
from bridge.approvals import handlers
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import ApprovalClosed, Proposal
from bridge.kernel import clock
from bridge.kernel.gateway import Outcome, Report
from bridge.kernel.results import ENGINE, Change, Done, Refused
from bridge.kernel.transactions import unit_of_work
from funds import rulebook
from funds.models import RuleParameters
from tests.concurrency.crowd import at_once
from tests.world import CHECKER, MAKER, world
from transfers import approvals as of_transfers
from transfers import facts, manual_outcomes, services
from transfers.models import BankInstruction, FloatMovement
from transfers.services import cutting, treasury
from transfers.services.batch import Batch

AMOUNT = 1_000_000
BLOCKED_FOR = 0.5  # seconds; who is let in writes within a few milliseconds, who must wait waits for ever


def elsewhere(call: Callable[[], Any]) -> threading.Thread:
    """Somebody else, on a connection of his own; given up when he must wait."""

    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(BLOCKED_FOR)
    return thread


def between(monkeypatch: pytest.MonkeyPatch, kind: str, call: Callable[[], Any]) -> list[threading.Thread]:
    """`call` comes after the decision has looked at its subject and before it is carried out."""
    old, came = handlers.handler_for(kind), []

    def carry_out(*given: Any) -> None:
        came.append(elsewhere(call))
        assert old.carry_out is not None
        old.carry_out(*given)

    monkeypatch.setitem(handlers._handlers, kind, dataclasses.replace(old, carry_out=carry_out))
    return came


def draft(values: dict[str, Any]) -> RuleParameters:
    return rulebook.draft_parameters(draft=rulebook.Draft("velocity", values), actor=MAKER)


@pytest.mark.django_db(transaction=True)
class TestRules:
    @pytest.mark.parametrize("deed", ["edited", "discarded"])
    def test_what_the_checker_saw_is_what_comes_into_force(self, monkeypatch: pytest.MonkeyPatch, deed: str) -> None:
        row = draft({"max_count_day": 3})
        asked = approvals.propose(proposal=Proposal(rulebook.ACTIVATE, row.id, {}, "x"), actor=MAKER)
        other = rulebook.Draft("velocity", {"max_count_day": 999})
        change: Callable[[], Any] = partial(rulebook.edit_draft, change=Change(row.id), draft=other, actor=MAKER)
        if deed == "discarded":
            change = partial(rulebook.discard_draft, change=Change(row.id), actor=MAKER)

        refused: list[Exception] = []

        def late() -> None:
            try:
                change()
            except rulebook.NotADraft as error:
                refused.append(error)

        came = between(monkeypatch, rulebook.ACTIVATE, late)
        (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        for thread in came:
            thread.join()
        row.refresh_from_db()
        assert isinstance(result, Done)
        assert (row.state, row.values, len(refused)) == ("active", {"max_count_day": 3}, 1)

    def test_drafts_of_one_rule_made_at_once_are_numbered_in_turn(self) -> None:
        made = at_once([partial(draft, {"max_count_day": n + 1}) for n in range(6)])
        assert sorted(row.number for row in made if isinstance(row, RuleParameters)) == [1, 2, 3, 4, 5, 6]

    def test_two_drafts_activated_at_once_follow_each_other(self) -> None:
        rows = [draft({"max_count_day": n + 1}) for n in range(2)]
        asked = [approvals.propose(proposal=Proposal(rulebook.ACTIVATE, r.id, {}, "x"), actor=MAKER) for r in rows]
        results = at_once([partial(approvals.approve, changes=[Change(one.id)], actor=CHECKER) for one in asked])
        assert not [result for result in results if isinstance(result, Exception)]
        assert sorted(RuleParameters.objects.values_list("state", flat=True)) == ["active", "active"]
        assert RuleParameters.objects.filter(effective_to__isnull=True).count() == 1


@pytest.mark.django_db(transaction=True)
class TestOutcomes:
    def test_the_bank_cannot_accept_while_two_people_decide_that_it_never_came(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with world() as bridge:
            transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
            known = facts.gather(account_ids=[transfer.source_account_id], max_age=300)
            (begun,) = services.begin_withdrawals(transfer_ids=[transfer.id], facts=known, actor=ENGINE)
            assert isinstance(begun, Done)
            order = begun.data["sent"]
            services.settle_withdrawals(reports=[Report(key=order.key, outcome=Outcome.UNKNOWN)], actor=ENGINE)
            told = {"outcome": "rejected", "why": "It never came.", "evidence": "Their letter of today."}
            asked = approvals.propose(proposal=Proposal(manual_outcomes.OUTCOME, transfer.id, told, "x"), actor=MAKER)
            accepted = Report(key=order.key, outcome=Outcome.ACKNOWLEDGED, at=clock.now())
            came = between(
                monkeypatch,
                manual_outcomes.OUTCOME,
                lambda: services.settle_withdrawals(reports=[accepted], actor=ENGINE),
            )
            (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
            for thread in came:
                thread.join()
            found = BankInstruction.objects.get(pk=order.pk)
            assert isinstance(result, Done)
            assert (found.state, found.acknowledged_at) == ("rejected", None)


@pytest.mark.django_db(transaction=True)
class TestReviews:
    @pytest.mark.parametrize("yes", [True, False])
    def test_a_decision_is_about_the_review_that_was_seen(self, monkeypatch: pytest.MonkeyPatch, yes: bool) -> None:
        with world() as bridge:
            transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
            services.hold_transfers(changes=[Change(transfer.id)], actor=MAKER)
            seen = Approval.objects.get(state="open", subject_id=transfer.id)

            def cut() -> None:
                with unit_of_work() as moment:
                    batch = Batch(actor=ENGINE, at=moment)
                    (row,) = batch.lock_transfers([transfer.id]).values()
                    batch.lock_accounts([transfer.source_account_id])
                    batch.lock_places_of([row])
                    cutting.reduce(batch, row, amount=AMOUNT * 2 // 5, reason="The fund is cut back.")
                    batch.save()

            real = of_transfers._decide_review

            def decide(*given: Any, **named: Any) -> Any:
                thread = elsewhere(cut)
                thread.join()
                return real(*given, **named)

            old = handlers.handler_for("transfer.review")
            monkeypatch.setitem(handlers._handlers, old.kind, dataclasses.replace(old, decide=decide))
            answer = approvals.approve if yes else approvals.reject
            (result,) = answer(changes=[Change(seen.id, seen.version)], actor=CHECKER)
            assert isinstance(result, Refused)
            assert isinstance(result.error, ApprovalClosed)
            seen.refresh_from_db()
            now = Approval.objects.get(state="open", subject_id=transfer.id)
            assert (seen.state, now.seen["amount"], bridge.fresh(transfer).state) == ("void", 400_000, "in_review")


def put_in(amount: int) -> None:
    """The firm funds its float."""
    paid = treasury.Funding(
        kind=FloatMovement.Kind.PUT_IN,
        currency="USD",
        amount=amount,
        bank_reference="IN-1",
        paid_at=clock.now(),
        why="To begin with.",
        asked_by=MAKER.id,
    )
    with unit_of_work() as moment:
        treasury.book_fundings(fundings=[paid], actor=CHECKER, at=moment)


@pytest.mark.django_db(transaction=True)
class TestFloat:
    def test_what_the_firm_adds_by_itself_is_there_once(self, settings: Any) -> None:
        settings.BRIDGE_POLICY = {"short_pay": "top_up"}
        with world() as bridge:
            fund = bridge.fund()
            rows = [bridge.request(bridge.account(), fund, AMOUNT + n) for n in range(4)]
            known = facts.gather(account_ids=[row.source_account_id for row in rows], max_age=300)
            begun = services.begin_withdrawals(transfer_ids=[row.id for row in rows], facts=known, actor=ENGINE)
            orders = [result.data["sent"] for result in begun if isinstance(result, Done)]
            short = 900
            put_in(2 * short + 100)
            told = [
                Report(order.key, Outcome.SETTLED, settled_amount=order.amount - short, fee=short, at=clock.now())
                for order in orders
            ]
            settle = [partial(services.settle_withdrawals, reports=some, actor=ENGINE) for some in (told[:3], told[3:])]
            results = at_once(settle)
            assert not [result for result in results if isinstance(result, Exception)]
            assert Posting.objects.filter(row="A4").count() == 2
            assert firm.float_of("USD").free == 100
