"""The transitions of the model: the same edges as `transfers.states`, on a field that cannot be set by hand."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from django_fsm import TransitionNotAllowed

from transfers.models import Transfer
from transfers.states import (
    CANCELLABLE,
    EDGES,
    ENDED,
    HELD,
    ON_THE_BRIDGE,
    OPEN,
    RESERVING,
    NextStep,
    State,
)

AT = datetime(2026, 3, 2, tzinfo=UTC)
TRANSITIONS = list(Transfer._meta.get_field("state").get_all_transitions(Transfer))  # type: ignore[union-attr]


def edges_of_the_model() -> list[tuple[State, State]]:
    return [(State(transition.source), State(transition.target)) for transition in TRANSITIONS]


class TestTheModelAndTheTable:
    def test_every_edge_of_the_table_has_its_method_and_no_method_has_another(self) -> None:
        assert set(edges_of_the_model()) == {(source, target) for source in EDGES for target in EDGES[source]}

    def test_each_edge_has_one_method(self) -> None:
        assert [edge for edge, count in Counter(edges_of_the_model()).items() if count > 1] == []

    def test_every_state_can_be_reached(self) -> None:
        reached, waiting = {State.REQUESTED}, [State.REQUESTED]
        while waiting:
            for target in EDGES[waiting.pop()]:
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        assert reached == set(State)

    def test_every_state_that_is_not_an_end_has_a_way_to_one(self) -> None:
        for state in OPEN:
            assert _reachable(state) & set(ENDED), state

    def test_an_end_before_money_moved_is_left_by_nothing(self) -> None:
        assert not any(EDGES[state] for state in (State.REJECTED, State.CANCELLED, State.EXPIRED))

    def test_a_hold_is_taken_only_together_with_a_place(self) -> None:
        assert set(HELD) < set(RESERVING)
        assert not set(HELD) & set(ON_THE_BRIDGE)
        assert set(HELD) < set(CANCELLABLE)

    def test_verbs_of_the_api_are_methods_of_the_model(self) -> None:
        assert {"approve", "reject", "cancel", "hold", "expire", "freeze", "begin_refund"} <= {
            transition.name for transition in TRANSITIONS
        }


def _reachable(state: State) -> set[State]:
    reached, waiting = set(), [state]
    while waiting:
        for target in EDGES[waiting.pop()]:
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


class TestTheField:
    def test_the_state_cannot_be_set(self) -> None:
        transfer = Transfer(state=State.APPROVED)
        with pytest.raises(AttributeError):
            transfer.state = State.COMPLETED

    def test_a_transition_from_another_state_is_refused_and_changes_nothing(self) -> None:
        transfer = Transfer(state=State.WITHDRAWING)
        with pytest.raises(TransitionNotAllowed):
            transfer.cancel(at=AT)
        assert transfer.state == State.WITHDRAWING
        assert transfer.ended_at is None

    @pytest.mark.parametrize("state", list(State))
    def test_only_the_methods_of_its_edges_can_proceed(self, state: State) -> None:
        transfer = Transfer(state=state)
        targets = {
            State(transition.target)
            for transition in transfer.get_available_state_transitions()  # type: ignore[attr-defined]
        }
        assert targets == set(EDGES[state])


class TestStamps:
    def test_withdrawn_knows_what_comes_next(self) -> None:
        transfer = Transfer(state=State.WITHDRAWING)
        transfer.settle_withdrawal(at=AT, next_step=NextStep.DEPOSIT)
        assert (transfer.next_step, transfer.withdrawn_at, transfer.ended_at) == (NextStep.DEPOSIT, AT, None)

    def test_an_end_clears_deadline_next_step_and_blocker(self) -> None:
        transfer = Transfer(state=State.IN_REVIEW, expires_at=AT)
        transfer.block("in_review", "Somebody must look.", at=AT)
        transfer.cancel(at=AT)
        assert (transfer.ended_at, transfer.expires_at, transfer.next_step) == (AT, None, "")
        assert (transfer.blocker_code, transfer.blocker_message, transfer.blocked_at) == ("", "", None)

    def test_a_reopened_transfer_has_not_ended(self) -> None:
        transfer = Transfer(state=State.REFUNDED, ended_at=AT)
        transfer.reopen(at=AT, next_step=NextStep.NONE)
        assert (transfer.state, transfer.ended_at, transfer.next_step) == ("withdrawn", None, "none")
