"""The first page says the whole truth: what was not compared, what is stopped, which bank has not answered."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.urls import reverse

from bridge.kernel import clock
from bridge.kernel.results import Role
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import HARBOR, MAKER, World
from transfers.controls.stops import NewStop, set_stops
from transfers.models import ReconciliationRun

FIRST, OPEN = "/admin/", "/admin/transfers/work/open/"


def tile(page: str, title: str) -> tuple[str, str]:
    """The colour and the note of the tile with this title."""
    for colour, body in re.findall(r'<a class="bridge-need bridge-need--(\w+)"[^>]*>(.*?)</a>', page, re.DOTALL):
        if f'<span class="bridge-need__title">{title}</span>' in body:
            (note,) = re.findall(r'<span class="bridge-muted">(.*?)</span>', body, re.DOTALL)
            return colour, note
    raise AssertionError(title)


def ran(**fields: object) -> ReconciliationRun:
    return ReconciliationRun.objects.create(date=date(2026, 1, 27), at=clock.now(), **fields)


class TestBreaks:
    def test_green_where_everything_was_compared(self, sign_in: SignIn) -> None:
        ran(matched=4)
        assert tile(sign_in(Role.AUDITOR).get(FIRST), "Breaks open") == ("green", "our books and theirs agree")

    @pytest.mark.parametrize(
        ("fields", "note"),
        [
            (
                {"unstated": ["EUR", "USD"]},
                "Agrees as far as it was looked at; no statement of 27 Jan 2026 for EUR, USD.",
            ),
            ({"problems": [{"institution": "harbor", "problem": "silent"}]}, "harbor did not answer"),
            (None, "nothing was compared yet"),
        ],
    )
    def test_amber_where_it_was_not(self, sign_in: SignIn, fields: dict[str, object] | None, note: str) -> None:
        if fields is not None:
            ran(**fields)
        assert tile(sign_in(Role.AUDITOR).get(FIRST), "Breaks open") == ("amber", note)

    def test_the_run_says_how_to_import_what_was_missing(self, sign_in: SignIn) -> None:
        run, console = ran(unstated=["USD"]), sign_in(Role.AUDITOR)
        page = console.get(page_of(run))
        assert "no statement of 27 Jan 2026 for USD" in page
        assert "manage.py import_statement FILE" in page
        assert "manage.py import_statement FILE" in console.get(FIRST)
        assert "clean, but no statement for USD" in console.get(list_of(ReconciliationRun))


class TestStops:
    def test_each_stop_in_force_is_told_with_since_by_whom_and_why(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        assert "Stops in force" not in console.get(FIRST)
        fund = bridge.fund(name="Cedar Ridge")
        set_stops(
            stops=[
                NewStop("institution", "Strange answers.", institution=HARBOR),
                NewStop("fund", "Its manager asked.", fund_id=fund.pk, deposits=True),
            ],
            actor=MAKER,
        )
        page = console.get(FIRST)
        for words in ("Stopped: harbor", "Strange answers.", "Stopped: Cedar Ridge", "Its manager asked.", MAKER.id):
            assert words in page
        assert page.count(f'href="{reverse("admin:transfers_controls")}">Controls</a>') == 2
        assert "All of Bridge is stopped" not in console.get(OPEN)

    def test_a_stop_of_everything_is_told_on_every_page_that_is_no_list(self, bridge: World, sign_in: SignIn) -> None:
        auditor, nobody = sign_in(Role.AUDITOR), sign_in(is_staff=True)
        transfer = bridge.request(bridge.account(), bridge.fund())
        set_stops(stops=[NewStop("all", "An exercise.")], actor=MAKER)
        assert auditor.get(FIRST).count("All of Bridge is stopped") == 1
        for url in (OPEN, page_of(transfer), page_of(transfer.fund), reverse("admin:transfers_float")):
            page = auditor.get(url)
            assert page.count("All of Bridge is stopped") == 1, url
            assert "An exercise." in page
        assert "All of Bridge is stopped" not in nobody.get(FIRST)

    def test_everything_is_not_offered_to_be_stopped_twice(self, bridge: World, sign_in: SignIn) -> None:
        maker, controls = sign_in(Role.MAKER), reverse("admin:transfers_controls")
        assert "Stop everything" in maker.get(controls)
        set_stops(stops=[NewStop("all", "An exercise.")], actor=MAKER)
        page = maker.get(controls)
        assert "Stop everything" not in page
        assert "Stop deposits too" in page
        set_stops(stops=[NewStop("all", "An exercise.", deposits=True)], actor=MAKER)
        page = maker.get(controls)
        assert "Stop deposits too" not in page
        assert "Everything is stopped already, deposits too." in page


class TestOutcomeUnknown:
    def test_not_every_bank_has_answered_while_one_is_late(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        assert tile(console.get(FIRST), "Outcome unknown") == ("green", "every bank has answered")
        transfer = bridge.request(bridge.account(), bridge.fund())
        type(transfer).objects.filter(pk=transfer.pk).update(
            blocker_code="acknowledgement_overdue", blocked_at=clock.now()
        )
        page = console.get(FIRST)
        assert tile(page, "Outcome unknown") == ("amber", "1 had no answer in time")
        assert tile(page, "No answer in time")[0] == "red"
