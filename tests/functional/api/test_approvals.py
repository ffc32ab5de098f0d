"""Two people over HTTP: approvals, releases, freezes and overrides."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.compliance import CHANGE_DETAILS, sealed_number
from bridge.approvals import services as approvals
from bridge.approvals.api.rendering import ApprovalSerializer
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel import ids
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.results import ENGINE, Role
from funds.models import RuleOverride
from tests import factories
from tests.functional.api.conftest import World, bring_in, fresh_key
from tests.functional.test_criteria import activate
from tests.world import MAKER
from transfers.facts import gather
from transfers.models import Transfer
from transfers.services import begin_withdrawals

URL = "/api/v1/approvals"
TRANSFERS = "/api/v1/transfers"


def post(client: APIClient, url: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return client.post(url, body or {}, format="json", headers={**fresh_key(), **headers})


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


@pytest.fixture
def review(world: World) -> dict[str, Any]:
    """A transfer that waits for a second person, as its approval shows it."""
    fund = factories.make_fund(bank=world.bank, second_person_above=1)
    transfer = world.request(fund=fund.public_id)
    assert transfer["state"] == "in_review"
    (found,) = world.login(Role.AUDITOR).get(f"{URL}?subject={transfer['id']}").json()["results"]
    return found


@pytest.fixture
def withdrawn(world: World) -> Transfer:
    """Money that is with us and waits for others before it may go to the fund."""
    return bring_in(world)


class TestReading:
    def test_an_approval_shows_what_is_asked_for_and_by_whom(self, world: World, review: dict[str, Any]) -> None:
        assert list(review) == list(ApprovalSerializer().fields)
        assert (review["kind"], review["state"]) == ("transfer.review", "open")
        assert review["subject"]["type"] == "transfer"
        assert review["maker"]["id"] == str(world.user.pk)
        assert review["checker"] is None
        one = world.login(Role.CHECKER).get(f"{URL}/{review['id']}")
        assert (one.json(), one["ETag"]) == (review, '"1"')

    def test_lists_are_filtered_by_state_kind_and_subject(self, world: World, review: dict[str, Any]) -> None:
        auditor = world.login(Role.AUDITOR)

        def listed(query: str) -> list[str]:
            return [row["id"] for row in auditor.get(f"{URL}?{query}").json()["results"]]

        assert listed("state=open") == listed("kind=transfer.review") == [review["id"]]
        assert listed("state=approved,rejected") == listed("kind=transfer.override") == []
        assert listed(f"subject={factories.typeid('transfer')}") == []
        assert auditor.get(f"{URL}?subject=none").json()["errors"]["subject"][0]["code"] == "malformed_id"
        assert auditor.get(f"{URL}/{factories.typeid('approval')}").status_code == 404

    def test_a_new_account_number_is_not_shown_sealed_or_hashed(self, world: World) -> None:
        secret = sealed_number(account_id=world.account.id, number="99887766")
        asked = approvals.propose(
            proposal=Proposal(CHANGE_DETAILS, world.account.id, {**secret, "why": "Moved banks"}), actor=MAKER
        )

        answer = world.login(Role.CHECKER).get(f"{URL}/{asked.public_id}")

        shown = {"number_last4": "7766", "iban": False, "number_valid": None, "why": "Moved banks"}
        assert answer.json()["payload"] == shown
        assert answer.json()["subject"]["id"] == world.account.public_id
        assert secret["number_sealed"] not in answer.content.decode()
        assert secret["number_index"] not in answer.content.decode()

    def test_an_outcome_to_be_decided_names_its_transfer(self, world: World) -> None:
        transfer = Transfer.objects.get(pk=ids.decode("transfer", world.request()["id"]))
        known = gather(account_ids=[transfer.source_account_id], max_age=900)
        begin_withdrawals(transfer_ids=[transfer.pk], facts=known, actor=ENGINE)
        payload = {"outcome": "rejected", "why": "No trace of it", "evidence": "letter 7"}
        asked = approvals.propose(proposal=Proposal("transfer.outcome", transfer.pk, payload), actor=MAKER)

        answer = world.login(Role.CHECKER).get(f"{URL}/{asked.public_id}")

        assert answer.json()["subject"]["id"] == transfer.public_id
        assert answer.json()["payload"] == payload


class TestDeciding:
    def test_a_review_that_is_approved_lets_the_transfer_go_on(self, world: World, review: dict[str, Any]) -> None:
        answer = post(world.login(Role.CHECKER), f"{URL}/{review['id']}/approve", {"reason": "known client"})

        assert answer.status_code == 200, answer.content
        assert (answer.json()["id"], answer.json()["state"]) == (review["id"], "approved")
        assert world.client.get(f"{TRANSFERS}/{review['subject']['id']}").json()["state"] == "approved"

    def test_a_review_that_is_rejected_ends_the_transfer(self, world: World, review: dict[str, Any]) -> None:
        answer = post(world.login(Role.COMPLIANCE), f"{URL}/{review['id']}/reject", {"reason": "no"})

        assert (answer.json()["state"], answer.json()["decision_reason"]) == ("rejected", "no")
        assert Transfer.objects.get().state == "rejected"

    def test_the_same_key_gives_the_stored_answer(self, world: World, review: dict[str, Any]) -> None:
        checker, key = world.login(Role.CHECKER), fresh_key()
        first = post(checker, f"{URL}/{review['id']}/approve", **key)

        again = post(checker, f"{URL}/{review['id']}/approve", **key)
        other = post(checker, f"{URL}/{review['id']}/approve")

        assert (again.status_code, again.json()) == (200, first.json())
        assert again["Idempotent-Replayed"] == "true"
        assert outcome(other) == (409, "approval_closed")
        assert outcome(post(checker, f"{URL}/{review['id']}/approve", {"reason": "x"}, **key)) == (
            422,
            "idempotency_key_reused",
        )

    def test_a_key_is_needed_and_a_stale_version_is_refused(self, world: World, review: dict[str, Any]) -> None:
        checker = world.login(Role.CHECKER)
        url = f"{URL}/{review['id']}/approve"

        assert outcome(checker.post(url, {}, format="json")) == (400, "idempotency_key_missing")
        assert outcome(post(checker, url, **{"If-Match": '"7"'})) == (412, "stale_version")
        assert post(checker, url, **{"If-Match": '"1"'}).status_code == 200

    def test_who_asked_cannot_decide_and_the_attempt_is_recorded(self, world: World) -> None:
        both = factories.client_of(factories.make_login(Role.MAKER, Role.CHECKER))
        fund = factories.make_fund(bank=world.bank, second_person_above=1)
        transfer = world.request(both, fund=fund.public_id)
        asked = Approval.objects.get()

        answer = post(both, f"{URL}/{asked.public_id}/approve")

        assert outcome(answer) == (403, "maker_is_checker")
        assert Event.objects.filter(type="approval.refused").count() == 1
        assert Transfer.objects.get().public_id == transfer["id"]
        assert Transfer.objects.get().state == "in_review"

    def test_a_maker_may_not_decide_and_the_attempt_is_recorded(self, world: World, review: dict[str, Any]) -> None:
        answer = post(world.login(Role.MAKER), f"{URL}/{review['id']}/approve")

        assert outcome(answer) == (403, "not_allowed")
        assert Event.objects.filter(type="approval.refused").count() == 1

    def test_a_review_cannot_be_taken_back_without_its_transfer(self, world: World) -> None:
        maker = world.login(Role.MAKER)
        fund = factories.make_fund(bank=world.bank, second_person_above=1)
        transfer = world.request(maker, fund=fund.public_id)
        asked = Approval.objects.get()

        assert outcome(post(maker, f"{URL}/{asked.public_id}/withdraw")) == (409, "not_withdrawable")
        post(maker, f"{TRANSFERS}/{transfer['id']}/cancel")
        asked.refresh_from_db()
        assert asked.state == "withdrawn"


class TestOverrides:
    def held(self, world: World) -> str:
        activate("kyc", {"required": True}, fund_id=world.fund.id)
        return f"{TRANSFERS}/{world.request()['id']}/override"

    def test_a_maker_asks_and_compliance_sets_the_rule_aside(self, world: World) -> None:
        url, key = self.held(world), fresh_key()
        maker = world.login(Role.MAKER)
        body = {"rule": "kyc", "why": "Known client", "evidence": "file 12", "days": 7}

        asked = post(maker, url, body, **key)
        again = post(maker, url, body, **key)

        assert asked.status_code == 202, asked.content
        assert (asked.json()["kind"], asked.json()["payload"]) == ("transfer.override", body)
        assert (again.status_code, again.json(), again["Idempotent-Replayed"]) == (202, asked.json(), "true")
        decide = f"{URL}/{asked.json()['id']}/approve"
        assert outcome(post(world.login(Role.CHECKER), decide)) == (403, "not_allowed")
        assert post(world.login(Role.CHECKER, Role.COMPLIANCE), decide).status_code == 200
        assert RuleOverride.objects.get().rule == "kyc"

    def test_what_cannot_be_set_aside_is_refused_and_keeps_no_key(self, world: World) -> None:
        url, before = self.held(world), IdempotencyKey.objects.count()

        refused = post(world.login(Role.MAKER), url, {"rule": "sanctions", "why": "please"})

        assert outcome(refused) == (422, "not_overridable")
        assert (Approval.objects.filter(kind="transfer.override").count(), IdempotencyKey.objects.count()) == (
            0,
            before,
        )

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ({"why": "x"}, "rule"),
            ({"rule": "kyc"}, "why"),
            ({"rule": "kyc", "why": ""}, "why"),
            ({"rule": 7, "why": "x"}, "rule"),
            ({"rule": "kyc", "why": "x", "days": 0}, "days"),
            ({"rule": "kyc", "why": "x", "days": 10**9}, "days"),
            ({"rule": "kyc", "why": "x", "for": "me"}, "for"),
        ],
    )
    def test_a_malformed_body_names_the_field(self, world: World, body: dict[str, Any], fault: str) -> None:
        answer = post(world.login(Role.MAKER), self.held(world), body)

        assert answer.status_code == 400
        assert fault in answer.json()["errors"]

    def test_the_one_who_asked_takes_it_back(self, world: World) -> None:
        url, maker = self.held(world), world.login(Role.MAKER)
        asked = post(maker, url, {"rule": "kyc", "why": "Known client"}).json()
        key = fresh_key()

        other = post(world.login(Role.MAKER), f"{URL}/{asked['id']}/withdraw")
        first = post(maker, f"{URL}/{asked['id']}/withdraw", {"reason": "wrong rule"}, **key)
        again = post(maker, f"{URL}/{asked['id']}/withdraw", {"reason": "wrong rule"}, **key)

        assert outcome(other) == (403, "not_allowed")
        assert (first.json()["state"], again.json()) == ("withdrawn", first.json())
        assert again["Idempotent-Replayed"] == "true"


class TestReleases:
    def test_a_stop_by_operations_is_undone_by_a_checker(self, world: World) -> None:
        url = f"{TRANSFERS}/{world.request()['id']}"
        post(world.login(Role.MAKER), f"{url}/hold", {"reason": "look at it"})
        checker, key = world.login(Role.CHECKER), fresh_key()

        answer = post(checker, f"{url}/release", {"reason": "looked"}, **key)

        assert (answer.status_code, answer.json()["state"]) == (200, "approved"), answer.content
        assert Approval.objects.get().state == "approved"
        assert post(checker, f"{url}/release", {"reason": "looked"}, **key)["Idempotent-Replayed"] == "true"

    def test_who_asked_for_the_transfer_does_not_release_it(self, world: World) -> None:
        both = factories.client_of(factories.make_login(Role.MAKER, Role.CHECKER))
        url = f"{TRANSFERS}/{world.request(both)['id']}"
        post(both, f"{url}/hold")

        assert outcome(post(both, f"{url}/release")) == (403, "maker_is_checker")

    def test_a_review_of_the_rules_and_an_approved_transfer_are_not_released(
        self, world: World, review: dict[str, Any]
    ) -> None:
        checker = world.login(Role.CHECKER)
        approved = world.request(amount=1_000)

        for transfer in (review["subject"]["id"], approved["id"]):
            assert outcome(post(checker, f"{TRANSFERS}/{transfer}/release")) == (409, "wrong_state")


class TestFreezes:
    def test_compliance_freezes_and_two_of_them_release(self, world: World, withdrawn: Transfer) -> None:
        url, key = f"{TRANSFERS}/{withdrawn.public_id}", fresh_key()
        one, two = world.login(Role.COMPLIANCE), world.login(Role.COMPLIANCE)

        frozen = post(one, f"{url}/freeze", {"reason": "true hit"}, **key)
        again = post(one, f"{url}/freeze", {"reason": "true hit"}, **key)

        assert (frozen.status_code, frozen.json()["state"]) == (200, "frozen"), frozen.content
        assert again["Idempotent-Replayed"] == "true"
        assert outcome(post(world.login(Role.CHECKER), f"{url}/release", {"why": "x"})) == (403, "not_allowed")
        assert outcome(post(one, f"{url}/release")) == (422, "why_missing")
        assert outcome(post(one, f"{url}/release", {"why": "x"}, **{"If-Match": '"1"'})) == (412, "stale_version")
        asked = post(one, f"{url}/release", {"why": "False match"})
        assert (asked.status_code, asked.json()["kind"]) == (202, "transfer.unfreeze")
        decide = f"{URL}/{asked.json()['id']}/approve"
        assert outcome(post(one, decide)) == (403, "maker_is_checker")
        assert post(two, decide).status_code == 200
        assert one.get(url).json()["state"] == "withdrawn"

    def test_only_money_that_is_with_us_is_frozen(self, world: World) -> None:
        answer = post(world.login(Role.COMPLIANCE), f"{TRANSFERS}/{world.request()['id']}/freeze")

        assert outcome(answer) == (409, "wrong_state")


def test_compliance_decides_reviews_on_the_transfer_too(world: World, review: dict[str, Any]) -> None:
    answer = post(world.login(Role.COMPLIANCE), f"{TRANSFERS}/{review['subject']['id']}/approve")

    assert answer.json()["state"] == "approved"
