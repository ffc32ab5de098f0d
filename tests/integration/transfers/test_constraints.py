"""What constraints and triggers refuse about transfers, instructions, verifications, observations and counters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from accounts.models import BalanceObservation, InvestorAccount
from bridge.kernel import bulk, ids
from funds.models import Allocation, FundCapacity, Reservation, Verification
from tests.integration.ledger.books import refused
from tests.integration.transfers.test_lifecycle_trigger import newborn, record_birth, write_event
from tests.world import World
from transfers.models import BankInstruction, Transfer, Work
from transfers.states import LIVE, UNANSWERED, InstructionState, NextStep, State

NOT_LIVE = [state for state in InstructionState if state not in LIVE]


@pytest.fixture
def transfer(bridge: World) -> Transfer:
    return bridge.request(bridge.account(), bridge.fund())


def instruction(transfer: Transfer, **given: Any) -> BankInstruction:
    values: dict[str, Any] = {
        "transfer": transfer,
        "kind": "deposit",
        "attempt": 1,
        "institution": "harbor",
        "key": f"key-{ids.new_id()}",
        "amount": transfer.amount,
        "currency": "USD",
        "state": InstructionState.SETTLED,
        "reference": "BR",
        "key_expires_at": transfer.created_at + timedelta(days=7),
        "created_at": transfer.created_at,
        **given,
    }
    if values["kind"] in ("deposit", "recall"):
        values.setdefault("fund", transfer.fund)
    if values["state"] in NOT_LIVE:
        values.setdefault("ended_at", transfer.created_at)
    if values["state"] in (InstructionState.SETTLED, InstructionState.RETURNED):
        values.setdefault("settled_at", transfer.created_at)
    return BankInstruction(**values)


@pytest.fixture(autouse=True)
def undone(transfer: Transfer) -> Iterator[None]:
    """What a test writes past the services is taken back before every invariant is checked."""
    sid = transaction.savepoint()
    yield
    transaction.savepoint_rollback(sid)


class TestInstructions:
    @pytest.mark.parametrize("second", LIVE)
    @pytest.mark.parametrize("first", LIVE)
    def test_one_live_instruction_of_a_kind_per_transfer(
        self, transfer: Transfer, first: InstructionState, second: InstructionState
    ) -> None:
        instruction(transfer, state=first).save()
        with refused("instruction_one_live"):
            instruction(transfer, attempt=2, state=second).save()
        with refused("instruction_one_live"):
            bulk.insert(BankInstruction, [instruction(transfer, attempt=2, state=second)])

    @pytest.mark.parametrize("first", NOT_LIVE)
    def test_a_retry_is_possible_once_the_first_is_answered(self, transfer: Transfer, first: InstructionState) -> None:
        instruction(transfer, state=first).save()
        instruction(transfer, attempt=2, state=InstructionState.SUBMITTED).save()

    def test_an_answered_instruction_does_not_come_back_to_life_beside_another(self, transfer: Transfer) -> None:
        old = instruction(transfer, state=InstructionState.REJECTED)
        old.save()
        instruction(transfer, attempt=2, state=InstructionState.SUBMITTED).save()
        with refused("instruction_one_live"):
            BankInstruction.objects.filter(pk=old.pk).update(state=InstructionState.SUBMITTED, ended_at=None)

    @pytest.mark.parametrize("second", UNANSWERED)
    @pytest.mark.parametrize("first", UNANSWERED)
    def test_one_unanswered_withdrawal_per_account(
        self, bridge: World, transfer: Transfer, first: InstructionState, second: InstructionState
    ) -> None:
        account = transfer.source_account
        other = bridge.request(account, transfer.fund, 2_000_000)
        instruction(transfer, kind="withdrawal", account=account, state=first).save()
        with refused("withdrawal_one_unanswered"):
            instruction(other, kind="withdrawal", account=account, state=second).save()

    def test_an_acknowledged_withdrawal_lets_the_next_one_go(self, bridge: World, transfer: Transfer) -> None:
        account = transfer.source_account
        other = bridge.request(account, transfer.fund, 2_000_000)
        instruction(transfer, kind="withdrawal", account=account, state=InstructionState.ACKNOWLEDGED).save()
        instruction(other, kind="withdrawal", account=account, state=InstructionState.SUBMITTED).save()

    def test_a_key_is_used_once_for_ever(self, transfer: Transfer) -> None:
        instruction(transfer, key="the-key").save()
        with refused("key"):
            instruction(transfer, kind="refund", key="the-key").save()

    def test_an_attempt_has_one_instruction(self, transfer: Transfer) -> None:
        instruction(transfer).save()
        with refused("instruction_attempt_once"):
            instruction(transfer).save()

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"amount": 0}, "instruction_amount"),
            ({"amount": -5}, "instruction_amount"),
            ({"settled_amount": -1}, "instruction_facts"),
            ({"returned_amount": -1}, "instruction_facts"),
            ({"fee": -1}, "instruction_facts"),
            ({"kind": "withdrawal", "account": None}, "withdrawal_has_account"),
            ({"kind": "deposit", "fund": None}, "instruction_at_a_fund"),
            ({"state": "lost"}, "instruction_known_state|instruction_ended_as_it_says"),
        ],
    )
    def test_impossible_values(self, transfer: Transfer, values: dict[str, Any], constraint: str) -> None:
        with refused(constraint):
            instruction(transfer, **values).save()


class TestTransfers:
    @pytest.mark.parametrize("amount", [0, -1, 10**15])
    def test_an_amount_out_of_range(self, transfer: Transfer, amount: int) -> None:
        with refused("transfer_amount"):
            Transfer.objects.filter(pk=transfer.pk).update(amount=amount)

    def test_next_step_none_needs_a_blocker(self, transfer: Transfer) -> None:
        with refused("transfer_none_needs_blocker"):
            Transfer.objects.filter(pk=transfer.pk).update(next_step=NextStep.NONE, blocker_code="")

    def test_next_step_none_with_a_blocker(self, transfer: Transfer) -> None:
        Transfer.objects.filter(pk=transfer.pk).update(next_step=NextStep.NONE, blocker_code="no_place")

    def test_a_blocker_that_is_not_in_the_registry(self, transfer: Transfer) -> None:
        with refused("transfer_known_blocker"):
            Transfer.objects.filter(pk=transfer.pk).update(blocker_code="mystery")

    def test_nobody_approves_what_he_asked_for(self, transfer: Transfer) -> None:
        version = transfer.version + 1
        write_event(transfer.pk, State(transfer.state), version)
        with refused("transfer_checker_is_not_maker"):
            Transfer.objects.filter(pk=transfer.pk).update(approved_by=F("requested_by"), version=version)

    def test_somebody_else_approves(self, transfer: Transfer) -> None:
        version = transfer.version + 1
        write_event(transfer.pk, State(transfer.state), version)
        Transfer.objects.filter(pk=transfer.pk).update(approved_by="another", version=version)

    def test_two_transfers_never_share_a_place_in_the_order_of_their_account(
        self, bridge: World, transfer: Transfer
    ) -> None:
        other = bridge.request(transfer.source_account, transfer.fund, 2_000_000)
        assert other.account_seq == transfer.account_seq + 1
        third = newborn(transfer, State.APPROVED, account_seq=transfer.account_seq)
        with refused("transfer_order"):
            record_birth(third)
            third.save(force_insert=True)

    @pytest.mark.parametrize("statement", ["DELETE FROM transfers_transfer", "TRUNCATE transfers_transfer CASCADE"])
    def test_a_transfer_stays_for_ever(self, transfer: Transfer, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with refused("never_deleted|append_only"):
                cursor.execute(statement)

    def test_work_is_one_row_per_transfer(self, transfer: Transfer) -> None:
        again = Work(transfer=transfer, account_id=transfer.source_account_id, account_seq=1, step="withdraw")
        with refused("transfers_work_pkey"):
            again.save(force_insert=True)


class TestPermanentRows:
    @pytest.mark.parametrize("model", [Verification, BalanceObservation])
    def test_cannot_be_updated_or_deleted(self, transfer: Transfer, model: Any) -> None:
        assert model.objects.exists()
        table = model._meta.db_table
        with refused("append_only"):
            model.objects.update(id=F("id"))
        with refused("append_only"):
            model.objects.all().delete()
        with refused("append_only"):
            bulk.update(model, list(model.objects.all()), fields=[model._meta.concrete_fields[-1].attname])
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with refused("append_only"):
                    cursor.execute(statement)

    def test_the_run_of_the_rules_is_kept_with_what_it_saw(self, transfer: Transfer) -> None:
        (row,) = Verification.objects.filter(transfer_id=transfer.id)
        assert (row.stage, row.outcome) == ("create", "pass")
        assert row.facts["request"]["amount"] == transfer.amount
        assert {decision["rule"] for decision in row.decisions} >= {"fund_open", "seats", "hard_cap"}


class TestCounters:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"held": -1}, "account_held_not_negative"),
            ({"withdrawals_acknowledged": -1}, "account_acknowledged_within_begun"),
            ({"withdrawals_acknowledged": F("withdrawals_begun") + 1}, "account_acknowledged_within_begun"),
        ],
    )
    def test_of_an_account(self, transfer: Transfer, values: dict[str, Any], constraint: str) -> None:
        with refused(constraint):
            InvestorAccount.objects.filter(pk=transfer.source_account_id).update(**values)

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"seats_taken": F("seat_limit") + 1}, "capacity_seats"),
            ({"reserved": F("hard_cap") + 1}, "capacity_hard_cap"),
            ({"confirmed": F("hard_cap") - F("reserved") + 1}, "capacity_hard_cap"),
            ({"reserved": -1}, "capacity_not_negative"),
            ({"confirmed": -1}, "capacity_not_negative"),
            ({"seat_limit": F("seats_taken") - 1}, "capacity_seats"),
        ],
    )
    def test_of_a_fund(self, transfer: Transfer, values: dict[str, Any], constraint: str) -> None:
        with refused(constraint):
            FundCapacity.objects.filter(pk=transfer.fund_id).update(**values)

    def test_of_an_allocation(self, transfer: Transfer) -> None:
        with refused("allocation_not_negative"):
            Allocation.objects.update(reserved=-1)
        with refused("reservation_positive"):
            Reservation.objects.update(amount=0)

    def test_an_investor_has_one_allocation_in_a_fund(self, transfer: Transfer) -> None:
        with refused("allocation_once"):
            Allocation.objects.create(
                fund=transfer.fund, investor_id=transfer.investor_id, created_at=transfer.created_at
            )
