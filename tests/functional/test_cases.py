"""Compensation as a case: each journey ends with a proof that nothing is missing, from the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from bridge.kernel import clock
from bridge.kernel.results import Change
from bridge.sandbox.model import Fault
from tests.world import CHECKER, HARBOR, MERIDIAN, World
from transfers import bridge_clock, cases, services
from transfers.models import Transfer

AMOUNT = 1_000_000


def rejected(bridge: World, policy: str, rounds: int = 8) -> Transfer:
    bridge.fault(Fault.REJECT, institution=HARBOR, code="R02", reason="Account closed")
    transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure=policy), AMOUNT)
    bridge.run(rounds=rounds)
    return bridge.fresh(transfer)


class TestProof:
    def test_a_refund_nets_to_zero(self, bridge: World) -> None:
        case = cases.case_of(rejected(bridge, "refund", rounds=10))
        proof = case.proof
        assert (proof.withdrawn, proof.refunded, proof.deposited, proof.open, proof.missing) == (
            AMOUNT,
            AMOUNT,
            0,
            0,
            0,
        )
        assert proof.holds
        assert proof.is_closed
        assert case.now == {}
        assert case.since is None
        assert [line.amount for line in case.accounts["clearing"]] == [AMOUNT, -AMOUNT, AMOUNT, -AMOUNT]
        assert case.accounts["clearing"][-1].balance == 0

    def test_money_that_waits_for_people_is_open_and_accounted_for(self, bridge: World) -> None:
        transfer = rejected(bridge, "hold")
        case = cases.case_of(transfer)
        assert (case.proof.open, case.proof.stated, case.proof.missing) == (AMOUNT, AMOUNT, 0)
        assert case.proof.holds
        assert not case.proof.is_closed
        assert case.now == {"investor": -AMOUNT, "clearing": AMOUNT}
        assert case.since == transfer.bridge_since
        assert "transfer.deposit_rejected" in [event.type for event in case.turns]

    def test_a_case_that_went_to_the_fund_after_all_is_closed(self, bridge: World) -> None:
        transfer = rejected(bridge, "hold")
        services.retry_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run()
        case = cases.case_of(transfer)
        assert (case.proof.deposited, case.proof.open) == (AMOUNT, 0)
        assert case.proof.is_closed
        assert case.now == {"investor": -AMOUNT, "fund": AMOUNT}

    def test_a_part_that_comes_back_is_one_case_with_its_family(self, bridge: World) -> None:
        bridge.fault(Fault.RETURN_LATER, institution=HARBOR, seconds=60, amount=AMOUNT // 4, code="R01")
        fund = bridge.fund()
        transfer = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(rounds=4)
        bridge.advance(minutes=2)
        bridge.run(rounds=10)
        case = cases.case_of(transfer)
        proof = case.proof
        assert proof.holds
        assert proof.is_closed
        assert proof.withdrawn == proof.deposited + proof.refunded + proof.fees == AMOUNT
        assert proof.deposited < AMOUNT

    def test_a_loss_between_ledger_and_states_is_seen(self, bridge: World) -> None:
        transfer = rejected(bridge, "hold")
        transfer.amount -= 1  # as if somebody had written the row by hand
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE transfers_transfer SET amount = amount - 1 WHERE id = %s", [transfer.pk])
            assert not cases.case_of(transfer).proof.holds
            cursor.execute("UPDATE transfers_transfer SET amount = amount + 1 WHERE id = %s", [transfer.pk])
            cursor.execute("SET LOCAL session_replication_role = origin")
        assert cases.case_of(transfer).proof.holds

    def test_however_long_its_history_it_takes_as_many_queries(
        self, bridge: World, django_assert_max_num_queries: object
    ) -> None:
        transfer = rejected(bridge, "hold")
        with django_assert_max_num_queries(5):  # type: ignore[operator]
            cases.case_of(transfer)


class TestClock:
    def test_money_ages_from_the_moment_it_came_and_no_more_once_it_left(self, bridge: World) -> None:
        transfer = rejected(bridge, "hold")
        assert transfer.bridge_since == transfer.withdrawn_at  # a rejected deposit never left us
        (line,) = bridge_clock.ages(at=clock.now())
        assert (line.holder, line.currency, line.counts, line.amounts) == (
            "settlement account",
            "USD",
            (1, 0, 0, 0),
            (AMOUNT, 0, 0, 0),
        )
        bridge.advance(hours=2)
        assert bridge_clock.ages(at=clock.now())[0].counts == (0, 1, 0, 0)
        bridge.advance(days=9)
        assert bridge_clock.ages(at=clock.now())[0].counts == (0, 0, 0, 1)
        assert [row.pk for row in bridge_clock.oldest(limit=3)] == [transfer.pk]
        services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run(rounds=8)
        assert bridge_clock.ages(at=clock.now()) == []
        assert bridge.fresh(transfer).bridge_since is None

    def test_what_the_fund_had_for_days_is_young_when_it_comes_back(self, bridge: World) -> None:
        bridge.fault(Fault.RETURN_LATER, institution=HARBOR, days=5, code="R01")
        transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure="hold"), AMOUNT)
        bridge.run(rounds=4)
        assert bridge.fresh(transfer).bridge_since is None
        bridge.advance(days=6)
        bridge.run(rounds=4)
        back = bridge.fresh(transfer)
        assert back.state == "withdrawn"
        assert back.bridge_since is not None
        assert back.withdrawn_at is not None
        assert back.bridge_since > back.withdrawn_at + timedelta(days=5)

    @pytest.mark.parametrize("kind", ["withdrawal"])
    def test_money_on_its_way_to_us_is_not_with_us(self, bridge: World, kind: str) -> None:
        bridge.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN, kind=kind)
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=2)
        assert bridge_clock.ages(at=clock.now()) == []
