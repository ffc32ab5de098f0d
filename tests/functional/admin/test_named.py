"""Lists whose tables grow for ever are filtered and searched without reading all of them."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.ledger.admin import rows_of_the_table
from accounts.ledger.models import Posting
from bridge.console.named import first_of_index
from bridge.events.models import Event
from tests.factories import make_login
from tests.world import World
from transfers import references
from transfers.models import BankInstruction

LISTS = ["transfers/transfer", "transfers/bankinstruction", "ledger/posting", "events/event", "funds/verification"]


@pytest.fixture
def staff(bridge: World) -> Client:
    user = make_login()
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", LISTS)
def test_no_list_asks_for_the_distinct_values_of_its_table(bridge: World, staff: Client, path: str) -> None:
    bridge.request(bridge.account(), bridge.fund())
    bridge.run()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert staff.get(f"/admin/{path}/").status_code == 200

    table = path.replace("/", "_")
    distinct = [q["sql"] for q in asked if re.search(rf'SELECT DISTINCT .* FROM "{table}"', q["sql"])]
    assert distinct == []


def test_the_filters_know_every_value_there_is(bridge: World, staff: Client) -> None:
    bridge.request(bridge.account(), bridge.fund())
    bridge.run()

    assert set(Posting.objects.values_list("row", flat=True)) <= set(rows_of_the_table())
    assert first_of_index(Event, "subject_type") == sorted(set(Event.objects.values_list("subject_type", flat=True)))
    shown = staff.get("/admin/ledger/posting/?row=W1").context["cl"].result_list
    assert [posting.row for posting in shown] == ["W1"]


def test_an_instruction_is_found_by_every_name_it_has(bridge: World) -> None:
    transfer = bridge.request(bridge.account(), bridge.fund())
    bridge.request(bridge.account(), bridge.fund())
    bridge.run()
    leg = transfer.instructions.get(kind="deposit")
    BankInstruction.objects.filter(pk=leg.pk).update(institution_reference="HARBOR-77")

    assert references.transfer_of(leg.reference) == transfer.id
    for term in (leg.key, leg.reference, leg.reference.lower(), "HARBOR-77"):
        assert list(BankInstruction.objects.filter(references.named(term))) == [leg], term
    for text in ("", "BRD1", "BRD1" + "U" * 26, "BRD1" + "Z" * 26):
        assert references.transfer_of(text) is None
