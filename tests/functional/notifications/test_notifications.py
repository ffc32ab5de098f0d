from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bridge.events.models import Event
from bridge.kernel import invariants
from bridge.kernel.results import Change, Done
from notifications.models import Notification
from notifications.queries import visible_to
from notifications.receivers import write_notifications
from tests.world import INVESTOR, World, world
from transfers import services
from transfers.models import Transfer
from transfers.signals import Announcement, transfers_changed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def here() -> Iterator[World]:
    with world() as made:
        yield made
        made.check()


def login(name: str, *groups: str, **given: Any) -> User:
    user = User.objects.create_user(name, password="not used here 1", **given)
    user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    return user


class TestEachEventNotifiesOnce:
    def test_a_completed_transfer_tells_its_whole_story(self, here: World) -> None:
        account, fund = here.account(), here.fund(name="Alder Ventures IV")
        transfer = here.request(account, fund, 2_500_000)
        here.run()
        told = Notification.objects.filter(transfer_id=transfer.id).order_by("id")
        events = Event.objects.filter(subject_type="transfer", subject_id=transfer.id).order_by("seq")
        assert [item.type for item in told] == [event.type for event in events]
        assert [item.event_id for item in told] == [event.id for event in events]
        last = told.last()
        assert last is not None
        assert last.type == "transfer.completed"
        assert last.body.startswith("USD 25,000.00 has reached Alder Ventures IV")
        assert f"···{account.number_last4}" in last.body
        assert (last.investor_id, last.fund_id) == (account.investor_id, fund.id)

    def test_what_a_service_refuses_notifies_nobody(self, here: World) -> None:
        transfer = here.request(here.account(), here.fund())
        here.run()
        before = Notification.objects.count()
        services.cancel_transfers(changes=[Change(transfer.id)], actor=INVESTOR)
        assert Notification.objects.count() == before

    def test_a_batch_takes_two_queries_for_names_and_one_insert(self, here: World) -> None:
        funds = [here.fund() for _ in range(3)]
        rows = [(here.account(), funds[number % 3], 1_000_000) for number in range(30)]
        assert all(isinstance(result, Done) for result in here.requests(rows))
        transfers = {row.id: row for row in Transfer.objects.all()}
        announcements = [
            Announcement(event=event, transfer=transfers[event.subject_id])
            for event in Event.objects.filter(subject_type="transfer")
        ]
        assert len(announcements) == 60
        with transaction.atomic():
            Notification.objects.all().delete()
            with CaptureQueriesContext(connection) as captured:
                write_notifications(announcements=announcements)
        assert len(captured) == 3
        assert Notification.objects.count() == 60

    def test_a_receiver_that_fails_takes_the_whole_batch_with_it(self, here: World) -> None:
        account, fund = here.account(), here.fund()

        def fails(**_: Any) -> None:
            raise LookupError("the last receiver fails")

        transfers_changed.connect(fails)
        try:
            with pytest.raises(LookupError):
                here.request(account, fund)
        finally:
            transfers_changed.disconnect(fails)
        assert (Transfer.objects.count(), Notification.objects.count()) == (0, 0)


class TestWhoSeesWhat:
    def test_an_investor_sees_only_what_is_meant_for_its_own_investors(self, here: World) -> None:
        mine, other = login("ada", "investor"), login("bob", "investor")
        account = here.account(investor=here.investor(user_id=mine.id))
        here.request(account, here.fund())
        here.request(here.account(investor=here.investor(user_id=other.id)), here.fund())
        here.run()
        seen = visible_to(mine)
        assert {item.investor_id for item in seen} == {account.investor_id}
        assert all("investor" in item.audiences for item in seen)
        assert not seen.filter(type="transfer.depositing").exists()
        assert Notification.objects.filter(type="transfer.depositing", investor_id=account.investor_id).exists()

    @pytest.mark.parametrize("role", ["maker", "checker", "compliance", "auditor", "service"])
    def test_the_firm_sees_all_that_is_meant_for_operations(self, here: World, role: str) -> None:
        here.request(here.account(), here.fund())
        here.run()
        assert visible_to(login("firm", role)).count() == Notification.objects.count() > 0

    def test_nobody_else_sees_anything(self, here: World) -> None:
        here.request(here.account(), here.fund())
        gone = login("gone", "maker", is_active=False)
        for user in (AnonymousUser(), login("stranger"), login("investor", "investor"), gone):
            assert not visible_to(user).exists()


class TestTheInvariant:
    def verdict(self) -> invariants.Verdict:
        (found,) = [item for item in invariants.all_invariants() if item.name == "I7 notifications"]
        return invariants.verify(found)

    def test_names_the_event_whose_notification_is_gone(self, here: World) -> None:
        transfer = here.request(here.account(), here.fund())
        assert self.verdict().holds
        kept = Notification.objects.get(transfer_id=transfer.id, type="transfer.requested")
        Notification.objects.filter(pk=kept.pk).delete()
        (row,) = self.verdict().rows
        assert (row["event"], row["transfer"], row["type"]) == (kept.event_id, transfer.id, "transfer.requested")
        kept.save(force_insert=True)

    def test_names_a_notification_without_an_event(self, here: World) -> None:
        transfer = here.request(here.account(), here.fund())
        kept = Notification.objects.filter(transfer_id=transfer.id).latest("id")
        stray = Notification.objects.get(pk=kept.pk)
        stray.pk = transfer.id
        stray.save(force_insert=True)
        (row,) = self.verdict().rows
        assert row["event"] == transfer.id
        stray.delete()
