"""What reconciliation learns by asking: a lost callback, and a key that its bank has forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.kernel.results import Actor, Channel, Role
from bridge.sandbox.model import Fault
from bridge.sandbox.server.statements import as_csv
from tests.functional.reconciliation.conftest import Bench
from tests.functional.reconciliation.test_commands import issued
from tests.world import HARBOR
from transfers.models import Break, Transfer
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor("night", Role.SYSTEM, Channel.COMMAND)


class TestALostCallback:
    def test_a_deposit_that_came_back_in_silence_is_found_and_refunded(self, bench: Bench) -> None:
        bench.fault(Fault.RETURN_LATER, institution=HARBOR, days=5, code="R23")
        (transfer,) = bench.moved()
        bench.deliver_callbacks = False
        bench.advance(days=5, hours=2)
        bench.receive()
        assert bench.fresh(transfer).state == "completed"
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 0
        bench.deliver_callbacks = True
        bench.run()
        assert bench.fresh(transfer).state == "refunded"
        bench.check()


class TestAForgottenKey:
    def unknown_and_forgotten(self, bench: Bench) -> Transfer:
        """The withdrawal was carried out, its reply and callback are lost, and the bank forgets the key."""
        bench.deliver_callbacks = False
        bench.fault(Fault.TIMEOUT_AFTER, kind="withdrawal")
        bench.fault(Fault.FORGET_KEY, kind="withdrawal", seconds=0.5)
        transfer = bench.request(bench.account(), bench.fund())
        bench.run(rounds=2)
        assert bench.fresh(transfer).blocker_code == "outcome_unknown"
        return transfer

    def test_the_statement_that_lists_it_decides(self, bench: Bench) -> None:
        transfer = self.unknown_and_forgotten(bench)
        bench.advance(hours=2)
        import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        reconcile(date=bench.day, actor=ACTOR)
        assert bench.fresh(transfer).state == "withdrawn"
        bench.deliver_callbacks = True
        bench.run()
        assert bench.fresh(transfer).state == "completed"
        assert transfer.instructions.get(kind="withdrawal").sends == 1
        bench.check()

    def test_another_amount_on_the_statement_is_for_people(self, bench: Bench) -> None:
        bench.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=-5)
        transfer = self.unknown_and_forgotten(bench)
        bench.advance(hours=2)
        import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        reconcile(date=bench.day, actor=ACTOR)
        assert bench.fresh(transfer).state == "withdrawing"
        assert Break.objects.filter(transfer_id=transfer.id, resolved_at__isnull=True).exists()

    def test_nothing_is_decided_while_no_statement_lists_it(self, bench: Bench) -> None:
        transfer = self.unknown_and_forgotten(bench)
        bench.advance(hours=2)
        reconcile(date=bench.day, actor=ACTOR)
        assert bench.fresh(transfer).state == "withdrawing"
        assert bench.day - transfer.created_at.date() < timedelta(days=2)
