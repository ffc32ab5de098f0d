"""What people edit: optimistic, field by field, in the event log, and numbers only go in."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from accounts.models import Investor, InvestorAccount
from bridge.events.models import Event
from bridge.kernel.results import Role
from funds.models import Fund
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_pages import page_of
from tests.world import World

AMOUNT = 1_000_000


def investor_form(investor: Investor, **changes: Any) -> dict[str, Any]:
    form = {
        "legal_name": investor.legal_name,
        "kind": investor.kind,
        "email": "ada@example.com",
        "country": "US",
        "user": "",
        "status": investor.status,
        "seen_version": investor.version,
    }
    return {**form, **changes}


class TestEditing:
    def test_an_edit_raises_the_version_and_is_an_event(self, bridge: World, sign_in: SignIn) -> None:
        investor = bridge.investor()
        maker = sign_in(Role.MAKER)
        maker.post(page_of(investor), investor_form(investor, legal_name="Ada Whitfield"))
        investor.refresh_from_db()
        assert (investor.legal_name, investor.version) == ("Ada Whitfield", 2)
        event = Event.objects.get(subject_id=investor.pk, type="investor.edited")
        assert event.data["fields"] == ["email", "legal_name"]
        assert event.actor["id"] == str(maker.user.pk)

    def test_a_stale_form_is_refused_in_plain_words(self, bridge: World, sign_in: SignIn) -> None:
        investor = bridge.investor()
        maker = sign_in(Role.MAKER)
        maker.post(page_of(investor), investor_form(investor, legal_name="First"))
        told = maker.post(page_of(investor), investor_form(investor, legal_name="Second"))
        assert "Somebody changed this in the meantime" in told
        investor.refresh_from_db()
        assert (investor.legal_name, investor.version) == ("First", 2)

    def test_a_form_without_its_version_is_refused(self, bridge: World, sign_in: SignIn) -> None:
        investor = bridge.investor()
        form = investor_form(investor, legal_name="Blind")
        del form["seen_version"]
        sign_in(Role.MAKER).post(page_of(investor), form)
        investor.refresh_from_db()
        assert investor.legal_name != "Blind"

    def test_an_edit_does_not_write_back_an_old_hold(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account()
        bridge.request(account, bridge.fund(), AMOUNT)
        form = {"name": "Renamed", "status": "open", "seen_version": account.version}
        sign_in(Role.MAKER).post(page_of(account), form)
        account.refresh_from_db()
        assert (account.name, account.held) == ("Renamed", AMOUNT)


class TestAdding:
    def test_an_account_number_goes_in_and_never_comes_out(self, bridge: World, sign_in: SignIn) -> None:
        investor = bridge.investor()
        maker = sign_in(Role.MAKER)
        form = {
            "investor": str(investor.pk),
            "institution": "meridian",
            "name": "Main account",
            "currency": "usd",
            "account_number": "9988776655",
            "routing_number": "021000021",
        }
        told = maker.post(reverse("admin:accounts_investoraccount_add"), form)
        assert "9988776655" not in told
        account = InvestorAccount.objects.get(investor=investor)
        assert (account.currency, account.number_last4) == ("USD", "6655")
        assert account.reveal_number() == "9988776655"
        page = maker.get(page_of(account))
        assert "···6655" in page
        assert "9988776655" not in page
        again = maker.post(reverse("admin:accounts_investoraccount_add"), form)
        assert "already registered" in again
        assert "9988776655" not in again
        assert InvestorAccount.objects.filter(investor=investor).count() == 1

    def test_an_investor_is_opened(self, bridge: World, sign_in: SignIn) -> None:
        form = {"legal_name": "Okonkwo Family Trust", "kind": "entity", "email": "", "country": "NG", "user": ""}
        sign_in(Role.MAKER).post(reverse("admin:accounts_investor_add"), form)
        investor = Investor.objects.get(legal_name="Okonkwo Family Trust")
        assert Event.objects.filter(subject_id=investor.pk, type="investor.opened").exists()

    def test_a_fund_is_opened_as_a_draft(self, bridge: World, sign_in: SignIn) -> None:
        form = {
            "code": "aldine-iii",
            "name": "Aldine Private Credit III",
            "description": "",
            "kind": "credit",
            "currency": "USD",
            "minimum": "5000000",
            "maximum": "",
            "opens_at_0": "2026-01-01",
            "opens_at_1": "09:00:00",
            "closes_at_0": "",
            "closes_at_1": "",
            "on_deposit_failure": "refund",
            "institution": "harbor",
            "account_number": "5544332211",
            "routing_number": "",
        }
        criteria = {
            "regime": "3c1",
            "eligibility": "accredited",
            "required_documents": "subscription agreement, tax form",
            "second_person_above": "100000000",
            "escrow_minimum": "900000000",
            "contributed_elsewhere": "5000",
            "rail": "fedwire",
            "routing_number": "026009593",
        }
        maker = sign_in(Role.MAKER)
        maker.post(reverse("admin:funds_fund_add"), {**form, **criteria})
        fund = Fund.objects.get(code="aldine-iii")
        assert (fund.regime, fund.eligibility, fund.rail) == ("3c1", "accredited", "fedwire")
        assert fund.required_documents == ["subscription agreement", "tax form"]
        amounts = (fund.second_person_above, fund.escrow_minimum, fund.contributed_elsewhere)
        assert amounts == (100_000_000, 900_000_000, 5_000)
        bare = {**form, "code": "aldine-iv", "account_number": "5544332299"}
        maker.post(reverse("admin:funds_fund_add"), bare)
        plain = Fund.objects.get(code="aldine-iv")
        assert (plain.regime, plain.eligibility, plain.contributed_elsewhere) == ("none", "none", 0)
        assert (fund.status, fund.number_last4) == ("draft", "2211")
        assert "already" in maker.post(reverse("admin:funds_fund_add"), {**form, "code": "another"})
        assert Fund.objects.filter(number_last4="2211").count() == 1
