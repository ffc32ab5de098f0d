"""What the registry of blockers promises, without a database."""

from __future__ import annotations

import pytest

from bridge.kernel.results import Role
from transfers.blockers import BLOCKERS, DEEDS, UNSURE, Deed, UnknownBlocker, Urgency, allowed, of
from transfers.states import AT_THE_FUND, ENDED, OPEN, NextStep, State

MONEY_SENT = (State.WITHDRAWING, State.DEPOSITING, State.REFUNDING)


@pytest.mark.parametrize("code", BLOCKERS)
class TestEveryBlocker:
    def test_moves_by_itself_or_has_a_deed_that_fits_a_state(self, code: str) -> None:
        blocker = BLOCKERS[code]
        fitting = {state for deed in blocker.deeds for state in DEEDS[deed].states}
        assert blocker.moves or fitting

    def test_says_what_happened_and_what_is_safe_in_sentences(self, code: str) -> None:
        blocker = BLOCKERS[code]
        assert blocker.title[0].isupper()
        assert not blocker.title.endswith(".")
        assert blocker.means.endswith(".")
        assert blocker.safe.endswith(".")

    def test_whose_money_waits_for_people_is_not_merely_watched(self, code: str) -> None:
        blocker = BLOCKERS[code]
        assert blocker.moves or code == "frozen" or blocker.urgency != Urgency.WATCH

    def test_never_pays_while_an_instruction_may_be_at_a_bank(self, code: str) -> None:
        for state in MONEY_SENT:
            deeds = set(allowed(state=state, blocker_code=code))
            assert deeds <= {Deed.OUTCOME, Deed.RESUME}

    def test_offers_no_deed_in_a_state_where_it_means_nothing(self, code: str) -> None:
        for state in State:
            for deed in allowed(state=state, next_step=NextStep.NONE, blocker_code=code):
                assert state in DEEDS[deed].states


@pytest.mark.parametrize("code", UNSURE)
def test_what_no_bank_has_told_is_decided_by_two_people_and_by_nothing_else(code: str) -> None:
    assert BLOCKERS[code].deeds == (Deed.OUTCOME,)
    assert DEEDS[Deed.OUTCOME].pair


@pytest.mark.parametrize("code", ["deposit_rejected", "refund_returned", "criteria_on_hold"])
def test_money_that_moves_by_itself_is_neither_retried_nor_refunded(code: str) -> None:
    waits = allowed(state=State.WITHDRAWN, next_step=NextStep.NONE, blocker_code=code)
    moves = allowed(state=State.WITHDRAWN, next_step=NextStep.REFUND, blocker_code=code)
    assert {Deed.RETRY, Deed.REFUND} <= set(waits)
    assert {Deed.RETRY, Deed.REFUND}.isdisjoint(moves)


def test_what_is_frozen_by_law_is_released_by_compliance_only() -> None:
    assert allowed(state=State.FROZEN, blocker_code="frozen") == (Deed.UNFREEZE,)
    assert DEEDS[Deed.UNFREEZE].roles == {Role.COMPLIANCE}


def test_money_in_clearing_can_be_frozen_whatever_else_blocks_it() -> None:
    for code in BLOCKERS:
        assert Deed.FREEZE in allowed(state=State.WITHDRAWN, next_step=NextStep.NONE, blocker_code=code)


def test_an_unblocked_transfer_offers_what_its_state_offers() -> None:
    assert allowed(state=State.APPROVED) == (Deed.REJECT, Deed.CANCEL, Deed.HOLD, Deed.ASIDE)
    assert allowed(state=State.COMPLETED) == (Deed.RECALL,)
    assert allowed(state=State.WITHDRAWING) == ()
    for state in set(ENDED) - {State.COMPLETED}:
        assert allowed(state=state) == ()


def test_nobody_without_a_role_of_the_firm_does_more_than_cancel() -> None:
    outside = {Role.INVESTOR, Role.SERVICE}
    assert [deed for deed, rule in DEEDS.items() if rule.roles & outside] == [Deed.CANCEL]
    assert not any(Role.AUDITOR in rule.roles for rule in DEEDS.values())


def test_every_deed_fits_an_open_state_or_money_at_the_fund() -> None:
    for deed, rule in DEEDS.items():
        assert rule.states, deed
        assert set(rule.states) <= {*OPEN, *AT_THE_FUND}, deed


def test_an_advance_does_not_hide_that_an_outcome_is_unknown() -> None:
    assert allowed(state=State.DEPOSITING, blocker_code="advance_open") == (Deed.OUTCOME,)


def test_an_unknown_code_is_refused_by_name() -> None:
    with pytest.raises(UnknownBlocker, match="mystery"):
        of("mystery")
