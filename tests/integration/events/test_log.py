from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from bridge.events import chain, queries, services
from bridge.events.models import Event, Seal
from bridge.events.services import Fact
from bridge.kernel.results import Actor, Channel, Role
from bridge.kernel.transactions import unit_of_work
from transfers.api import log

pytestmark = pytest.mark.django_db(transaction=True)
ACTOR = Actor(id="1", role=Role.MAKER, channel=Channel.COMMAND, label="Mara")


def write(*subjects: uuid.UUID, **data: Any) -> list[Event]:
    """One transaction with one event per subject named."""
    facts = [Fact("thing", subject, "thing.happened", "open", 1, data) for subject in subjects]
    with unit_of_work() as at:
        return services.append(facts=facts, actor=ACTOR, at=at)


def tamper(sql: str, params: Sequence[Any] = ()) -> None:
    """Change the log as somebody who owns the server could: past the triggers."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, params)
        assert cursor.rowcount > 0


def faults() -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in queries.audit_faults()]


class TestAppending:
    def test_each_subject_has_its_own_chain_without_a_gap(self) -> None:
        one, other = uuid.uuid4(), uuid.uuid4()
        write(one, other, one)
        write(one)
        events = list(queries.timeline(subject_type="thing", subject_id=one))
        assert [event.seq for event in events] == [1, 2, 3]
        assert bytes(events[0].prev_hash) == chain.GENESIS
        assert [bytes(event.prev_hash) for event in events[1:]] == [bytes(event.hash) for event in events[:-1]]
        assert [event.seq for event in queries.timeline(subject_type="thing", subject_id=other)] == [1]
        assert faults() == []

    def test_a_thousand_facts_take_as_many_statements_as_one(self) -> None:
        def statements(count: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                write(*(uuid.uuid4() for _ in range(count)))
            return len(captured)

        assert statements(1000) == statements(1)
        assert Event.objects.count() == 1001

    def test_the_hash_covers_what_is_read_back(self) -> None:
        subject = uuid.uuid4()
        write(subject, amount=10**15, text='ä ✓ \\ " \u2028', nested={"b": [1, None, True], "a": {}})
        (event,) = Event.objects.all()
        assert bytes(event.hash) == chain.hash_of(event)

    def test_two_writers_of_one_subject_cannot_take_the_same_place(self) -> None:
        subject = uuid.uuid4()
        fact = Fact("thing", subject, "thing.happened")
        first_wrote, second_may_end = threading.Event(), threading.Event()
        outcome: list[str] = []

        def other_writer() -> None:
            try:
                first_wrote.wait(10)
                second_may_end.set()
                with unit_of_work() as at:
                    services.append(facts=[fact], actor=ACTOR, at=at)
                outcome.append("written")
            except IntegrityError:
                outcome.append("refused")
            finally:
                connection.close()

        thread = threading.Thread(target=other_writer)
        thread.start()
        with unit_of_work() as at:
            services.append(facts=[fact], actor=ACTOR, at=at)
            first_wrote.set()
            second_may_end.wait(10)
        thread.join(20)
        assert outcome in (["refused"], ["written"])
        expected = [1] if outcome == ["refused"] else [1, 2]
        assert [event.seq for event in queries.timeline(subject_type="thing", subject_id=subject)] == expected
        assert faults() == []

    def test_needs_a_transaction(self) -> None:
        with pytest.raises(RuntimeError, match="unit of work"):
            services.append(facts=[Fact("thing", uuid.uuid4(), "thing.happened")], actor=ACTOR, at=None)  # type: ignore[arg-type]


class TestSealing:
    def test_covers_everything_since_the_last_seal_once(self) -> None:
        write(uuid.uuid4(), uuid.uuid4())
        first = services.seal()
        write(uuid.uuid4())
        second = services.seal()
        assert first is not None
        assert second is not None
        assert (first.number, first.count, second.number, second.count) == (1, 2, 2, 1)
        assert bytes(second.prev_hash) == bytes(first.hash)
        assert services.seal() is None
        assert faults() == []

    def test_an_open_transaction_holds_back_its_events_and_all_later_ones(self) -> None:
        wrote, may_commit = threading.Event(), threading.Event()

        def slow_writer() -> None:
            try:
                with unit_of_work() as at:
                    services.append(facts=[Fact("thing", uuid.uuid4(), "thing.happened")], actor=ACTOR, at=at)
                    wrote.set()
                    may_commit.wait(20)
            finally:
                connection.close()

        write(uuid.uuid4())
        thread = threading.Thread(target=slow_writer)
        thread.start()
        try:
            assert wrote.wait(10)
            write(uuid.uuid4())  # later, and committed earlier
            before = services.seal()
        finally:
            may_commit.set()
            thread.join(20)
        after = services.seal()
        assert before is not None
        assert after is not None
        assert (before.count, after.count) == (1, 2)
        assert faults() == []


class TestTheAuditFinds:
    @pytest.fixture
    def subject(self) -> uuid.UUID:
        """Three sealed events of one subject."""
        subject = uuid.uuid4()
        for number in range(3):
            write(subject, number=number)
        services.seal()
        assert faults() == []
        return subject

    def test_an_edited_event(self, subject: uuid.UUID) -> None:
        tamper("UPDATE events_event SET data = '{\"number\": 7}' WHERE seq = 2")
        assert faults() == [f"thing {subject} #2: content does not match its hash"]

    @pytest.mark.parametrize(
        "column", ["type = 'thing.else'", "actor = '{}'", "at = at + interval '1 s'", "version = 9"]
    )
    def test_an_edit_of_any_field(self, subject: uuid.UUID, column: str) -> None:
        tamper(f"UPDATE events_event SET {column} WHERE seq = 3")
        assert faults() == [f"thing {subject} #3: content does not match its hash"]

    def test_a_deleted_event(self, subject: uuid.UUID) -> None:
        tamper("DELETE FROM events_event WHERE seq = 2")
        assert f"thing {subject} #3: event 2 of this subject is missing" in faults()
        assert "seal 1: sealed 3 events, 2 are there" in faults()

    def test_events_that_changed_places(self, subject: uuid.UUID) -> None:
        tamper("UPDATE events_event SET seq = 9 WHERE seq = 2")
        tamper("UPDATE events_event SET seq = 2 WHERE seq = 3")
        tamper("UPDATE events_event SET seq = 3 WHERE seq = 9")
        assert any(fault.startswith(f"thing {subject} #2: ") for fault in faults())

    def test_a_chain_that_was_computed_anew_after_an_edit(self, subject: uuid.UUID) -> None:
        events = list(queries.timeline(subject_type="thing", subject_id=subject))
        events[1].data = {"number": 7}
        for previous, event in pairwise(events):
            event.prev_hash = bytes(previous.hash)
            event.hash = chain.hash_of(event)
            tamper(
                "UPDATE events_event SET data = %s::jsonb, prev_hash = %s, hash = %s WHERE id = %s",
                ['{"number": ' + str(event.data["number"]) + "}", event.prev_hash, event.hash, event.id],
            )
        assert faults() == ["seal 1: the sealed events were changed or reordered"]

    def test_an_event_that_was_slipped_in_below_a_seal(self, subject: uuid.UUID) -> None:
        write(uuid.uuid4())
        tamper("UPDATE events_event SET tx = '3'::xid8 WHERE subject_id <> %s", [subject])
        assert faults() == ["seal 1: sealed 3 events, 4 are there"]

    def test_a_cut_tail_against_an_exported_head(self, subject: uuid.UUID, tmp_path: Path) -> None:
        head = tmp_path / "head.json"
        call_command("verify_audit", "--export-head", str(head), "--json")
        tamper("DELETE FROM events_event")
        tamper("DELETE FROM events_seal")
        assert faults() == []  # by itself an empty log is whole
        with pytest.raises(SystemExit) as ended:
            call_command("verify_audit", "--head", str(head), "--json")
        assert ended.value.code == 1

    def test_a_history_that_was_written_anew_against_an_exported_head(
        self, subject: uuid.UUID, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = tmp_path / "head.json"
        call_command("verify_audit", "--export-head", str(head), "--json")
        tamper("DELETE FROM events_event")
        tamper("DELETE FROM events_seal")
        write(subject, number=8)
        services.seal()
        assert faults() == []
        with pytest.raises(SystemExit):
            call_command("verify_audit", "--head", str(head))
        assert "history was rewritten" in capsys.readouterr().out

    def test_an_untouched_log_passes_and_says_so(self, subject: uuid.UUID, tmp_path: Path) -> None:
        head = tmp_path / "head.json"
        call_command("verify_audit", "--export-head", str(head))
        call_command("verify_audit", "--head", str(head))

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"number": "x", "hash": "zz"}'])
    def test_a_file_that_is_no_head_gets_a_clear_message(self, content: str, tmp_path: Path) -> None:
        head = tmp_path / "head.json"
        head.write_text(content)
        with pytest.raises(CommandError, match="is no exported head: --export-head writes one, with number and hash"):
            call_command("verify_audit", "--head", str(head))

    def test_a_file_that_cannot_be_had_is_named_with_the_reason(self, subject: uuid.UUID, tmp_path: Path) -> None:
        nowhere = str(tmp_path / "nope" / "head.json")
        with pytest.raises(CommandError, match=r"nope/head.json cannot be written: No such file or directory\.$"):
            call_command("verify_audit", "--export-head", nowhere)
        with pytest.raises(CommandError, match=r"cannot be written: Is a directory\.$"):
            call_command("verify_audit", "--export-head", str(tmp_path))
        with pytest.raises(CommandError, match=r"nope/head.json cannot be read: No such file or directory\.$"):
            call_command("verify_audit", "--head", nowhere)


class TestTheDatabaseRefuses:
    @pytest.fixture(autouse=True)
    def _written(self) -> None:
        write(uuid.uuid4())
        services.seal()

    @pytest.mark.parametrize("model", [Event, Seal])
    def test_changes_through_the_orm(self, model: Any) -> None:
        row = model.objects.get()
        changes = (
            lambda: model.objects.update(at=row.at),
            lambda: model.objects.all().delete(),
            row.save,
            row.delete,
        )
        for change in changes:
            with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
                change()
        assert model.objects.count() == 1

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE events_event SET data = '{}'",
            "UPDATE events_event SET data = '{}' WHERE false",
            "DELETE FROM events_event",
            "TRUNCATE events_event",
            "UPDATE events_seal SET count = 0",
            "DELETE FROM events_seal",
            "TRUNCATE events_seal",
        ],
    )
    def test_changes_in_raw_sql(self, sql: str) -> None:
        with pytest.raises(DatabaseError, match="append_only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
        assert (Event.objects.count(), Seal.objects.count()) == (1, 1)


class TestAfterARestore:
    """A dump that is restored into a new server brings events whose transactions that server has yet to have."""

    @pytest.fixture
    def restored(self) -> uuid.UUID:
        subject = uuid.uuid4()
        write(subject)
        services.seal()
        write(subject)
        tamper("UPDATE events_event SET tx = (900000000000 + seq)::text::xid8")
        tamper("UPDATE events_seal SET tx = '900000000001'")
        return subject

    def read(self, after: Event | None = None) -> list[int]:
        position = log.position_of(after) if after else (0, 0, uuid.UUID(int=0))
        return [event.seq for event in log.read_log(after=position, limit=100, types=None, of_user=None)]

    def test_an_epoch_lets_readers_go_on_behind_what_was_restored(self, restored: uuid.UUID) -> None:
        assert queries.is_restored()
        assert self.read() == []
        call_command("begin_epoch", why="The dump of 3 March, after the disk failed")
        last = Event.objects.get(subject_id=restored, seq=2)
        write(restored)
        assert (self.read(), self.read(after=last)) == ([1, 2, 3], [3])
        assert not queries.is_restored()

    def test_what_was_restored_is_sealed_with_what_follows(self, restored: uuid.UUID) -> None:
        call_command("begin_epoch", why="The dump of 3 March")
        write(restored)
        sealed = services.seal()
        assert sealed is not None
        assert (sealed.count, sealed.epoch) == (2, 2)
        assert faults() == []

    def test_the_sealer_says_that_it_is_missing(self, restored: uuid.UUID, caplog: pytest.LogCaptureFixture) -> None:
        services.seal()
        assert "manage.py begin_epoch" in caplog.text

    def test_where_nothing_was_restored_it_is_refused(self) -> None:
        write(uuid.uuid4())
        with pytest.raises(CommandError, match="--force"):
            call_command("begin_epoch", why="To be sure")
        call_command("begin_epoch", why="To be sure", force=True)
        assert services.current_epoch() == 2

    @pytest.mark.parametrize("why", ["", " ", "x" * 201])
    def test_it_wants_a_reason_that_fits(self, why: str) -> None:
        with pytest.raises(CommandError, match="200 characters"):
            call_command("begin_epoch", why=why, force=True)
