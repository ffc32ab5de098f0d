"""Bank details are read when they are entered: what cannot be a number, a rail or a currency is told field by field."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from accounts import services as accounts
from accounts.models import InvestorAccount
from bridge.approvals.models import Approval
from bridge.kernel.results import Role
from funds.models import Fund
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_pages import page_of
from tests.world import MERIDIAN, SETUP, World

IBAN = "DE89 3704 0044 0532 0130 00"
WRONG = [
    ({"account_number": "12;34'--"}, "account_number", "An account number has digits, the letters A to Z"),
    ({"account_number": "４５６７８９"}, "account_number", "An account number has digits, the letters A to Z"),
    ({"account_number": "ABCDEF"}, "account_number", "An account number has digits, the letters A to Z"),
    ({"account_number": "1 2 3"}, "account_number", "An account number has 4 to 34 characters."),
    ({"account_number": IBAN.replace("00", "01")}, "account_number", "its check digits are wrong"),
    ({"account_number": IBAN, "rail": "ach"}, "account_number", "ACH reaches no IBAN"),
    ({"account_number": "1" * 18, "rail": "ach"}, "account_number", "at most 17 characters"),
    ({"routing_number": "021000022"}, "routing_number", "The check digit of this routing number is wrong"),
    ({"routing_number": "02100002"}, "routing_number", "has nine digits"),
    ({"routing_number": "", "rail": "fedwire"}, "routing_number", "Fedwire needs the bank"),
    ({"currency": "EUR", "rail": "fednow"}, "rail", "FedNow carries USD only, and this account is in EUR"),
]


def account_form(bridge: World, **given: Any) -> dict[str, Any]:
    form = {
        "investor": str(bridge.investor().pk),
        "institution": MERIDIAN,
        "name": "Main account",
        "currency": "USD",
        "account_number": "9988776655",
        "routing_number": "021000021",
        "rail": "",
    }
    return {**form, **given}


class TestAccounts:
    @pytest.mark.parametrize(("given", "field", "told"), WRONG)
    def test_what_is_wrong_is_told_beside_its_field(
        self, bridge: World, sign_in: SignIn, given: dict[str, str], field: str, told: str
    ) -> None:
        maker = sign_in(Role.MAKER).client
        answer = maker.post(reverse("admin:accounts_investoraccount_add"), account_form(bridge, **given))
        errors = answer.context["adminform"].form.errors
        assert list(errors) == [field]
        assert told in errors[field][0]
        assert not InvestorAccount.objects.exists()

    @pytest.mark.parametrize("currency", ["X" * 3, "XTS", "XAU", "xdr", "QQQ"])
    def test_an_account_is_kept_in_money(self, bridge: World, sign_in: SignIn, currency: str) -> None:
        page = sign_in(Role.MAKER).post(
            reverse("admin:accounts_investoraccount_add"), account_form(bridge, currency=currency)
        )
        assert "This is no currency of ISO 4217 in which an account can be kept" in page
        assert not InvestorAccount.objects.exists()
        row = accounts.NewAccount(bridge.investor().pk, MERIDIAN, "Main", currency.upper(), "9988776655")
        with pytest.raises(accounts.UnknownCurrency):
            accounts.open_accounts(rows=[row], actor=SETUP)

    def test_what_the_firms_systems_bring_is_kept_for_the_rules_to_judge(self, bridge: World) -> None:
        row = accounts.NewAccount(bridge.investor().pk, MERIDIAN, "Main", "USD", "9988776655", "021000022")
        (account,) = accounts.open_accounts(rows=[row], actor=SETUP)
        assert account.routing_number == "021000022"

    def test_an_iban_is_kept_without_the_spaces_of_print(self, bridge: World, sign_in: SignIn) -> None:
        form = account_form(bridge, account_number=IBAN.lower(), routing_number="", currency="EUR")
        sign_in(Role.MAKER).post(reverse("admin:accounts_investoraccount_add"), form)
        account = InvestorAccount.objects.get()
        assert (account.reveal_number(), account.iban, account.number_valid) == (IBAN.replace(" ", ""), True, True)

    def test_a_rail_is_not_changed_to_one_that_does_not_fit(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account(currency="EUR")
        form = {"name": account.name, "rail": "ach", "status": "open", "seen_version": account.version}
        assert "ACH carries USD only" in sign_in(Role.MAKER).post(page_of(account), form)
        account.refresh_from_db()
        assert account.rail == ""

    def test_new_details_are_read_before_a_second_person_is_asked(self, bridge: World, sign_in: SignIn) -> None:
        account, maker = bridge.account(), sign_in(Role.MAKER)
        form = {"item": item(account), "routing_number": "021000022", "account_number": "12;34", "why": "Moved."}
        page = maker.post(act("details", "accounts_investoraccount"), form)
        assert "The check digit of this routing number is wrong" in page
        assert "An account number has digits" in page
        assert not Approval.objects.exists()

    def test_a_refused_change_asks_for_the_number_again(self, bridge: World, sign_in: SignIn) -> None:
        account, maker = bridge.account(), sign_in(Role.MAKER)
        form = {"item": item(account, 7), "account_number": "99887766", "routing_number": "021000021", "why": "Moved."}
        page = maker.post(act("details", "accounts_investoraccount"), form)
        assert "Nothing was changed." in page
        assert "Moved." in page
        assert "What you wrote is not shown again: enter it once more." in page
        assert "99887766" not in page
        assert not Approval.objects.exists()


class TestFunds:
    @pytest.mark.parametrize(("given", "field", "told"), WRONG)
    def test_a_funds_own_account_is_read_the_same_way(
        self, sign_in: SignIn, given: dict[str, str], field: str, told: str
    ) -> None:
        form = {
            "code": "aldine-iii",
            "name": "Aldine Private Credit III",
            "kind": "credit",
            "currency": "USD",
            "minimum": "5000000",
            "opens_at_0": "2026-01-01",
            "opens_at_1": "09:00:00",
            "on_deposit_failure": "refund",
            "institution": "harbor",
            "account_number": "5544332211",
            "routing_number": "026009593",
            "rail": "",
        }
        answer = sign_in(Role.MAKER).client.post(reverse("admin:funds_fund_add"), {**form, **given})
        errors = answer.context["adminform"].form.errors
        assert list(errors) == [field]
        assert told in errors[field][0]
        assert not Fund.objects.exists()
