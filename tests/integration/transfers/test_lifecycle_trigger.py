"""The lifecycle as the database keeps it: every pair of states, by raw SQL and by `QuerySet.update`."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from bridge.events import services as events
from bridge.kernel import bulk, ids
from tests.integration.ledger.books import refused
from tests.world import SETUP, World
from transfers.models import Transfer
from transfers.states import EDGES, NextStep, State

Change = Callable[[uuid.UUID, State, int], None]


def by_update(transfer_id: uuid.UUID, target: State, version: int) -> None:
    rows = Transfer.objects.filter(pk=transfer_id)
    assert rows.update(state=target, version=version, next_step=next_step(target)) == 1


def by_sql(transfer_id: uuid.UUID, target: State, version: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE transfers_transfer SET state = %s, version = %s, next_step = %s WHERE id = %s",
            [str(target), version, str(next_step(target)), transfer_id],
        )


def by_array(transfer_id: uuid.UUID, target: State, version: int) -> None:
    row = Transfer(id=transfer_id, state=target, version=version, next_step=next_step(target))
    assert bulk.update(Transfer, [row], fields=["state", "version", "next_step"]) == 1


every_way = pytest.mark.parametrize("change", [by_update, by_sql, by_array])


def next_step(state: State) -> str:
    return str(NextStep.DEPOSIT) if state == State.WITHDRAWN else ""


def put(transfer: Transfer, state: State) -> None:
    """Place a transfer in a state without the triggers, to see what they allow from there."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        by_sql(transfer.id, state, transfer.version)
        cursor.execute("SET LOCAL session_replication_role = origin")


def write_event(transfer_id: uuid.UUID, state: State, version: int) -> None:
    fact = events.Fact("transfer", transfer_id, "transfer.tried", str(state), version)
    events.append(facts=[fact], actor=SETUP, at=Transfer.objects.get(pk=transfer_id).updated_at)


class Undo(Exception):
    """Leave a savepoint without keeping what was done in it."""


def is_accepted(transfer: Transfer, target: State, version: int, change: Change, *, event: bool = True) -> bool:
    """Whether the database takes this change, after which it is undone."""
    try:
        with transaction.atomic():
            if event:
                write_event(transfer.id, target, transfer.version + 1)
            change(transfer.id, target, version)
            raise Undo
    except Undo:
        return True
    except DatabaseError as error:
        assert "illegal_transition" in str(error) or "event_missing" in str(error), error
        return False


@pytest.fixture
def transfer(bridge: World) -> Transfer:
    return bridge.request(bridge.account(), bridge.fund())


@pytest.mark.django_db
class TestEdges:
    @every_way
    @pytest.mark.parametrize("source", list(State))
    def test_exactly_the_edges_of_the_lifecycle_pass_with_their_event(
        self, transfer: Transfer, source: State, change: Change
    ) -> None:
        with pytest.raises(Undo), transaction.atomic():
            put(transfer, source)
            version = transfer.version + 1
            accepted = {target for target in State if is_accepted(transfer, target, version, change)}
            assert accepted - {source} == set(EDGES[source])
            raise Undo

    @every_way
    @pytest.mark.parametrize("source", [state for state in State if EDGES[state]])
    def test_no_edge_passes_without_its_event(self, transfer: Transfer, source: State, change: Change) -> None:
        with pytest.raises(Undo), transaction.atomic():
            put(transfer, source)
            version = transfer.version + 1
            assert not any(is_accepted(transfer, target, version, change, event=False) for target in EDGES[source])
            raise Undo

    @every_way
    @pytest.mark.parametrize("step", [-1, 0, 2, 10])
    def test_no_edge_passes_with_another_version_than_the_next(
        self, transfer: Transfer, step: int, change: Change
    ) -> None:
        assert not any(
            is_accepted(transfer, target, transfer.version + step, change) for target in EDGES[State.APPROVED]
        )

    def test_an_event_of_another_state_does_not_do(self, transfer: Transfer) -> None:
        with refused("event_missing"):
            write_event(transfer.id, State.REJECTED, transfer.version + 1)
            by_update(transfer.id, State.CANCELLED, transfer.version + 1)

    def test_an_event_of_another_transfer_does_not_do(self, bridge: World, transfer: Transfer) -> None:
        other = bridge.request(bridge.account(), bridge.fund())
        with refused("event_missing"):
            write_event(other.id, State.CANCELLED, transfer.version + 1)
            by_update(transfer.id, State.CANCELLED, transfer.version + 1)

    def test_one_bad_row_refuses_the_whole_statement(self, bridge: World, transfer: Transfer) -> None:
        other = bridge.request(bridge.account(), bridge.fund())
        with refused("event_missing"):
            write_event(transfer.id, State.CANCELLED, transfer.version + 1)
            Transfer.objects.filter(pk__in=[transfer.id, other.id]).update(state="cancelled", version=3)
        assert set(Transfer.objects.values_list("state", flat=True)) == {"approved"}

    def test_a_new_version_without_a_new_state_wants_its_event_too(self, transfer: Transfer) -> None:
        with refused("event_missing"):
            Transfer.objects.filter(pk=transfer.id).update(version=transfer.version + 1)

    def test_a_row_does_not_escape_by_taking_another_id(self, bridge: World) -> None:
        """A rejected transfer has no rows that refer to it, so foreign keys alone would let it go."""
        transfer = bridge.request(bridge.account(), bridge.fund(minimum=1_000_001), 1_000_000)
        assert transfer.state == "rejected"
        with refused("stays_what_it_is"), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE transfers_transfer SET id = %s, state = 'approved' WHERE id = %s", [ids.new_id(), transfer.id]
            )

    def test_a_state_that_does_not_exist(self, transfer: Transfer) -> None:
        with refused("transfer_known_state|illegal_transition"):
            Transfer.objects.filter(pk=transfer.id).update(state="lost", version=transfer.version + 1)


@pytest.mark.django_db(transaction=True)
class TestEventsOfOtherTransactions:
    def test_an_event_that_was_committed_before_does_not_do(self) -> None:
        from tests.world import world

        with world() as bridge:
            transfer = bridge.request(bridge.account(), bridge.fund())
            with transaction.atomic():
                write_event(transfer.id, State.CANCELLED, transfer.version + 1)
            with refused("event_missing"):
                by_update(transfer.id, State.CANCELLED, transfer.version + 1)


def newborn(model: Transfer, state: State, **given: object) -> Transfer:
    """A copy of a transfer as a new row in a state."""
    values = {field.attname: getattr(model, field.attname) for field in Transfer._meta.concrete_fields}
    new_id = ids.new_id()
    values |= {"id": new_id, "family_id": new_id, "account_seq": 1_000, "version": 1, "state": str(state)}
    return Transfer(**{**values, "next_step": next_step(state), **given})


def record_birth(row: Transfer) -> None:
    fact = events.Fact("transfer", row.id, "transfer.tried", str(row.state), row.version)
    events.append(facts=[fact], actor=SETUP, at=row.created_at)


@pytest.mark.django_db
class TestBirth:
    @pytest.mark.parametrize("state", list(State))
    def test_a_transfer_is_born_where_one_edge_leads_from_requested(self, transfer: Transfer, state: State) -> None:
        row = newborn(transfer, state)
        with pytest.raises(Undo), transaction.atomic():
            record_birth(row)
            if state in EDGES[State.REQUESTED]:
                row.save(force_insert=True)
            else:
                with refused("illegal_birth"):
                    row.save(force_insert=True)
            raise Undo

    @pytest.mark.parametrize("state", list(State))
    def test_a_split_child_may_also_be_born_in_money(self, transfer: Transfer, state: State) -> None:
        row = newborn(transfer, state, split_from_id=transfer.id, family_id=transfer.id)
        allowed = {*EDGES[State.REQUESTED], State.WITHDRAWN, State.COMPLETED}
        with pytest.raises(Undo), transaction.atomic():
            record_birth(row)
            if state in allowed:
                bulk.insert(Transfer, [row])
            else:
                with refused("illegal_birth"):
                    bulk.insert(Transfer, [row])
            raise Undo

    @pytest.mark.parametrize(
        "insert", [lambda row: row.save(force_insert=True), lambda row: bulk.insert(Transfer, [row])]
    )
    def test_no_transfer_is_born_without_its_event(
        self, transfer: Transfer, insert: Callable[[Transfer], None]
    ) -> None:
        with refused("illegal_birth"):
            insert(newborn(transfer, State.APPROVED))
