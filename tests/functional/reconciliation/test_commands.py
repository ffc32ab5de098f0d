from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from bridge.kernel.errors import BridgeError
from bridge.kernel.ids import encode
from bridge.kernel.results import Actor, Channel, Role
from bridge.sandbox.model import Fault, settling
from bridge.sandbox.server.statements import Statement, as_camt053, as_csv
from tests.functional.reconciliation.conftest import Bench
from tests.world import MERIDIAN
from transfers.models import BankStatement, Break
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(id="test", role=Role.SYSTEM, channel=Channel.COMMAND)


def said(*words: str) -> tuple[str, int]:
    """What a command printed and how it ended."""
    out = StringIO()
    try:
        call_command(*words, stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(ended.code or 0)
    return out.getvalue(), 0


def report(*words: str) -> tuple[dict[str, Any], int]:
    text, code = said(*words, "--json")
    return json.loads(text), code


def issued(bench: Bench) -> Statement:
    """Today's statement of the settlement account, as the bank issues it."""
    now = bench.bank_time()
    _, lines, opening, closing = bench.bank.statement(currency="USD", day=bench.day, now=now)
    return Statement("SETTLEMENT-USD", "USD", bench.day, opening, closing, lines, now)


class TestReconcile:
    def test_ends_with_0_and_a_sentence_when_all_agrees(self, bench: Bench) -> None:
        bench.moved()
        assert said("reconcile", "--date", str(bench.day)) == (
            f"{bench.day}: 2 matched, 0 new breaks, 0 open\n",
            0,
        )

    def test_ends_with_1_for_a_new_break_and_with_0_once_it_is_known(self, bench: Bench) -> None:
        bench.moved()
        bench.bank.books.activity[MERIDIAN][0].amount += 5
        text, code = said("reconcile", "--date", str(bench.day))
        item = Break.objects.get()
        assert code == 1
        assert "New breaks" in text
        assert item.public_id in text
        assert "USD 10,000.05" in text
        body, code = report("reconcile", "--date", str(bench.day))
        assert code == 0
        assert (body["new"], [known["id"] for known in body["open"]]) == ([], [item.public_id])

    def test_ends_with_1_when_an_institution_does_not_answer(self, bench: Bench) -> None:
        bench.moved()
        bench.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN, call="activity")
        body, code = report("reconcile", "--date", str(bench.day))
        assert (code, body["problems"][0]["institution"], body["new_breaks"]) == (1, MERIDIAN, 0)

    def test_says_that_no_statement_was_there_and_ends_with_0(
        self, bench: Bench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench.moved()
        said("reconcile", "--date", str(bench.day))
        told = capsys.readouterr().err
        assert f"USD was not compared: it moved, and no statement of {bench.day} was imported" in told
        assert "manage.py import_statement FILE" in told
        body, code = report("reconcile", "--date", str(bench.day))
        assert (code, body["unstated"], body["problems"]) == (0, ["USD"], [])

    def test_has_nothing_to_say_once_the_statement_is_there(
        self, bench: Bench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bench.moved()
        import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        said("reconcile", "--date", str(bench.day))
        assert "import_statement" not in capsys.readouterr().err
        assert report("reconcile", "--date", str(bench.day))[0]["unstated"] == []

    def test_an_account_that_did_not_move_needs_no_statement(self, bench: Bench) -> None:
        bench.moved()
        body, code = report("reconcile", "--date", str(bench.day - timedelta(days=1)))
        assert (code, body["unstated"]) == (0, [])

    @pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "", "2026-02-30"])
    def test_a_bad_date_gets_a_clear_message(self, text: str) -> None:
        with pytest.raises(CommandError, match=r"is no day\. Write it as 2026-01-31"):
            call_command("reconcile", "--date", text)

    def test_a_day_of_the_future_gets_a_clear_message(self, bench: Bench) -> None:
        with pytest.raises(CommandError, match="has not begun yet"):
            call_command("reconcile", "--date", "2999-01-01")


class TestStatements:
    @pytest.mark.parametrize(("ending", "write"), [("csv", as_csv), ("xml", as_camt053)])
    def test_an_imported_day_agrees_with_our_ledger_to_the_cent(
        self, bench: Bench, tmp_path: Path, ending: str, write: Any
    ) -> None:
        bench.moved(2)
        file = tmp_path / f"day.{ending}"
        file.write_text(write(issued(bench)), newline="")
        body, code = report("import_statement", str(file))
        assert (code, body["lines"], body["closing"]) == (0, 4, 0)
        found = reconcile(date=bench.day, actor=ACTOR)
        assert (found.matched, found.new_breaks) == (8, 0)
        bench.check()

    def test_money_on_the_bridge_is_in_the_banks_balance(self, bench: Bench) -> None:
        bench.fault(Fault.REJECT, kind="deposit")
        fund = bench.fund(on_deposit_failure="hold")
        bench.request(bench.account(), fund)
        bench.run()
        bench.advance(hours=2)
        kept = import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        assert kept.closing == 1_000_000
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 0

    def test_a_balance_that_no_line_explains_is_a_break(self, bench: Bench) -> None:
        bench.moved()
        statement = issued(bench)
        moved = replace(statement, opening=250, closing=statement.closing + 250)
        import_statement(name="d.xml", content=as_camt053(moved).encode(), actor=ACTOR)
        assert reconcile(date=bench.day, actor=ACTOR).new_breaks == 1
        item = Break.objects.get()
        assert (item.kind, item.institution, item.ours, item.theirs) == ("balance", "settlement", 0, 250)

    def test_money_that_left_under_no_key_is_one_break_and_explains_the_balance(self, bench: Bench) -> None:
        bench.moved()
        with bench.house.lock:
            settling.book_outside(
                bench.bank.books,
                currency="USD",
                amount=-333,
                kind="other",
                reference="?",
                institution="",
                at=bench.bank_time(),
            )
        import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        reconcile(date=bench.day, actor=ACTOR)
        item = Break.objects.get()
        assert (item.kind, item.institution, item.theirs) == ("missing_here", "settlement", -333)

    def test_the_same_file_twice_is_refused(self, bench: Bench, tmp_path: Path) -> None:
        bench.moved()
        file = tmp_path / "day.csv"
        file.write_text(as_csv(issued(bench)))
        said("import_statement", str(file))
        with pytest.raises(CommandError, match="this very file was imported"):
            call_command("import_statement", str(file))
        file.write_bytes(file.read_bytes() + b"\n")
        with pytest.raises(CommandError, match="another statement of SETTLEMENT-USD"):
            call_command("import_statement", str(file))
        assert BankStatement.objects.count() == 1

    def test_a_day_that_does_not_follow_from_the_one_before_is_refused(self, bench: Bench) -> None:
        bench.moved()
        import_statement(name="d.csv", content=as_csv(issued(bench)).encode(), actor=ACTOR)
        bench.advance(days=1)
        bench.moved()
        gap = Statement("SETTLEMENT-USD", "USD", bench.day, 5, 5, [], bench.bank_time())
        with pytest.raises(BridgeError, match="opens with 5, but the statement of"):
            import_statement(name="d.xml", content=as_camt053(gap).encode(), actor=ACTOR)

    def test_a_file_that_is_not_there_gets_a_clear_message(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read: No such file"):
            call_command("import_statement", str(tmp_path / "nothing.csv"))
        with pytest.raises(CommandError, match="cannot be read: Is a directory"):
            call_command("import_statement", str(tmp_path))


class TestCheckLedger:
    def test_holds_after_real_work_and_lists_every_invariant(self, bench: Bench) -> None:
        bench.moved(2)
        text, code = said("check_ledger")
        assert code == 0
        assert "invariants hold" in text
        assert all(name in text for name in ("I1", "I2", "I3", "I7 notifications", "I10", "I11"))

    def test_fails_and_names_the_row(self, bench: Bench) -> None:
        bench.moved()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(
                "UPDATE ledger_entry SET amount = amount + 1 WHERE id = (SELECT min(id) FROM ledger_entry) "
                "RETURNING posting_id::text"
            )
            (posting,) = cursor.fetchone()
        text, code = said("check_ledger")
        assert code == 1
        assert f"posting={posting}" in text
        body, code = report("check_ledger", "--only", "I1", "i2")
        assert code == 1
        assert {item["name"]: item["holds"] for item in body["invariants"]} == {
            "I1": False,
            "I1 keys": True,
            "I1 rows": True,
            "I2": False,
        }
        assert body["invariants"][0]["rows"][0]["posting"] == posting

    def test_only_some(self, bench: Bench) -> None:
        body, code = report("check_ledger", "--only", "I7")
        assert code == 0
        assert {item["name"] for item in body["invariants"]} >= {"I7", "I7 notifications"}

    def test_an_unknown_name_gets_the_known_ones(self) -> None:
        with pytest.raises(CommandError, match=r"There is no invariant 'I99'\. There are: I1"):
            call_command("check_ledger", "--only", "I99")


class TestTimeline:
    def test_tells_the_whole_story_in_order(self, bench: Bench) -> None:
        (transfer,) = bench.moved(amount=2_500_000)
        text, code = said("timeline", transfer.public_id)
        assert code == 0
        places = [
            text.index(word)
            for word in (
                "transfer.requested",
                "transfer.approved",
                "transfer.withdrawing",
                "W1",
                "transfer.withdrawn",
                "W2",
                "transfer.depositing",
                "transfer.completed",
            )
        ]
        assert places == sorted(places)
        assert "+USD 25,000.00 clearing" in text
        assert (text.count("withdrawal 1 settled"), text.count("deposit 1 settled")) == (1, 1)
        assert "Transfer completed" in text

    def test_as_json(self, bench: Bench) -> None:
        (transfer,) = bench.moved()
        body, _ = report("timeline", transfer.public_id)
        assert (body["id"], body["state"]) == (transfer.public_id, "completed")
        kinds = {row["what"] for row in body["story"]}
        assert kinds == {"event", "instruction", "posting", "notification"}
        assert [row["at"] for row in body["story"]] == sorted(row["at"] for row in body["story"])

    @pytest.mark.parametrize("text", ["x", "trf_1", "fund_01jdb6v4s0f1v8w2k3m4n5p6q7", "trf_\x00", "é"])
    def test_a_bad_id_gets_a_clear_message(self, text: str) -> None:
        with pytest.raises(CommandError, match="This is no transfer id"):
            call_command("timeline", text)

    def test_an_unknown_id_gets_a_clear_message(self) -> None:
        unknown = encode("transfer", uuid.uuid4())
        with pytest.raises(CommandError, match=f"There is no transfer {unknown}"):
            call_command("timeline", unknown)
