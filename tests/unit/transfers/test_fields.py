"""Keys and states cost less to look at and are otherwise Django's and django-fsm's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django_fsm import TransitionNotAllowed
from django_fsm.signals import post_transition

from accounts.models import Investor, InvestorAccount
from bridge.kernel import ids
from funds.models import Fund
from transfers.models import Transfer
from transfers.states import State

AT = datetime(2026, 3, 2, tzinfo=UTC)


def approved() -> Transfer:
    return Transfer(id=ids.new_id(), state=State.APPROVED, amount=1)


class TestState:
    def test_a_transition_leads_from_its_source_to_its_target(self) -> None:
        row = approved()
        row.begin_withdrawal(at=AT)
        assert row.state == State.WITHDRAWING

    def test_another_source_is_refused_and_changes_nothing(self) -> None:
        row = approved()
        with pytest.raises(TransitionNotAllowed):
            row.begin_deposit(at=AT)
        assert row.state == State.APPROVED

    def test_a_transition_that_raises_changes_no_state(self) -> None:
        row = approved()
        with pytest.raises(TypeError):
            row.begin_withdrawal(at=AT, nobody_knows=1)
        assert row.state == State.APPROVED

    def test_it_cannot_be_assigned(self) -> None:
        row = approved()
        with pytest.raises(AttributeError):
            row.state = State.COMPLETED

    def test_who_listens_to_django_fsm_hears_it(self) -> None:
        heard = []

        def hear(**told: Any) -> None:
            heard.append((told["name"], told["source"], told["target"]))

        post_transition.connect(hear, sender=Transfer)
        try:
            approved().begin_withdrawal(at=AT)
        finally:
            post_transition.disconnect(hear, sender=Transfer)
        assert heard == [("begin_withdrawal", State.APPROVED, State.WITHDRAWING)]


class TestKeys:
    def test_an_assigned_object_gives_its_id(self) -> None:
        one, other = Fund(id=ids.new_id()), Fund(id=ids.new_id())
        row = Transfer(fund=one)
        assert (row.fund_id, row.fund) == (one.id, one)
        row.fund = other
        assert (row.fund_id, row.fund) == (other.id, other)

    def test_none_is_no_object(self) -> None:
        row = Transfer(refund_account=InvestorAccount(id=ids.new_id()))
        row.refund_account = None
        assert (row.refund_account_id, row.refund_account) == (None, None)

    def test_migrations_see_djangos_own(self) -> None:
        for model in (Transfer, InvestorAccount):
            for field in model._meta.concrete_fields:
                assert not field.deconstruct()[1].startswith("bridge."), field

    def test_the_class_gives_the_descriptor(self) -> None:
        assert Transfer.fund.field.related_model is Fund  # type: ignore[attr-defined]
        assert Transfer.investor.field.related_model is Investor  # type: ignore[attr-defined]
