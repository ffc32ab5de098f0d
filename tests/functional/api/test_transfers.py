"""Requesting, reading and listing transfers over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BalanceObservation, Investor
from bridge.kernel import clock
from bridge.kernel.results import Role
from funds.models import Fund
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from transfers.api.serializers import EventSerializer, TransferSerializer

URL = "/api/v1/transfers"


def test_a_request_that_passes_is_approved_held_and_reserved(world: World) -> None:
    answer = world.client.post(URL, world.body(external_id="order 7", metadata={"desk": "east"}), headers=fresh_key())

    assert answer.status_code == 201
    transfer = answer.json()
    assert list(transfer) == list(TransferSerializer().fields)
    assert (transfer["object"], transfer["state"], transfer["amount"]) == ("transfer", "approved", 250_000)
    assert transfer["source_account"] == world.account.public_id
    assert transfer["fund"] == world.fund.public_id
    assert transfer["reservation"]["state"] == "reserved"
    assert transfer["reservation"]["expires_at"]
    assert transfer["legs"] == []
    assert transfer["blocker"] is None
    assert {made["outcome"] for made in transfer["decisions"]} == {"pass"}
    assert set(transfer["decisions"][0]) == {"rule", "version", "outcome", "reason"}
    assert transfer["external_id"] == "order 7"
    assert transfer["metadata"] == {"desk": "east"}
    assert answer["ETag"] == f'"{transfer["version"]}"'
    assert answer["Location"] == f"{URL}/{transfer['id']}"
    world.account.refresh_from_db()
    assert world.account.held == 250_000


def test_the_balance_that_was_asked_for_is_stored_in_the_same_statement_as_the_transfer(world: World) -> None:
    def kept() -> list[int]:
        return list(BalanceObservation.objects.filter(account=world.account).values_list("available", flat=True))

    with CaptureQueriesContext(connection) as captured:
        transfer = world.request()
    writes = [query["sql"] for query in captured.captured_queries if 'INSERT INTO "accounts_balanceobs' in query["sql"]]
    assert transfer["state"] == "approved"
    assert len(kept()) == 1
    assert len(writes) == 1
    assert 'INSERT INTO "transfers_transfer"' in writes[0]

    world.request()
    assert len(kept()) == 1  # it is young enough for the next request


def test_the_balance_is_stored_also_where_the_request_is_refused(world: World) -> None:
    body = world.body(fund="fund_01k9yq3v5ef1ss6r0b1v8kq2xj")
    assert world.client.post(URL, body, headers=fresh_key()).status_code == 422
    assert BalanceObservation.objects.filter(account=world.account).count() == 1


def test_the_balance_is_stored_also_where_it_is_only_checked(world: World) -> None:
    assert world.client.post(f"{URL}/check", world.body()).status_code == 200
    assert BalanceObservation.objects.filter(account=world.account).count() == 1


def test_a_request_that_the_rules_reject_is_answered_with_201_and_why(world: World) -> None:
    transfer = world.request(fund=factories.make_fund(minimum=1_000_000).public_id)

    assert transfer["state"] == "rejected"
    against = [made for made in transfer["decisions"] if made["outcome"] == "fail"]
    assert len(against) == 1
    assert against[0]["reason"]
    assert transfer["reservation"] is None


def test_a_follower_of_the_same_account_waits_for_the_earlier_one(world: World) -> None:
    first = world.request(amount=1_000)
    second = world.request(amount=2_000)

    assert first["blocker"] is None
    assert second["blocker"]["code"] == "waiting_for_earlier"


def test_reading_a_transfer_gives_what_the_request_was_answered(world: World) -> None:
    transfer = world.request()

    answer = world.client.get(f"{URL}/{transfer['id']}")

    assert answer.json() == transfer
    assert answer["ETag"] == f'"{transfer["version"]}"'


def test_a_check_says_what_would_be_decided_and_holds_nothing(world: World) -> None:
    answer = world.client.post(f"{URL}/check", world.body())

    assert answer.status_code == 200
    assert answer.json()["state"] == "approved"
    assert answer.json()["decisions"]
    world.account.refresh_from_db()
    assert world.account.held == 0
    assert world.client.get(URL).json()["results"] == []


def test_cancelling_gives_the_hold_back(world: World) -> None:
    transfer = world.request()

    answer = world.client.post(f"{URL}/{transfer['id']}/cancel", {"reason": "changed my mind"}, headers=fresh_key())

    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    assert answer.json()["reservation"]["state"] == "released"
    world.account.refresh_from_db()
    assert world.account.held == 0


def test_cancelling_twice_is_a_conflict(world: World) -> None:
    url = f"{URL}/{world.request()['id']}/cancel"
    world.client.post(url, {}, headers=fresh_key())

    answer = world.client.post(url, {}, headers=fresh_key())

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_the_version_that_was_read_lets_a_change_through_and_an_older_one_does_not(world: World) -> None:
    transfer = world.request()
    url = f"{URL}/{transfer['id']}/cancel"

    stale = world.client.post(url, {}, headers={**fresh_key(), "If-Match": f'"{transfer["version"] - 1}"'})
    fitting = world.client.post(url, {}, headers={**fresh_key(), "If-Match": f'"{transfer["version"]}"'})

    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")
    assert fitting.status_code == 200


def test_if_match_with_a_star_means_any_version(world: World) -> None:
    url = f"{URL}/{world.request()['id']}/cancel"

    assert world.client.post(url, {}, headers={**fresh_key(), "If-Match": "*"}).status_code == 200


def test_a_held_transfer_is_approved_by_a_checker_but_never_by_its_maker(world: World) -> None:
    both = factories.client_of(factories.make_login(Role.MAKER, Role.CHECKER))
    transfer = world.request(both)
    held = both.post(f"{URL}/{transfer['id']}/hold", {"reason": "look at it"})
    assert held.json()["state"] == "in_review"

    own = both.post(f"{URL}/{transfer['id']}/approve", {}, headers=fresh_key())
    other = world.login(Role.CHECKER).post(f"{URL}/{transfer['id']}/approve", {}, headers=fresh_key())

    assert (own.status_code, own.json()["code"]) == (403, "maker_is_checker")
    assert other.status_code == 200
    assert other.json()["state"] == "approved"


def test_a_checker_rejects_a_transfer_in_review(world: World) -> None:
    transfer = world.request()
    world.login(Role.MAKER).post(f"{URL}/{transfer['id']}/hold", {})

    answer = world.login(Role.CHECKER).post(f"{URL}/{transfer['id']}/reject", {"reason": "no"}, headers=fresh_key())

    assert answer.json()["state"] == "rejected"


def test_refund_and_retry_need_a_transfer_whose_money_is_with_us(world: World) -> None:
    transfer, maker = world.request(), world.login(Role.MAKER)

    for verb in ("refund", "retry"):
        answer = maker.post(f"{URL}/{transfer['id']}/{verb}", {}, headers=fresh_key())
        assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")


def test_the_timeline_is_oldest_first_and_hides_from_investors_who_it_was(world: World) -> None:
    transfer = world.request()

    mine = world.client.get(f"{URL}/{transfer['id']}/events").json()
    staffs = world.login(Role.AUDITOR).get(f"{URL}/{transfer['id']}/events").json()

    assert [event["type"] for event in mine["results"]] == ["transfer.requested", "transfer.approved"]
    assert list(mine["results"][0]) == list(EventSerializer().fields)
    assert mine["results"][0]["actor"] == {"role": "investor"}
    assert mine["results"][0]["data"]["source_account"] == world.account.public_id
    assert mine["results"][0]["subject"] == {"type": "transfer", "id": transfer["id"]}
    assert staffs["results"][0]["actor"]["id"] == str(world.user.pk)


def test_the_list_is_newest_first_and_filtered(world: World) -> None:
    other_fund = factories.make_fund(bank=world.bank)
    first = world.request(amount=1_000, external_id="a")
    second = world.request(amount=2_000, fund=other_fund.public_id)
    world.client.post(f"{URL}/{first['id']}/cancel", {}, headers=fresh_key())

    def listed(query: str) -> list[str]:
        answer = world.client.get(f"{URL}?{query}")
        assert answer.status_code == 200, answer.content
        return [transfer["id"] for transfer in answer.json()["results"]]

    assert listed("") == [second["id"], first["id"]]
    assert listed("state=cancelled") == [first["id"]]
    assert listed("state=cancelled&state=approved") == listed("state=cancelled,approved") == listed("")
    assert listed(f"fund={other_fund.public_id}") == [second["id"]]
    assert listed("external_id=a") == [first["id"]]
    assert listed(f"source_account={world.account.public_id}") == listed("")
    assert listed("created_after=2999-01-01T00:00:00Z") == []
    assert listed("created_before=2999-01-01T00:00:00Z") == listed("")


def test_times_are_those_of_a_sandbox_that_is_weeks_ahead_too(world: World) -> None:
    first = world.request(amount=1_000)
    clock.advance(by=timedelta(days=40))
    second = world.request(amount=2_000)

    def listed(query: str) -> list[str]:
        return [transfer["id"] for transfer in world.client.get(f"{URL}?{query}").json()["results"]]

    between = (clock.now() - timedelta(days=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed(f"created_after={between}") == [second["id"]]
    assert listed(f"created_before={between}") == [first["id"]]
    assert listed("created_after=0001-01-02T00:00:00Z&created_before=9999-12-31T23:59:59Z") == [
        second["id"],
        first["id"],
    ]


def test_an_investor_with_two_names_sees_both_and_a_login_without_one_nothing(world: World) -> None:
    own = world.request()
    second = factories.make_account(investor=factories.make_investor(user=world.user), bank=world.bank)
    also = world.request(source_account=second.public_id)

    def seen() -> list[str]:
        return [transfer["id"] for transfer in world.client.get(f"{URL}?state=approved").json()["results"]]

    assert seen() == [also["id"], own["id"]]
    Investor.objects.update(user=None)
    assert seen() == []


def test_pages_lead_forth_and_back_without_a_gap(world: World) -> None:
    every = [world.request(amount=1_000 + number)["id"] for number in range(5)][::-1]

    first = world.client.get(f"{URL}?limit=2&state=approved").json()
    second = world.client.get(first["next"]).json()
    third = world.client.get(second["next"]).json()
    back = world.client.get(second["previous"]).json()

    pages = [[transfer["id"] for transfer in page["results"]] for page in (first, second, third)]
    assert pages == [every[:2], every[2:4], every[4:]]
    assert (first["previous"], third["next"]) == (None, None)
    assert back["results"] == first["results"]
    assert back["previous"] is None


@pytest.mark.parametrize("path", ["transfers", "accounts", "funds", "allocations"])
def test_a_list_takes_the_same_number_of_queries_however_long_it_is(world: World, path: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert world.client.get(f"/api/v1/{path}?limit=100").status_code == 200
        return len(seen)

    world.request(amount=1_000)
    few = queries()
    for number in range(4):
        factories.make_account(world.investor, bank=world.bank)
        world.request(amount=2_000 + number, fund=factories.make_fund(bank=world.bank).public_id)

    assert queries() == few <= 8


def test_a_request_takes_few_queries(world: World, django_assert_max_num_queries: object) -> None:
    world.request(amount=999)

    with CaptureQueriesContext(connection) as seen:
        world.request(amount=1_000)

    assert len(seen) <= 30, [query["sql"][:120] for query in seen]


def test_accounts_show_the_last_four_only_and_a_balance_net_of_holds(world: World) -> None:
    world.request(amount=400_000)

    account = world.client.get(f"/api/v1/accounts/{world.account.public_id}")
    balance = world.client.get(f"/api/v1/accounts/{world.account.public_id}/balance").json()

    assert account.json()["last4"] == world.account.number_last4
    assert world.account.reveal_number() not in account.content.decode()
    assert (balance["available"], balance["held"], balance["observed"]) == (9_600_000, 400_000, 10_000_000)
    assert balance["source"] in ("cache", "institution")


def test_a_fund_shows_its_seats_and_amounts(world: World) -> None:
    fund = factories.make_fund(bank=world.bank, seat_limit=10, hard_cap=1_000_000)
    world.request(fund=fund.public_id, amount=300_000)

    shown = world.client.get(f"/api/v1/funds/{fund.public_id}").json()

    assert shown["seats"] == {"limit": 10, "held": 1, "confirmed": 0, "available": 9}
    assert shown["amounts"] == {"hard_cap": 1_000_000, "reserved": 300_000, "confirmed": 0, "available": 700_000}
    (place,) = world.client.get(f"/api/v1/allocations?fund={fund.public_id}").json()["results"]
    assert (place["investor"], place["reserved"]) == (world.investor.public_id, 300_000)


def test_a_draft_fund_is_not_shown_to_investors(world: World) -> None:
    draft = factories.make_fund(status=Fund.Status.DRAFT)

    assert world.client.get(f"/api/v1/funds/{draft.public_id}").status_code == 404
    assert world.login(Role.MAKER).get(f"/api/v1/funds/{draft.public_id}").status_code == 200


class TestTheAnswerToARequest:
    """It is rendered from what was just decided, not from the rows: a reading must say the same, to everybody."""

    CASES: ClassVar = {
        "approved": 2_000,
        "in_review": 6_000,
        "rejected": 500,
    }

    @pytest.mark.parametrize("state", CASES)
    @pytest.mark.parametrize("role", [Role.INVESTOR, Role.SERVICE])
    def test_is_what_a_reading_gives(self, world: World, state: str, role: Role) -> None:
        client = world.client if role == Role.INVESTOR else world.login(role)
        notes = {"external_id": "mine", "metadata": {"longer": "b", "a": "ü"}}
        fund = factories.make_fund(bank=world.bank, minimum=1_000, second_person_above=5_000)
        answer = world.request(client, fund=fund.public_id, amount=self.CASES[state], **notes)
        assert answer == client.get(f"{URL}/{answer['id']}").json()
        assert answer["state"] == state

    @pytest.mark.parametrize("role", [Role.INVESTOR, Role.SERVICE])
    def test_is_what_a_reading_gives_on_the_waitlist(self, world: World, role: Role) -> None:
        full = factories.make_fund(bank=world.bank, seat_limit=0)
        client = world.client if role == Role.INVESTOR else world.login(role)
        answer = world.request(client, fund=full.public_id)
        assert answer == client.get(f"{URL}/{answer['id']}").json()
        assert (answer["state"], answer["reservation"]) == ("waitlisted", None)

    def test_is_what_a_reading_gives_behind_an_earlier_one(self, world: World) -> None:
        first, second = world.request(amount=1_000), world.request(amount=2_000)
        assert first["blocker"] is None
        assert second["blocker"]["code"] == "waiting_for_earlier"
        assert second == world.client.get(f"{URL}/{second['id']}").json()

    def test_is_what_a_reading_gives_for_rows_of_one_body(self, world: World) -> None:
        service = world.login(Role.SERVICE)
        fund = factories.make_fund(bank=world.bank, minimum=1_000, second_person_above=5_000).public_id
        amounts = (500, 1_000, 2_000, 6_000)
        rows = [world.body(fund=fund, amount=amount, idempotency_key=f"row-{amount}") for amount in amounts]
        results = service.post(f"{URL}/bulk", {"transfers": rows}).json()["results"]
        answers = [row["transfer"] for row in results]
        assert [answer["state"] for answer in answers] == ["rejected", "approved", "approved", "in_review"]
        assert answers == [service.get(f"{URL}/{answer['id']}").json() for answer in answers]
        assert [bool(answer["blocker"]) for answer in answers] == [False, False, True, True]
