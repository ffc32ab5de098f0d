"""The Controls page: stop at once, ask to lift, see limits and silent banks, propose parameters."""

from __future__ import annotations

import pytest
from django.urls import reverse

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.kernel.results import Change, Role
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_pages import page_of
from tests.functional.controls.proposing import put_in_force
from tests.world import CHECKER, MERIDIAN, World
from transfers.controls import circuits
from transfers.controls.stops import open_stops
from transfers.engine import drain
from transfers.models import Parameters
from transfers.parameters import Scope
from transfers.policy import policy

AMOUNT = 1_000_000
STAFF = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR)


def controls() -> str:
    return reverse("admin:transfers_controls")


def setting() -> str:
    return reverse("admin:transfers_stop_set")


def proposing(**scope: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in scope.items())
    return f"{reverse('admin:transfers_parameters_propose')}?{query}"


class TestThePage:
    @pytest.mark.parametrize("role", STAFF)
    def test_shows_everything_and_offers_what_one_may_do(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        put_in_force(Scope(institution=MERIDIAN), exposure_limit={"USD": 2 * AMOUNT}, acknowledge=600)
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        circuits.heard({MERIDIAN: [False] * 5})
        page = sign_in(role).get(controls())
        assert "Nothing is stopped." in page
        assert "USD 10,000.00 of USD 20,000.00" in page
        assert "does not answer" in page
        assert "acknowledge 10 minutes" in page
        assert (setting() in page) == (role != Role.AUDITOR)

    def test_is_not_for_strangers(self, bridge: World, sign_in: SignIn) -> None:
        assert sign_in(is_staff=True).status(controls()) == 403
        assert sign_in(Role.AUDITOR).status(setting()) == 403
        assert sign_in(Role.AUDITOR).status(proposing()) == 403


class TestStops:
    def test_one_person_stops_and_two_lift(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        page = maker.post(setting(), {"scope": "institution", "institution": MERIDIAN, "why": "An outage."})
        assert "Stopped." in page
        (stop,) = open_stops()
        assert stop.set_by_name == maker.user.get_username()
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        assert "1 transfer held back" in maker.get(controls())
        assert "An outage." in maker.get(page_of(transfer))
        lifting = reverse("admin:transfers_stop_lift", args=[stop.id])
        assert lifting in maker.get(controls())
        page = maker.post(lifting, {"why": "It is over."})
        assert "Lifting waits for a second person." in page
        asked = Approval.objects.get(kind="stop.lift")
        assert "Lift the stop of meridian" in sign_in(Role.CHECKER).get(page_of(asked))
        approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert "Nothing is stopped." in maker.get(controls())
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_a_stop_that_makes_no_sense_says_what_to_do(self, bridge: World, sign_in: SignIn) -> None:
        page = sign_in(Role.MAKER).post(setting(), {"scope": "fund", "why": "Because."})
        assert "Name exactly what is to be stopped" in page
        assert open_stops() == []
        assert "begins with" in sign_in(Role.MAKER).post(setting(), {"scope": "investor", "investor": "x", "why": "y"})

    def test_a_fund_has_its_buttons(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund()
        page = sign_in(Role.MAKER).get(page_of(fund))
        assert f"scope=fund&amp;fund={fund.pk}" in page
        maker = sign_in(Role.MAKER)
        maker.post(setting(), {"scope": "fund", "fund": str(fund.pk), "deposits": "on", "why": "Its bank was changed."})
        (stop,) = open_stops()
        assert (stop.fund_id, stop.deposits) == (fund.pk, True)


class TestParameters:
    def test_a_change_is_proposed_in_words_and_takes_two_people(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        assert "15 minutes" in maker.get(proposing(institution=MERIDIAN))
        given = {"acknowledge": "10 minutes", "finality": "3 business days", "exposure_limit": "USD 5,000,000.00"}
        page = maker.post(proposing(institution=MERIDIAN), {**given, "why": "As agreed with the bank."})
        assert "sked for" in page
        asked = Approval.objects.get(kind="parameters.change")
        assert asked.payload["values"] == {
            "acknowledge": 600,
            "finality": "3 business days",
            "exposure_limit": {"USD": 500_000_000},
        }
        assert "acknowledge not set → 600" in sign_in(Role.CHECKER).get(page_of(asked))
        approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert policy(institution=MERIDIAN).acknowledge == 600
        again = maker.get(proposing(institution=MERIDIAN))
        assert 'value="3 business days"' in again
        assert 'value="USD 5,000,000.00"' in again
        row = Parameters.objects.get()
        assert "acknowledge 10 minutes" in maker.get(page_of(row))

    @pytest.mark.parametrize(
        ("name", "text", "word"),
        [
            ("acknowledge", "soon", "15 minutes"),
            ("review", "0", "from 60"),
            ("resend_share", "many", "whole number"),
            ("exposure_limit", "5", "USD 250,000.00"),
            ("exposure_limit", "USD 0.001", "USD has 2 decimals"),
            ("exposure_limit", "USD 1.000,00", "Write an amount in USD"),
        ],
    )
    def test_what_cannot_be_read_is_said_beside_its_field(
        self, bridge: World, sign_in: SignIn, name: str, text: str, word: str
    ) -> None:
        page = sign_in(Role.MAKER).post(proposing(), {name: text, "why": "x"})
        assert word in page
        assert "bridge-error" in page
        assert not Approval.objects.filter(kind="parameters.change").exists()

    def test_a_scope_that_does_not_exist_is_not_found(self, bridge: World, sign_in: SignIn) -> None:
        assert sign_in(Role.MAKER).status(proposing(rail="pigeon")) == 404
        assert sign_in(Role.MAKER).status(proposing(fund="x")) == 404
