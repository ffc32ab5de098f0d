"""Many at once for the same seats, dollars, transfer or key: the database decides, and exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from django.db import transaction

from accounts.models import InvestorAccount
from bridge.events import queries as events
from bridge.kernel import clock, idempotency
from bridge.kernel.errors import RequestInFlight
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Result, Role
from funds.models import Allocation, Fund, FundCapacity
from tests.concurrency.crowd import at_once, errors
from tests.concurrency.rivals import rival
from tests.world import INVESTOR, World
from transfers import facts, services
from transfers.engine import drain
from transfers.models import BankInstruction, Transfer, Work

AMOUNT = 1_000_000


def wish(account: InvestorAccount, fund: Fund, amount: int = AMOUNT) -> Callable[[], list[Result]]:
    """A call that asks for one transfer, its facts gathered beforehand."""
    known = facts.gather(account_ids=[account.id], max_age=900)
    wanted = [services.TransferRequest(account.id, fund.id, amount, account.currency)]
    return partial(services.request_transfers, requests=wanted, actor=INVESTOR, facts=known)  # type: ignore[arg-type]


def told(transfer: Transfer) -> list[str]:
    return [event.type for event in events.timeline(subject_type="transfer", subject_id=transfer.id)]


def states() -> Counter[str]:
    return Counter(Transfer.objects.values_list("state", flat=True))


class TestSeatsAndDollars:
    def test_64_clients_sell_exactly_100_seats(self, bridge: World) -> None:
        """Each client brings two investors; the money of all who got a seat then crosses the bridge."""
        fund = bridge.fund(seat_limit=100)
        clients = [[wish(bridge.account(), fund) for _ in range(2)] for _ in range(64)]

        def client(wishes: Sequence[Callable[[], list[Result]]]) -> list[Result]:
            return [result for call in wishes for result in call()]

        results = at_once([partial(client, wishes) for wishes in clients])
        assert errors(results) == []
        assert states() == {"approved": 100, "waitlisted": 28}
        bridge.run(rounds=8)
        assert states() == {"completed": 100, "waitlisted": 28}
        capacity = FundCapacity.objects.get(fund=fund)
        assert (capacity.seats_taken, capacity.reserved, capacity.confirmed) == (100, 0, 100 * AMOUNT)
        assert Allocation.objects.filter(fund=fund, confirmed=AMOUNT).count() == 100

    def test_64_investors_for_the_last_10_seats(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=10)
        calls = [wish(bridge.account(), fund) for _ in range(64)]
        assert errors(at_once(calls)) == []
        assert states() == {"approved": 10, "waitlisted": 54}
        capacity = FundCapacity.objects.get(fund=fund)
        assert (capacity.seats_taken, capacity.reserved) == (10, 10 * AMOUNT)
        assert Allocation.objects.filter(fund=fund, reserved__gt=0).count() == 10

    def test_the_hard_cap_is_reached_and_never_passed(self, bridge: World) -> None:
        fund = bridge.fund(hard_cap=10 * AMOUNT + AMOUNT // 2)
        calls = [wish(bridge.account(), fund) for _ in range(40)]
        assert errors(at_once(calls)) == []
        assert states() == {"approved": 10, "waitlisted": 30}
        assert FundCapacity.objects.get(fund=fund).reserved == 10 * AMOUNT

    def test_one_investor_with_many_transfers_takes_one_seat(self, bridge: World) -> None:
        fund, investor = bridge.fund(seat_limit=1), bridge.investor()
        calls = [wish(bridge.account(investor=investor), fund, AMOUNT + n) for n in range(16)]
        assert errors(at_once(calls)) == []
        assert states() == {"approved": 16}
        assert FundCapacity.objects.get(fund=fund).seats_taken == 1
        assert Allocation.objects.get(fund=fund, investor=investor).reserved == sum(AMOUNT + n for n in range(16))

    def test_an_account_is_never_promised_more_than_it_has(self, bridge: World) -> None:
        account, fund = bridge.account(balance=5 * AMOUNT + 9), bridge.fund()
        calls = [wish(account, bridge.fund() if n % 2 else fund, AMOUNT - n) for n in range(24)]
        assert errors(at_once(calls)) == []
        account.refresh_from_db()
        assert account.held <= 5 * AMOUNT + 9
        assert states()["approved"] == 5
        assert states()["rejected"] == 19

    def test_places_in_the_order_of_an_account_are_given_once_each(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        calls = [wish(account, fund, AMOUNT + n) for n in range(32)]
        assert errors(at_once(calls)) == []
        assert sorted(Transfer.objects.values_list("account_seq", flat=True)) == list(range(1, 33))

    def test_seats_change_hands_while_they_are_wanted(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=10)
        sitting = [bridge.request(bridge.account(), fund) for _ in range(10)]
        leaving = [partial(services.cancel_transfers, changes=[Change(row.id)], actor=INVESTOR) for row in sitting[:5]]
        coming = [wish(bridge.account(), fund) for _ in range(20)]
        assert errors(at_once([*leaving, *coming])) == []
        assert states()["approved"] <= 10
        bridge.run(rounds=12)
        assert states() == {"cancelled": 5, "completed": 10, "waitlisted": 15}


class TestOneTransferManyHands:
    def test_32_decisions_have_one_winner(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.request(account, fund)
        transfer = bridge.request(account, fund)  # the same again: waits for a checker
        assert transfer.state == "in_review"
        known = facts.gather(account_ids=[account.id], max_age=900)
        changes = [Change(transfer.id, transfer.version)]
        before = told(transfer)
        calls: list[Callable[[], object]] = []
        for n in range(32):
            checker = Actor(f"checker-{n}", Role.CHECKER, Channel.ADMIN)
            calls.append(
                [
                    partial(services.approve_transfers, changes=changes, actor=checker, facts=known),
                    partial(services.cancel_transfers, changes=changes, actor=INVESTOR),
                    partial(services.reject_transfers, changes=changes, actor=checker),
                    partial(services.refund_transfers, changes=changes, actor=checker),
                ][n % 4]
            )
        results = at_once(calls)
        assert errors(results) == []
        outcomes = [result[0] for result in results]  # type: ignore[index]
        assert sum(isinstance(outcome, Done) for outcome in outcomes) == 1
        refused = {outcome.error.code for outcome in outcomes if isinstance(outcome, Refused)}
        assert refused <= {"stale_version", "wrong_state"}
        assert "stale_version" in refused
        assert bridge.fresh(transfer).version == transfer.version + 1
        (event,) = told(transfer)[len(before) :]
        assert event == f"transfer.{bridge.fresh(transfer).state}"

    def test_32_without_a_version_are_told_the_state(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund())
        calls = [partial(services.cancel_transfers, changes=[Change(transfer.id)], actor=INVESTOR) for _ in range(32)]
        outcomes = [result[0] for result in at_once(calls)]  # type: ignore[index]
        assert sum(isinstance(outcome, Done) for outcome in outcomes) == 1
        assert {outcome.error.code for outcome in outcomes if isinstance(outcome, Refused)} == {"wrong_state"}

    def test_a_refund_is_directed_once_and_sent_once(self, bridge: World) -> None:
        from bridge.sandbox.model import Fault
        from tests.world import HARBOR

        fund = bridge.fund(on_deposit_failure="hold")
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        transfer = bridge.request(bridge.account(), fund)
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).blocker_code == "deposit_rejected"
        checkers = [Actor(f"checker-{n}", Role.CHECKER, Channel.ADMIN) for n in range(32)]
        calls = [
            partial(
                services.refund_transfers if n % 2 else services.retry_transfers,
                changes=[Change(transfer.id)],
                actor=checker,
            )
            for n, checker in enumerate(checkers)
        ]
        outcomes = [result[0] for result in at_once(calls)]  # type: ignore[index]
        assert sum(isinstance(outcome, Done) for outcome in outcomes) == 1
        assert {outcome.error.code for outcome in outcomes if isinstance(outcome, Refused)} == {"nothing_waits"}
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).state in ("refunded", "completed")
        assert BankInstruction.objects.filter(transfer=transfer).exclude(kind="withdrawal").count() == 2

    def test_a_cancel_beside_the_engine_either_wins_or_comes_too_late(self, bridge: World) -> None:
        from transfers.engine import drain

        fund = bridge.fund()
        transfers = [bridge.request(bridge.account(), fund) for _ in range(12)]
        cancels = [partial(services.cancel_transfers, changes=[Change(row.id)], actor=INVESTOR) for row in transfers]
        assert errors(at_once([drain, drain, *cancels])) == []
        bridge.run(rounds=12)
        assert set(states()) <= {"cancelled", "completed"}
        sent = {i.terms.key for i in bridge.bank.books.instructions.values() if i.terms.kind == "withdrawal"}
        assert len(sent) == states()["completed"]


class TestOneKey:
    def test_100_requests_with_one_key_make_one_transfer(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        known = facts.gather(account_ids=[account.id], max_age=900)
        body = {"amount": AMOUNT}
        key = Key.of(principal="7", method="POST", route="/transfers", key="the-key", body=body)

        def render(opened: Sequence[services.Opened]) -> list[Answer]:
            return [Answer(201, {"id": str(one.transfer.id)}) for one in opened]

        call = partial(
            services.request_transfers_once,
            requests=[services.TransferRequest(account.id, fund.id, AMOUNT, "USD")],
            keys=[key],
            actor=INVESTOR,
            facts=known,
            render=render,
        )
        results = at_once([call] * 100)
        assert errors(results) == []
        told = [result[0] for result in results]  # type: ignore[index]
        assert {type(answer.error) for answer in told if isinstance(answer, Refused)} <= {RequestInFlight}
        answers = [answer for answer in told if isinstance(answer, Answer)]
        assert sum(not answer.replayed for answer in answers) == 1
        (transfer,) = Transfer.objects.all()
        assert {answer.body["id"] for answer in answers} == {str(transfer.id)}
        (again,) = call()
        assert isinstance(again, Answer)
        assert again.replayed
        assert again.body == {"id": str(transfer.id)}
        assert Work.objects.count() == 1

    def test_an_answer_stored_after_we_looked_is_given_and_nothing_is_done_twice(self, bridge: World) -> None:
        """Whoever had the key committed between our look and our taking it: here, while we are at work."""
        account, fund = bridge.account(), bridge.fund()
        key = Key.of(principal="7", method="POST", route="/transfers", key="the-key", body={"amount": AMOUNT})
        begun = []

        def store() -> None:
            with transaction.atomic():
                idempotency.keep(key, Answer(201, {"id": "the first"}), at=clock.now())

        def render(opened: Sequence[services.Opened]) -> list[Answer]:
            begun.append(opened)
            assert errors(at_once([store])) == []
            return [Answer(201, {"id": "the second"})]

        (answer,) = services.request_transfers_once(
            requests=[services.TransferRequest(account.id, fund.id, AMOUNT, "USD")],
            keys=[key],
            actor=INVESTOR,
            facts=facts.gather(account_ids=[account.id], max_age=900),
            render=render,
        )
        assert isinstance(answer, Answer)
        assert (answer.body, answer.replayed, len(begun)) == ({"id": "the first"}, True, 1)
        account.refresh_from_db()
        assert (Transfer.objects.count(), Work.objects.count(), account.held) == (0, 0, 0)


def test_who_changes_nothing_of_a_fund_does_not_wait_for_it(bridge: World) -> None:
    """Somebody holds the fund's capacity all the while; only the end of a transfer, which confirms, needs it."""
    account, fund = bridge.account(), bridge.fund()
    transfer = bridge.request(account, fund, AMOUNT)
    with rival(first=FundCapacity.objects.get(fund=fund), second=account, times=1) as other:
        drain()
        assert bridge.fresh(transfer).state == "withdrawing"
        bridge.advance(seconds=2)
        bridge.receive()
        drain()
        assert bridge.fresh(transfer).state == "depositing"
    assert other.victims == 0
    bridge.run()
    assert bridge.fresh(transfer).state == "completed"
