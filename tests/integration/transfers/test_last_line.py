"""The database is the last line: what must never be true is refused there, whatever SQL the application's role writes.

Each case is one statement of raw SQL against rows as the services leave them, and the reason for which it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from bridge.approvals.models import Approval
from bridge.events.models import Epoch
from bridge.kernel import clock, ids
from bridge.kernel.models import IdempotencyKey
from funds.models import Closing, ClosingStep, RuleOverride, RuleParameters
from tests.integration.transfers.test_lifecycle_trigger import newborn, record_birth
from tests.world import World
from transfers.models import Break, InboundCallback, Parameters, ReconciliationRun, Stop, Transfer
from transfers.states import State

DELETED, KEPT, ENDED = "never_deleted", "stays_what_it_is", "stays_ended"
EITHER = "stays_"  # of a row that has ended too
Case = tuple[str, str]  # a statement, and why it is refused


def whole(table: str, *columns: str, because: str = KEPT) -> list[Case]:
    """No row of a table goes, and these columns of it never change."""
    gone = [(f"DELETE FROM {table}", DELETED), (f"TRUNCATE {table} CASCADE", DELETED)]
    return gone + [(f"UPDATE {table} SET {column} = {_another(table, column)}", because) for column in columns]


def _another(table: str, column: str) -> str:
    """SQL for a value that the column does not have."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT data_type FROM information_schema.columns WHERE table_name = %s AND column_name = %s",
            [table, column],
        )
        (kind,) = cursor.fetchone()
    return {
        "uuid": "gen_random_uuid()",
        "jsonb": """'{"another": 1}'""",
        "boolean": f"{column} IS NOT TRUE",
        "timestamp with time zone": "'2001-01-01Z'",
        "bigint": "987654321",
        "integer": "987654321",
        "smallint": "9876",
        "bytea": "'another'",
        "date": "'2001-01-01'",
    }.get(kind, "'zzz'")


def permanent(table: str) -> list[Case]:
    return [
        (f"UPDATE {table} SET {_first(table)} = {_first(table)}", "append_only"),
        (f"DELETE FROM {table}", "append_only"),
        (f"TRUNCATE {table} CASCADE", "append_only"),
    ]


def _first(table: str) -> str:
    with connection.cursor() as cursor:
        return str(connection.introspection.get_table_description(cursor, table)[0].name)


def accepted(cases: list[Case]) -> list[str]:
    """The statements that the database takes, or refuses for another reason."""
    passed = []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for statement, because in cases:
            try:
                with transaction.atomic():
                    cursor.execute(statement)
                    passed.append(f"{statement} ({cursor.rowcount} rows)")
                    raise _Undo
            except _Undo:
                pass
            except DatabaseError as error:
                if because not in str(error):
                    passed.append(f"{statement}: {error}")
    return passed


class _Undo(Exception):
    """Take back what should not have been possible."""


@pytest.fixture
def transfer(bridge: World) -> Transfer:
    """One that is at its fund, with all that this leaves."""
    row = bridge.request(bridge.account(), bridge.fund())
    bridge.run()
    assert bridge.fresh(row).state == "completed"
    return bridge.fresh(row)


@pytest.fixture(autouse=True)
def undone(transfer: Transfer) -> Iterator[None]:
    """What a test writes past the services is taken back before every invariant is checked."""
    sid = transaction.savepoint()
    yield
    transaction.savepoint_rollback(sid)


class TestRowsOfTransfers:
    def test_a_transfer_keeps_its_terms(self, transfer: Transfer) -> None:
        columns = (
            "id, family_id, source_account_id, account_seq, investor_id, requested_amount, currency, external_id, "
            "requested_by, split_from_id, livemode, created_at"
        )
        assert accepted(whole("transfers_transfer", *columns.split(", "))) == []

    def test_what_it_is_worth_and_where_it_goes_change_with_an_event_only(
        self, bridge: World, transfer: Transfer
    ) -> None:
        changes = ["amount = amount - 1", "cut_back = 1", "approved_by = 'somebody'"]
        changes += [f"fund_id = '{bridge.fund().id}'", f"refund_account_id = '{transfer.source_account_id}'"]
        cases = [(f"UPDATE transfers_transfer SET {change}", "event_missing") for change in changes]
        assert accepted(cases) == []

    def test_a_family_begins_with_a_transfer_that_was_split_from_none(self, transfer: Transfer) -> None:
        own = ids.new_id()
        wrong = [
            newborn(transfer, State.APPROVED, family_id=transfer.id),
            newborn(transfer, State.WITHDRAWN, id=own, family_id=own, split_from_id=own),
            newborn(transfer, State.WITHDRAWN, id=own, family_id=own, split_from_id=transfer.id),
        ]
        for row in wrong:
            with pytest.raises(DatabaseError, match="transfer_family"), transaction.atomic():
                record_birth(row)
                row.save(force_insert=True)

    def test_an_order_keeps_its_key_and_its_terms(self, transfer: Transfer) -> None:
        columns = (
            "id, transfer_id, kind, attempt, account_id, fund_id, institution, rail, key, amount, currency, reference, "
            "recalls_id, submitted_at, key_expires_at, created_at"
        )
        assert accepted(whole("transfers_bankinstruction", *columns.split(", "))) == []

    @pytest.mark.parametrize(
        "change",
        [
            "state = 'submitted' WHERE state = 'settled' AND kind = 'deposit'",
            "state = 'pending' WHERE state = 'settled' AND kind = 'deposit'",
            "settled_at = NULL",
        ],
    )
    def test_an_order_that_has_settled_has(self, transfer: Transfer, change: str) -> None:
        assert accepted([(f"UPDATE transfers_bankinstruction SET {change}", "instruction_")]) == []

    def test_what_a_bank_called_back_is_kept(self, transfer: Transfer) -> None:
        assert InboundCallback.objects.exists()
        columns = ("id", "institution", "callback_id", "body", "received_at")
        assert accepted(whole("transfers_inboundcallback", *columns)) == []

    def test_the_answer_under_a_key_is_kept_for_ever(self, transfer: Transfer) -> None:
        moment = clock.now()
        IdempotencyKey.objects.create(
            principal="p",
            method="POST",
            route="r",
            key="k",
            body_hash=b"",
            status=200,
            answer={},
            created_at=moment,
        )
        assert accepted(permanent("kernel_idempotencykey")) == []

    def test_the_numbers_of_the_epochs_are_kept(self, transfer: Transfer) -> None:
        Epoch.objects.create(number=7, since=clock.now(), why="To be sure")
        assert accepted(permanent("events_epoch")) == []


class TestOwners:
    def test_a_row_may_be_saved_whole_where_nothing_of_that_changes(self, transfer: Transfer) -> None:
        account, fund = transfer.source_account, transfer.fund
        account.name, fund.name = "Another name", "Another fund"
        for row in (account, fund, account.investor, fund.capacity):
            row.save()

    def test_an_account_keeps_its_investor_and_its_currency(self, transfer: Transfer) -> None:
        cases = whole("accounts_investoraccount", "id", "investor_id", "institution", "currency", "created_at")
        assert accepted([*cases, *whole("accounts_investor", "id", "created_at")]) == []

    def test_bank_details_change_by_two_people_only(self, transfer: Transfer) -> None:
        changes = ["routing_number = '026009593'", "number_sealed = 'x'", "number_index = 'x'", "owner_name = 'x'"]
        changes += ["owner_confirmed = NOT owner_confirmed", "routing_number = '026009593', version = version + 1"]
        cases = [(f"UPDATE accounts_investoraccount SET {change}", "details_not_told") for change in changes]
        assert accepted(cases) == []

    def test_what_compliance_has_on_file_is_never_deleted(self, transfer: Transfer) -> None:
        tables = ("accounts_complianceprofile", "accounts_credential", "funds_subscription")
        assert accepted([case for table in tables for case in whole(table)]) == []

    def test_a_fund_keeps_its_currency_and_its_counters(self, transfer: Transfer) -> None:
        bank = ("institution", "routing_number", "number_sealed", "number_last4", "number_index")
        cases = whole("funds_fund", "id", "currency", "created_at", *bank) + whole("funds_fundcapacity", "fund_id")
        assert accepted(cases) == []

    def test_a_place_keeps_whose_it_is(self, transfer: Transfer) -> None:
        cases = whole("funds_allocation", "id", "fund_id", "investor_id", "created_at")
        assert accepted(cases + whole("funds_reservation", "id", "transfer_id", "created_at")) == []


class TestTwoPeople:
    def approval(self, **given: object) -> Approval:
        moment = clock.now()
        values = {"kind": "stop.lift", "subject_type": "stop", "subject_id": ids.new_id(), "summary": "Lift it"}
        values |= {"bound_hash": "0" * 64, "maker": "mara", "maker_role": "maker", "created_at": moment}
        return Approval.objects.create(**{**values, **given})

    def test_a_request_keeps_what_it_asks_for_and_who_asked(self, transfer: Transfer) -> None:
        self.approval()
        columns = (
            "id, kind, subject_type, subject_id, summary, payload, seen, bound_hash, reason, maker, maker_role, "
            "created_at, expires_at"
        )
        assert accepted(whole("approvals_approval", *columns.split(", "))) == []

    @pytest.mark.parametrize("state", ["approved", "rejected", "withdrawn", "void", "expired"])
    def test_a_decision_is_made_once(self, transfer: Transfer, state: str) -> None:
        moment = clock.now()
        self.approval(state=state, checker="chen", checker_role="checker", decided_at=moment)
        changes = ["state = 'open', decided_at = NULL", "state = 'approved'", "checker = 'carol'"]
        changes += ["decision_reason = 'x'", "version = 0", "decided_at = decided_at - interval '1 day'"]
        assert accepted([(f"UPDATE approvals_approval SET {change}", ENDED) for change in changes]) == []

    def test_a_state_that_there_is_not(self, transfer: Transfer) -> None:
        self.approval()
        change = "state = 'agreed', decided_at = now()"
        assert accepted([(f"UPDATE approvals_approval SET {change}", "approval_known_state")]) == []

    def test_nobody_is_no_second_person(self, transfer: Transfer) -> None:
        moment = clock.now()
        people = {"made_by": "mara", "approved_by": "", "approval_id": ids.new_id()}
        parameters = {"scope_id": ids.new_id(), "effective_from": moment, "created_at": moment, "why": "So"}
        override = {"transfer_id": transfer.id, "rule": "seats", "lifts": "hold", "why": "So", "maker_role": "maker"}
        override |= {"checker_role": "checker", "until": moment + timedelta(days=1), "at": moment}
        closing = {"fund": transfer.fund, "kind": "settle", "plan_hash": "0", "created_at": moment}
        for model, values, because in (
            (Parameters, parameters, "parameters_named_people"),
            (RuleOverride, override, "override_named_people"),
            (Closing, closing, "closing_named_people"),
        ):
            for changed in ({}, {"made_by": "", "approved_by": "chen"}):
                with pytest.raises(DatabaseError, match=because), transaction.atomic():
                    model.objects.create(**{**people, **values, **changed})

    def test_a_stop_that_was_lifted_stays_lifted(self, transfer: Transfer) -> None:
        lifted = {"lifted_at": clock.now(), "lifted_by": "chen", "lift_asked_by": "mara", "lifted_why": "So"}
        Stop.objects.create(scope="all", why="So", set_by="mara", set_at=clock.now(), **lifted)
        columns = ("id", "scope", "institution", "fund_id", "investor_id", "set_by", "set_by_name", "set_at")
        changes = ["lifted_at = NULL, lifted_by = '', lift_asked_by = ''", "lifted_by = 'carol'", "deposits = true"]
        cases = whole("transfers_stop", *columns, because=EITHER)
        assert accepted(cases + [(f"UPDATE transfers_stop SET {change}", ENDED) for change in changes]) == []

    def test_values_of_a_rule_that_are_in_force_stay(self, transfer: Transfer) -> None:
        moment = clock.now()
        values = {"rule": "seats", "effective_from": moment, "made_by": "mara", "created_at": moment}
        active = {"number": 101, "state": "active", "activated_by": "chen", "effective_to": moment + timedelta(days=9)}
        RuleParameters.objects.create(**values, **active)
        RuleParameters.objects.create(**values, number=102, state="discarded")
        table = "funds_ruleparameters"
        changes = ["values = '{\"x\": 1}'", "rule = 'kyc'", f"fund_id = '{transfer.fund_id}'", "number = 103"]
        changes += ["effective_from = effective_from - interval '1 day'", "effective_to = NULL", "state = 'draft'"]
        changes += ["effective_to = effective_to + interval '1 day'", "made_by = 'carol'", "activated_by = 'carol'"]
        cases = [(f"UPDATE {table} SET {change} WHERE number = 101", ENDED) for change in changes]
        cases += [(f"UPDATE {table} SET state = 'draft' WHERE number = 102", ENDED)]
        assert accepted(cases + whole(table)) == []

    def test_a_plan_keeps_what_two_people_saw(self, transfer: Transfer) -> None:
        moment = clock.now()
        people = {"made_by": "mara", "approved_by": "chen", "approval_id": ids.new_id()}
        plan = {"fund": transfer.fund, "kind": "cut-back", "plan_hash": "0", "created_at": moment}
        closing = Closing.objects.create(**people, **plan, state="done", ended_at=moment)
        step = {"transfer_id": transfer.id, "action": "refund", "keep": 0, "give_back": 5, "state": "done"}
        ClosingStep.objects.create(closing=closing, **step, done_at=moment)
        columns = "id, fund_id, kind, parameters, plan_hash, made_by, approved_by, approval_id, created_at"
        cases = whole("funds_closing", *columns.split(", "), because=EITHER)
        kept = ("id", "closing_id", "transfer_id", "action", "keep", "give_back")
        cases += whole("funds_closingstep", *kept, because=EITHER)
        cases += [
            ("UPDATE funds_closing SET state = 'running', ended_at = NULL", ENDED),
            ("UPDATE funds_closingstep SET state = 'pending'", ENDED),
            ("UPDATE funds_closingstep SET child_id = NULL, result = 'x'", ENDED),
        ]
        assert accepted(cases) == []


class TestReconciliation:
    def test_a_difference_that_was_found_is_kept_and_explained_once(self, transfer: Transfer) -> None:
        moment = clock.now()
        found = {"kind": "amount", "institution": "harbor", "reference": "k", "currency": "USD", "date": moment.date()}
        seen = {"first_seen_at": moment, "last_seen_at": moment, "explanation": "So"}
        Break.objects.create(**found, **seen, resolved_at=moment, resolution="So")
        columns = "id, institution, reference, instruction_id, transfer_id, currency, date, first_seen_at"
        changes = ["resolved_at = NULL", "resolution = 'Other'", "ours = 5", "version = 0"]
        cases = whole("transfers_break", *columns.split(", "), because=EITHER)
        assert accepted(cases + [(f"UPDATE transfers_break SET {change}", ENDED) for change in changes]) == []

    def test_a_run_is_kept(self, transfer: Transfer) -> None:
        ReconciliationRun.objects.create(date=clock.now().date(), at=clock.now())
        assert accepted(permanent("transfers_reconciliationrun")) == []
