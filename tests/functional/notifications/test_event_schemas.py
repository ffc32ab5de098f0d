"""Real journeys, every event of which is held against its published schema."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel.results import Change
from bridge.management.commands.event_docs import FOLDER
from bridge.sandbox.model import Fault
from funds.services import set_fund_status
from tests.world import CHECKER, MAKER, MERIDIAN, World, world
from transfers import services
from transfers.api.rendering import render_events
from transfers.closing import PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import plan_closing
from transfers.event_types import EVERY_EVENT, EventType
from transfers.reconciliation.running import reconcile

BASE = Path(settings.BASE_DIR)
SCHEMAS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted((BASE / FOLDER).glob("*.json"))
}
APPS = ("accounts", "funds", "transfers", "bridge", "notifications")
WRITERS = ("note", "Fact", "_tell")  # the functions that name the type of an event
EVENT_TYPE = re.compile(r"[a-z]+\.[a-z_]+")


def _written(path: Path) -> Iterator[str]:
    """Types of events that this module names where it writes one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in WRITERS:
            for given in node.args:
                if isinstance(given, ast.Constant) and EVENT_TYPE.fullmatch(str(given.value)):
                    yield given.value


def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[kind], format_checker=FormatChecker())


class TestTheSchemas:
    @pytest.mark.parametrize("kind", SCHEMAS)
    def test_is_a_valid_schema_whose_example_fits(self, kind: str) -> None:
        schema = SCHEMAS[kind]
        Draft202012Validator.check_schema(schema)
        assert schema["properties"]["type"] == {"const": kind}
        assert schema["title"]
        assert schema["description"]
        assert schema["properties"]["data"]["additionalProperties"] is False
        for example in schema["examples"]:
            validator(kind).validate(example)

    @pytest.mark.parametrize("kind", SCHEMAS)
    def test_refuses_a_field_that_it_does_not_name(self, kind: str) -> None:
        example = json.loads(json.dumps(SCHEMAS[kind]["examples"][0]))
        example["data"]["surprise"] = 1
        assert not validator(kind).is_valid(example)

    def test_there_is_one_for_every_type_that_transfers_write(self) -> None:
        assert {str(kind) for kind in EventType} <= SCHEMAS.keys()

    def test_there_is_one_for_every_type_that_a_reader_of_the_log_may_ask_for(self) -> None:
        assert SCHEMAS.keys() == EVERY_EVENT

    def test_there_is_one_for_every_type_that_the_code_writes(self) -> None:
        written = {kind for app in APPS for path in (BASE / app).rglob("*.py") for kind in _written(path)}
        assert "transfer.completed" in written
        assert written - SCHEMAS.keys() == set()

    def test_the_index_is_current(self) -> None:
        out = StringIO()
        call_command("event_docs", "--check", stdout=out)
        assert out.getvalue() == "docs/events/README.md is current\n"


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.mark.django_db(transaction=True)
class TestRealEventsFit:
    def published(self, here: World) -> set[str]:
        """Every event of the log in its published form, checked; returns the types seen."""
        here.check()
        for whole in (True, False):
            for event in render_events(Event.objects.order_by("at", "seq"), inside=whole):
                problems = [error.message for error in validator(event["type"]).iter_errors(_as_sent(event))]
                assert problems == [], (event, problems)
        return set(Event.objects.values_list("type", flat=True))

    def test_the_happy_path(self, here: World) -> None:
        here.request(here.account(), here.fund(), external_id="sub-1")
        here.run()
        assert self.published(here) >= {
            "investor.opened",
            "account.opened",
            "fund.opened",
            "transfer.requested",
            "transfer.approved",
            "transfer.withdrawing",
            "transfer.withdrawn",
            "transfer.depositing",
            "transfer.completed",
        }

    def test_rejected_by_a_rule_and_cancelled_by_the_investor(self, here: World) -> None:
        account = here.account()
        here.request(account, here.fund(minimum=5_000_000), 1_000_000)
        doomed = here.request(account, here.fund(), 1_000_000)
        services.cancel_transfers(changes=[Change(doomed.id, reason="Changed plans.")], actor=MAKER)
        assert self.published(here) >= {"transfer.rejected", "transfer.cancelled"}

    def test_waitlisted_and_held_and_approved(self, here: World) -> None:
        full = here.fund(seat_limit=1)
        here.request(here.account(), full)
        here.request(here.account(), full)
        account, fund = here.account(), here.fund()
        held = here.request(account, fund)
        services.hold_transfers(changes=[Change(held.id, reason="A closer look.")], actor=MAKER)
        services.approve_transfers(changes=[Change(held.id)], actor=CHECKER, facts=_facts(here, account))
        assert self.published(here) >= {"transfer.waitlisted", "transfer.held", "transfer.approved"}

    def test_withdrawal_rejected(self, here: World) -> None:
        here.fault(Fault.REJECT, kind="withdrawal")
        here.request(here.account(), here.fund())
        here.run()
        assert self.published(here) >= {"transfer.failed"}

    def test_deposit_rejected_and_refunded(self, here: World) -> None:
        here.fault(Fault.REJECT, kind="deposit")
        here.request(here.account(), here.fund())
        here.run(rounds=10)
        assert self.published(here) >= {"transfer.deposit_rejected", "transfer.refunding", "transfer.refunded"}

    def test_refund_rejected_blocks_and_a_person_tries_again(self, here: World) -> None:
        here.fault(Fault.REJECT, kind="deposit")
        here.fault(Fault.REJECT, kind="refund")
        transfer = here.request(here.account(), here.fund())
        here.run(rounds=10)
        services.refund_transfers(changes=[Change(transfer.id, reason="Account corrected.")], actor=MAKER)
        here.run(rounds=10)
        assert self.published(here) >= {"transfer.refund_rejected", "transfer.unblocked", "transfer.refunded"}

    def test_cut_back_and_recalled(self, here: World) -> None:
        fund = here.fund()
        account = here.account()
        here.request(account, fund)
        here.run()
        here.fault(Fault.REJECT, kind="recall", code="LEGL")
        held = here.request(account, fund, 2_000_000)
        services.hold_transfers(changes=[Change(held.id)], actor=MAKER)
        set_fund_status(changes=[Change(fund.id)], status="closing", actor=MAKER)
        terms = Terms(PlanKind.CUT_BACK, target=1_500_000)
        payload = payload_of(terms, plan_closing(fund_id=fund.id, terms=terms).hash)
        approval = approvals.propose(proposal=Proposal(kind_of(terms.kind), fund.id, payload), actor=MAKER)
        approvals.approve(changes=[Change(approval.id)], actor=CHECKER)
        here.run(rounds=4)
        assert self.published(here) >= {
            "fund.closing_begun",
            "fund.closing_ended",
            "transfer.split",
            "transfer.split_off",
            "transfer.reduced",
            "transfer.recall_due",
            "transfer.recalling",
            "transfer.recall_rejected",
        }

    def test_a_difference_found_changed_and_resolved(self, here: World) -> None:
        here.request(here.account(), here.fund())
        here.run()
        line = here.bank.books.activity[MERIDIAN][0]
        here.advance(days=1)
        for amount in (5, 5, -10):
            line.amount += amount
            reconcile(date=line.at.date(), actor=MAKER)
        assert self.published(here) >= {"break.found", "break.changed", "break.resolved"}


def _as_sent(event: dict[str, Any]) -> Any:
    return json.loads(json.dumps(event))


def _facts(here: World, account: Any) -> Any:
    from transfers import facts

    return facts.gather(account_ids={account.id}, max_age=0)
