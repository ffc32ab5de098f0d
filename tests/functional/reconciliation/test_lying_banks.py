"""Papers that lie, from the bank to the breaks: every line is named, nothing is put right by itself."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.ledger.models import Entry, Posting
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.results import Actor, Channel, Role
from bridge.sandbox.model import Fault
from tests.functional.reconciliation.conftest import Bench
from tests.world import HARBOR, MERIDIAN
from transfers.models import BankInstruction, BankStatement, Break, Transfer
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile
from transfers.reconciliation.statements import StatementRefused

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(id="test", role=Role.SYSTEM, channel=Channel.COMMAND)
FILES = {"json": "day.json", "csv": "day.csv", "camt053": "day.xml"}


def paper(bench: Bench, shape: str = "json") -> bytes:
    return bench.house.settlement().statement("USD", bench.day, shape)


def imported(bench: Bench) -> BankStatement:
    return import_statement(name="day.json", content=paper(bench), actor=ACTOR)


def ours() -> list[Any]:
    """Everything of ours that a comparison could be tempted to change."""
    return [
        list(Posting.objects.order_by("id").values()),
        list(Entry.objects.order_by("id").values()),
        list(Transfer.objects.order_by("id").values()),
        list(BankInstruction.objects.order_by("id").values()),
    ]


def breaks() -> dict[str, str]:
    return dict(Break.objects.filter(resolved_at__isnull=True).values_list("reference", "kind"))


class TestLines:
    def test_missing_twice_wrong_and_late_lines_are_each_named_and_nothing_is_mended(self, bench: Bench) -> None:
        planted = {
            Fault.MISSING_LINE: "missing_there",
            Fault.REPEATED_LINE: "duplicate",
            Fault.WRONG_LINE: "amount",
            Fault.LATE_LINE: "missing_there",
        }
        for fault in planted:
            bench.fault(fault, kind="withdrawal")
            bench.fault(fault, kind="deposit")
        bench.moved(12)
        lied = {line.key: Fault(line.misprint) for line in bench.bank.books.misprints["USD"]}
        assert len(lied) == 8
        imported(bench)
        before = ours()
        found = reconcile(date=bench.day, actor=ACTOR)
        assert found.new_breaks == 8
        assert breaks() == {key: planted[fault] for key, fault in lied.items()}
        assert ours() == before

        bench.advance(days=1)
        imported(bench)
        reconcile(date=bench.day, actor=ACTOR)
        late = {key for key, fault in lied.items() if fault is Fault.LATE_LINE}
        assert set(breaks()) == lied.keys() - late  # what was late came right; the rest stays until people explain it
        assert ours() == before
        bench.check()


class TestFiles:
    @pytest.mark.parametrize("shape", FILES)
    @pytest.mark.parametrize("keep", [0.99, 0.7, 0.2])
    def test_a_truncated_file_is_refused_by_its_own_totals(self, bench: Bench, shape: str, keep: float) -> None:
        bench.moved(3)
        whole = paper(bench, shape)
        bench.fault(Fault.TRUNCATED_STATEMENT, institution="settlement", keep=keep)
        cut = paper(bench, shape)
        assert len(cut) < len(whole)
        with pytest.raises(StatementRefused):
            import_statement(name=FILES[shape], content=cut, actor=ACTOR)
        import_statement(name=FILES[shape], content=whole, actor=ACTOR)
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 0

    @pytest.mark.parametrize("shape", FILES)
    def test_a_file_cut_between_two_lines_is_refused(self, bench: Bench, shape: str) -> None:
        bench.moved(3)
        bench.fault(Fault.PARTIAL_STATEMENT, institution="settlement", keep=0.5)
        short = paper(bench, shape)
        with pytest.raises(StatementRefused):
            import_statement(name=FILES[shape], content=short, actor=ACTOR)

    def test_a_csv_that_ends_with_a_whole_line_but_without_its_total_is_refused(self, bench: Bench) -> None:
        bench.moved(3)
        rows = paper(bench, "csv").splitlines(keepends=True)
        for end in range(2, len(rows)):
            with pytest.raises(StatementRefused, match=r"TOTAL|no lines"):
                import_statement(name="day.csv", content=b"".join(rows[:end]), actor=ACTOR)
        import_statement(name="day.csv", content=b"".join(rows), actor=ACTOR)

    def test_yesterdays_statement_once_more_is_refused_by_hash_and_by_day(self, bench: Bench) -> None:
        bench.moved()
        first = paper(bench)
        import_statement(name="day.json", content=first, actor=ACTOR)
        with pytest.raises(StatementRefused, match="this very file was imported"):
            import_statement(name="renamed.json", content=first, actor=ACTOR)
        bench.advance(days=1)
        bench.moved()
        bench.fault(Fault.REPEATED_STATEMENT, institution="settlement")
        again = paper(bench, "camt053")
        with pytest.raises(StatementRefused, match="another statement of SETTLEMENT-USD"):
            import_statement(name="day.xml", content=again, actor=ACTOR)
        imported(bench)
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 0


class TestReturns:
    @pytest.mark.parametrize("given", [{"fee": 25}, {}])
    def test_a_deposit_returned_less_a_fee_agrees_on_all_sides(self, bench: Bench, given: dict[str, int]) -> None:
        bench.fault(Fault.RETURN_LATER, kind="deposit", seconds=20, **given)
        bench.moved()
        bench.run(rounds=6)
        bench.advance(hours=2)
        imported(bench)
        found = reconcile(date=bench.day, actor=ACTOR)
        assert (found.new_breaks, found.problems) == (0, [])
        assert Transfer.objects.get().state == "refunded"
        bench.check()

    def test_a_refund_returned_less_a_fee_agrees_on_all_sides(self, bench: Bench) -> None:
        bench.fault(Fault.REJECT, kind="deposit")
        bench.fault(Fault.RETURN_LATER, kind="refund", seconds=20, fee=25)
        bench.moved()
        bench.run(rounds=8)
        bench.advance(hours=2)
        imported(bench)
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 0
        assert Transfer.objects.get().blocker_code == "refund_returned"
        bench.check()


class TestTheRecord:
    def test_every_order_of_ours_is_in_the_banks_record_and_every_one_there_is_ours(self, bench: Bench) -> None:
        bench.fault(Fault.REJECT, kind="withdrawal")
        bench.fault(Fault.RETURN_LATER, kind="deposit", seconds=20)
        bench.moved(4)
        bench.run(rounds=6)
        known = {
            report.key: (report.settled_amount, report.returned_amount)
            for house in (MERIDIAN, HARBOR)
            for report in bench.house.gateway(house).record()
        }
        mine = {row.key: (row.settled_amount, row.returned_amount) for row in BankInstruction.objects.all()}
        assert mine == known
        assert {row.kind for row in BankInstruction.objects.all()} >= {str(InstructionKind.REFUND)}
