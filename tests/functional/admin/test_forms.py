"""What people edit: optimistic, field by field, in the event log, and numbers only go in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Investor, InvestorAccount
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.results import Role
from funds.models import Fund
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_pages import list_of, page_of
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

    def test_a_stale_form_says_what_is_there_now_and_can_be_saved(self, bridge: World, sign_in: SignIn) -> None:
        investor, maker = bridge.investor(), sign_in(Role.MAKER)
        maker.post(page_of(investor), investor_form(investor, legal_name="First", email="new@example.com"))
        mine = investor_form(investor, legal_name="Second", kind="entity")
        answer = maker.client.post(page_of(investor), mine)
        errors = answer.context["adminform"].form.errors
        assert errors["legal_name"] == ["Now “First”; yours is “Second”."]
        assert errors["email"] == ["Now “new@example.com”; yours is “ada@example.com”."]
        assert errors["kind"] == ["Now “natural person”; yours is “entity”."]
        page = answer.content.decode()
        assert 'name="seen_version" value="2"' in page
        assert 'value="Second"' in page
        maker.post(page_of(investor), {**mine, "seen_version": 2})
        investor.refresh_from_db()
        assert (investor.legal_name, investor.kind, investor.version) == ("Second", "entity", 3)

    def test_a_stale_form_is_refused_again_where_a_third_person_was_faster(
        self, bridge: World, sign_in: SignIn
    ) -> None:
        investor, maker = bridge.investor(), sign_in(Role.MAKER)
        for name, version in (("First", 1), ("Second", 2)):
            maker.post(page_of(investor), investor_form(investor, legal_name=name, seen_version=version))
        told = maker.post(page_of(investor), investor_form(investor, legal_name="Third", seen_version=2))
        assert "Somebody changed this in the meantime" in told
        investor.refresh_from_db()
        assert (investor.legal_name, investor.version) == ("Second", 3)

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
            "minimum": "50,000.00",
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
            "second_person_above": "1000000",
            "escrow_minimum": "USD 9,000,000.00",
            "contributed_elsewhere": "50.00",
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


def fund_form(fund: Fund, **changes: Any) -> dict[str, Any]:
    form = {
        "name": fund.name,
        "description": fund.description,
        "kind": fund.kind,
        "minimum": "10.00",
        "maximum": "",
        "opens_at_0": f"{fund.opens_at:%Y-%m-%d}",
        "opens_at_1": f"{fund.opens_at:%H:%M:%S}",
        "closes_at_0": "",
        "closes_at_1": "",
        "on_deposit_failure": fund.on_deposit_failure,
        "regime": "none",
        "eligibility": "none",
        "required_documents": "",
        "second_person_above": "",
        "escrow_minimum": "",
        "contributed_elsewhere": "0",
        "rail": fund.rail,
        "seen_version": fund.version,
    }
    return {**form, **changes}


class TestWhatDoesNotFit:
    """A fund that cannot be is told in words, beside the field to mend."""

    WRONG = (
        ({"minimum": "0"}, "minimum", "Write an amount above zero."),
        ({"minimum": "0", "maximum": "0"}, "minimum", "Write an amount above zero."),
        ({"maximum": "9.99"}, "maximum", "The maximum is below the minimum"),
        ({"closes_at_0": "2020-01-01", "closes_at_1": "09:00:00"}, "closes_at", "would close before it opens"),
    )

    @pytest.mark.parametrize(("given", "field", "told"), WRONG)
    def test_of_a_fund_that_is_there(
        self, bridge: World, sign_in: SignIn, given: dict[str, str], field: str, told: str
    ) -> None:
        fund = bridge.fund(minimum=1_000, opens_at=clock.now().replace(microsecond=0), closes_at=None)
        answer = sign_in(Role.MAKER).client.post(page_of(fund), fund_form(fund, **given))
        errors = answer.context["adminform"].form.errors
        assert list(errors) == [field]
        assert told in errors[field][0]
        assert "Constraint" not in answer.content.decode()

    @pytest.mark.parametrize(("given", "field", "told"), WRONG)
    def test_of_a_new_fund(self, sign_in: SignIn, given: dict[str, str], field: str, told: str) -> None:
        form = {
            "code": "aldine-iii",
            "name": "Aldine Private Credit III",
            "kind": "credit",
            "currency": "USD",
            "minimum": "10.00",
            "opens_at_0": "2026-01-01",
            "opens_at_1": "09:00:00",
            "on_deposit_failure": "refund",
            "institution": "harbor",
            "account_number": "5544332211",
            "routing_number": "026009593",
        }
        answer = sign_in(Role.MAKER).client.post(reverse("admin:funds_fund_add"), {**form, **given})
        errors = answer.context["adminform"].form.errors
        assert list(errors) == [field]
        assert told in errors[field][0]
        assert not Fund.objects.exists()


class TestMoments:
    """Times are UTC, which is said, and written in one way."""

    OPENS, CLOSES = datetime(2026, 12, 20, 9, 0, tzinfo=UTC), datetime(2026, 12, 27, 13, 30, tzinfo=UTC)

    def test_every_page_says_that_times_are_utc(self, bridge: World, sign_in: SignIn) -> None:
        console, fund = sign_in(Role.AUDITOR), bridge.fund(closes_at=self.CLOSES)
        for url in (reverse("admin:index"), list_of(Fund), page_of(fund)):
            assert "<span>Times are </span>UTC" in console.get(url)

    def test_a_form_says_so_beside_its_fields(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(opens_at=self.OPENS, closes_at=self.CLOSES), sign_in(Role.MAKER)
        for url in (page_of(fund), reverse("admin:funds_fund_add")):
            fields = maker.client.get(url).context["adminform"].form.fields
            assert {fields[name].help_text for name in ("opens_at", "closes_at")} == {"In UTC."}

    def test_who_only_reads_sees_the_same_notation_as_in_lists(self, bridge: World, sign_in: SignIn) -> None:
        fund, auditor = bridge.fund(opens_at=self.OPENS, closes_at=self.CLOSES), sign_in(Role.AUDITOR)
        assert "27 Dec 2026 13:30" in auditor.get(list_of(Fund))
        page = auditor.get(page_of(fund))
        assert "20 Dec 2026 09:00" in page
        assert "27 Dec 2026 13:30" in page
        assert "Dec. 2" not in page


class TestAmounts:
    """Amounts are written as people write them, in the fund's own currency."""

    def fund(self, bridge: World, **given: Any) -> Fund:
        return bridge.fund(minimum=1_000, opens_at=clock.now().replace(microsecond=0), closes_at=None, **given)

    def test_a_form_shows_what_it_would_save(self, bridge: World, sign_in: SignIn) -> None:
        fund = self.fund(bridge, maximum=250_000_00)
        page = sign_in(Role.MAKER).get(page_of(fund))
        assert 'name="minimum" value="10.00"' in page
        assert 'name="maximum" value="250,000.00"' in page
        assert "Per investor. In USD, such as 25,000.00." in page

    def test_an_amount_left_as_it_was_is_no_change(self, bridge: World, sign_in: SignIn) -> None:
        fund = self.fund(bridge)
        sign_in(Role.MAKER).post(page_of(fund), fund_form(fund, maximum="USD 1,000.50"))
        event = Event.objects.get(subject_id=fund.pk, type="fund.edited")
        assert event.data["fields"] == ["maximum"]
        fund.refresh_from_db()
        assert (fund.minimum, fund.maximum) == (1_000, 100_050)

    def test_a_currency_without_decimals_has_none(self, bridge: World, sign_in: SignIn) -> None:
        fund = self.fund(bridge, currency="JPY", institution="meridian", routing_number="", rail="")
        maker = sign_in(Role.MAKER)
        assert 'name="minimum" value="1,000"' in maker.get(page_of(fund))
        told = maker.post(page_of(fund), fund_form(fund, minimum="1,000.00"))
        assert "JPY has no decimals: write 1,000." in told
        maker.post(page_of(fund), fund_form(fund, minimum="2,500"))
        fund.refresh_from_db()
        assert fund.minimum == 2_500

    @pytest.mark.parametrize(
        ("written", "told"),
        [
            ("25.000", "USD has 2 decimals"),
            ("25.000,00", "Write an amount in USD, such as 25,000.00."),
            ("EUR 25,000.00", "Write an amount in USD, such as 25,000.00."),
            ("-1", "Write an amount in USD"),
            ("", "This field is required."),
        ],
    )
    def test_what_can_be_read_in_two_ways_is_refused(
        self, bridge: World, sign_in: SignIn, written: str, told: str
    ) -> None:
        fund = self.fund(bridge)
        assert told in sign_in(Role.MAKER).post(page_of(fund), fund_form(fund, minimum=written))
        fund.refresh_from_db()
        assert (fund.minimum, fund.version) == (1_000, 1)

    def test_a_new_fund_of_no_currency_says_so_once(self, bridge: World, sign_in: SignIn) -> None:
        form = {"code": "x", "name": "X", "kind": "credit", "currency": "XTS", "minimum": "5.00"}
        told = sign_in(Role.MAKER).post(reverse("admin:funds_fund_add"), form)
        assert "This is no currency of ISO 4217" in told
        assert "Write an amount" not in told
