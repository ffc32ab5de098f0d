"""Money is changed only by an action: a confirmation with `id:version`, one service, the plain result."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.results import Actor, Change, Channel, Refused, Role
from funds import limits
from funds.models import Fund, FundCapacity
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import MAKER, World
from transfers.models import Break, Transfer

AMOUNT = 1_000_000


def act(verb: str, model: str = "transfers_transfer") -> str:
    return reverse(f"admin:{model}_act", args=[verb])


def item(row: Any, version: int | None = None) -> str:
    return f"{row.pk}:{row.version if version is None else version}"


def in_review(bridge: World, **given: Any) -> Transfer:
    """The second of two equal ones within a day waits for a person."""
    account, fund = bridge.account(), bridge.fund()
    bridge.request(account, fund, AMOUNT, **given)
    transfer = bridge.request(account, fund, AMOUNT, **given)
    assert transfer.state == "in_review"
    return transfer


def limits_of(fund: Fund) -> tuple[int | None, int | None]:
    capacity = FundCapacity.objects.get(pk=fund.pk)
    return capacity.seat_limit, capacity.hard_cap


class TestCancelling:
    def test_a_maker_cancels_after_a_confirmation(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        maker = sign_in(Role.MAKER)
        assert f"{act('cancel')}?item={item(transfer)}" in maker.get(page_of(transfer))
        asked = maker.get(act("cancel"), item=item(transfer))
        assert f'value="{item(transfer)}"' in asked
        assert bridge.fresh(transfer).state == "approved"  # looking changes nothing
        told = maker.post(act("cancel"), {"item": item(transfer), "reason": "asked by phone"})
        assert "Cancelled." in told
        assert "It is now" not in told
        assert bridge.fresh(transfer).state == "cancelled"
        event = Event.objects.get(subject_id=transfer.pk, type="transfer.cancelled")
        assert event.data["reason"] == "asked by phone"
        assert (event.actor["id"], event.actor["role"]) == (str(maker.user.pk), "maker")
        assert event.actor["channel"] == "admin"

    def test_a_stale_version_is_refused_and_nothing_changes(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        told = sign_in(Role.MAKER).post(act("cancel"), {"item": item(transfer, transfer.version - 1)})
        assert "Somebody changed it" in told
        assert "Nothing was changed." in told
        assert bridge.fresh(transfer).state == "approved"

    def test_sending_the_form_twice_cancels_once(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        maker = sign_in(Role.MAKER)
        form = {"item": item(transfer)}
        maker.post(act("cancel"), form)
        assert "Nothing was changed." in maker.post(act("cancel"), form)
        assert Event.objects.filter(subject_id=transfer.pk, type="transfer.cancelled").count() == 1

    def test_money_that_moved_cannot_be_cancelled(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        done = bridge.fresh(transfer)
        maker = sign_in(Role.MAKER)
        assert act("cancel") not in maker.get(page_of(done))
        assert "cannot be cancelled" in maker.post(act("cancel"), {"item": item(done)})
        assert bridge.fresh(done).state == "completed"

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.CHECKER])
    def test_other_roles_have_no_button_and_no_way(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        console = sign_in(role)
        assert act("cancel") not in console.get(page_of(transfer))
        assert console.client.post(act("cancel"), {"item": item(transfer)}).status_code == 403
        assert bridge.fresh(transfer).state == "approved"

    def test_a_superuser_without_a_role_may_look_but_not_act(self, bridge: World, superuser: Console) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        assert act("cancel") not in superuser.get(page_of(transfer))
        assert superuser.client.post(act("cancel"), {"item": item(transfer)}).status_code == 403

    def test_what_is_malformed_changes_nothing(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        for nonsense in ("", "x", "1:1", "\x00:1", "00000000-0000-0000-0000-000000000000:1", ":"):
            maker.post(act("cancel"), {"item": nonsense})
        assert maker.client.post(act("steal"), {"item": "x"}).status_code == 403


class TestDeciding:
    def test_a_checker_approves_and_the_money_crosses(self, bridge: World, sign_in: SignIn) -> None:
        transfer = in_review(bridge)
        checker = sign_in(Role.CHECKER)
        assert "What is safe" in checker.get(page_of(transfer))
        told = checker.post(act("approve"), {"item": item(transfer)})
        assert "Approved." in told
        assert "It is now" not in told
        assert bridge.fresh(transfer).approved_by == str(checker.user.pk)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        assert checker.user.username in checker.get(page_of(transfer))

    def test_whoever_asked_cannot_decide(self, bridge: World, sign_in: SignIn) -> None:
        both = sign_in(Role.MAKER, Role.CHECKER)
        asker = Actor(str(both.user.pk), Role.MAKER, Channel.API)
        transfer = in_review(bridge, actor=asker)
        assert "somebody else must decide" in both.post(act("approve"), {"item": item(transfer)})
        assert bridge.fresh(transfer).state == "in_review"

    def test_a_rejection_needs_a_reason(self, bridge: World, sign_in: SignIn) -> None:
        transfer = in_review(bridge)
        checker = sign_in(Role.CHECKER)
        assert "This field is required" in checker.post(act("reject"), {"item": item(transfer), "reason": "  "})
        assert bridge.fresh(transfer).state == "in_review"
        checker.post(act("reject"), {"item": item(transfer), "reason": "The papers are missing."})
        assert bridge.fresh(transfer).state == "rejected"

    def test_several_at_once_each_with_its_own_result(self, bridge: World, sign_in: SignIn) -> None:
        first, second = (bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(2))
        maker = sign_in(Role.MAKER)
        asked = maker.post(
            list_of("transfers.transfer"), {"action": "cancel", "_selected_action": [str(first.pk), str(second.pk)]}
        )
        assert f'value="{item(first)}"' in asked
        assert f'value="{item(second)}"' in asked
        told = maker.post(act("cancel"), {"item": [item(first), item(second, 77)], "reason": "both by phone"})
        assert "1 of 2 cancelled" in told
        assert "you saw version 77" in told
        assert bridge.fresh(first).state == "cancelled"
        assert bridge.fresh(second).state == "approved"

    def test_a_blocked_deposit_is_refunded_by_hand(self, bridge: World, sign_in: SignIn) -> None:
        from bridge.sandbox.model import Fault
        from tests.world import HARBOR

        fund = bridge.fund(on_deposit_failure="hold")
        bridge.fault(Fault.REJECT, institution=HARBOR)
        transfer = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run()
        blocked = bridge.fresh(transfer)
        assert (blocked.state, blocked.next_step) == ("withdrawn", "none")
        maker = sign_in(Role.MAKER)
        page = maker.get(page_of(blocked))
        assert "Deposit rejected" in page
        assert act("retry") in page
        maker.post(act("refund"), {"item": item(blocked), "reason": "The investor asked for it."})
        bridge.run()
        assert bridge.fresh(transfer).state == "refunded"


class TestFunds:
    def test_a_maker_pauses_a_fund_with_a_reason(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund()
        maker = sign_in(Role.MAKER)
        told = maker.post(act("pause", "funds_fund"), {"item": item(fund), "reason": "Side letter in dispute."})
        assert "Paused." in told
        fund.refresh_from_db()
        assert (fund.status, fund.version) == ("paused", 2)

    def test_limits_below_what_is_taken_are_refused_in_the_currency(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(seat_limit=5)
        bridge.request(bridge.account(), fund, AMOUNT)
        maker = sign_in(Role.MAKER)
        form = {"item": item(Fund.objects.get(pk=fund.pk)), "reason": "Smaller."}
        told = maker.post(act("limits", "funds_fund"), {**form, "seat_limit": "0", "no_hard_cap": "on"})
        assert "1 seat is taken already: the limit cannot be set to 0." in told
        told = maker.post(act("limits", "funds_fund"), {**form, "seat_limit": "5", "hard_cap": "9.99"})
        assert "USD 10,000.00 is taken already: the limit cannot be set to USD 9.99." in told
        assert FundCapacity.objects.get(pk=fund.pk).seat_limit == 5

    def test_limits_are_changed_and_taken_away_by_ticking_so(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(seat_limit=5), sign_in(Role.MAKER)
        form = {"item": item(fund), "seat_limit": "7", "hard_cap": "9,000,000", "reason": "Second closing."}
        maker.post(act("limits", "funds_fund"), form)
        assert limits_of(fund) == (7, 900_000_000)
        fund.refresh_from_db()
        form = {"item": item(fund), "no_seat_limit": "on", "no_hard_cap": "on", "reason": "No limits."}
        maker.post(act("limits", "funds_fund"), form)
        assert limits_of(fund) == (None, None)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"reason": "Why not."}, "Enter a number, or tick &#x27;no seat limit&#x27;."),
            ({"seat_limit": "5", "reason": "Why not."}, "Enter a number, or tick &#x27;no hard cap&#x27;."),
            ({"seat_limit": "7", "hard_cap": "10,000", "no_hard_cap": "on", "reason": "Both."}, "not both."),
            ({"seat_limit": "7", "hard_cap": "10,000"}, "This field is required."),
            ({"seat_limit": "7", "hard_cap": "10,000", "reason": " "}, "This field is required."),
            ({"seat_limit": "5", "hard_cap": "9,000.00", "reason": "The same."}, "Nothing changes."),
        ],
    )
    def test_what_is_missing_takes_no_limit_away(
        self, bridge: World, sign_in: SignIn, given: dict[str, str], told: str
    ) -> None:
        fund = bridge.fund(seat_limit=5, hard_cap=900_000)
        assert told in sign_in(Role.MAKER).post(act("limits", "funds_fund"), {"item": item(fund), **given})
        assert limits_of(fund) == (5, 900_000)
        assert not Event.objects.filter(type="fund.limits_changed").exists()

    def test_the_form_shows_what_the_limits_are_now(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(seat_limit=5, hard_cap=138_350_000)
        page = sign_in(Role.MAKER).get(act("limits", "funds_fund"), item=item(fund))
        assert "Now 5; 0 taken." in page
        assert "Now USD 1,383,500.00; USD 0.00 taken." in page

    def test_the_service_wants_a_reason_too(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=5)
        change = Change(fund.pk, fund.version, " ")
        refused = limits.change_limits(change=change, seat_limit=7, hard_cap=None, actor=MAKER)
        assert isinstance(refused, Refused)
        assert refused.error.code == "reason_missing"
        assert limits_of(fund)[0] == 5


class TestRefused:
    """A refusal of one row shows the confirmation again: what was typed, and the row as it is now."""

    def test_a_stale_form_keeps_what_was_typed_and_is_decided_anew(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(seat_limit=5), sign_in(Role.MAKER)
        form = {"item": item(fund), "seat_limit": "7", "no_hard_cap": "on", "reason": "A long reason."}
        Fund.objects.filter(pk=fund.pk).update(version=2)
        FundCapacity.objects.filter(pk=fund.pk).update(seat_limit=6)
        told = maker.post(act("limits", "funds_fund"), form)
        assert "Nothing was changed." in told
        assert "A long reason." in told
        assert 'name="seat_limit" value="7"' in told
        assert "Now 6; 0 taken." in told
        assert "Limits changed." not in told
        fund.refresh_from_db()
        assert f'value="{item(fund, 2)}"' in told
        assert limits_of(fund)[0] == 6
        told = maker.post(act("limits", "funds_fund"), {**form, "item": item(fund, 2)})
        assert "Limits changed." in told
        assert "It is now" not in told
        assert limits_of(fund) == (7, None)

    def test_what_is_not_possible_any_more_has_no_button(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        maker = sign_in(Role.MAKER)
        assert "Yes, cancel" in maker.get(act("cancel"), item=item(transfer))
        maker.post(act("cancel"), {"item": item(transfer)})
        told = maker.post(act("cancel"), {"item": item(transfer), "reason": "asked by phone"})
        assert "Nothing was changed." in told
        assert "not possible as it stands now" in told
        assert "asked by phone" in told
        for page in (told, maker.get(act("cancel"), item=item(bridge.fresh(transfer)))):
            assert "Back, change nothing" in page
            assert "Yes, cancel" not in page

    def test_of_several_one_that_fits_keeps_the_button(self, bridge: World, sign_in: SignIn) -> None:
        open_, over = (bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(2))
        maker = sign_in(Role.MAKER)
        maker.post(act("cancel"), {"item": item(over)})
        chosen = [str(open_.pk), str(over.pk)]
        page = maker.post(list_of("transfers.transfer"), {"action": "cancel", "_selected_action": chosen})
        assert "not possible as it stands now" in page
        assert "Yes, cancel" in page

    def test_a_deed_says_the_state_only_where_that_is_news(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(status="draft"), sign_in(Role.MAKER)
        assert "Opened. It is now open." in maker.post(act("open", "funds_fund"), {"item": item(fund)})
        told = maker.post(act("closing", "funds_fund"), {"item": item(fund, 2)})
        assert "Closing." in told
        assert "It is now" not in told


class TestBreaks:
    def test_a_break_is_resolved_with_an_explanation(self, bridge: World, sign_in: SignIn) -> None:
        moment = clock.now()
        row = Break.objects.create(
            kind=Break.Kind.AMOUNT,
            institution="meridian",
            reference="BRW1",
            currency="USD",
            ours=100,
            theirs=90,
            explanation="They booked less.",
            date=moment.date(),
            first_seen_at=moment,
            last_seen_at=moment,
        )
        maker = sign_in(Role.MAKER)
        assert "This field is required" in maker.post(act("resolve", "transfers_break"), {"item": item(row)})
        maker.post(act("resolve", "transfers_break"), {"item": item(row), "resolution": "A fee that the bank kept."})
        row.refresh_from_db()
        assert row.resolution == "A fee that the bank kept."
        assert row.resolved_by == maker.user
        assert "USD 0.10" in maker.get(page_of(row))
