"""What banks refuse, and what becomes of the money then."""

from __future__ import annotations

from bridge.kernel.results import Change
from funds.services import set_fund_status
from tests.functional.stories.manual import Page
from tests.functional.treasury.test_redirecting import onto, verified
from tests.world import CHECKER
from transfers.approvals import UNFREEZE
from transfers.money_approvals import PAY_ELSEWHERE


def test_the_withdrawal_is_rejected(page: Page) -> None:
    """The investor's bank refuses: nothing has moved, hold and place are given back."""
    page.begins("withdrawing")
    page.rejects("withdrawal", code="R16", reason="Account frozen")
    page.reads(
        "The posting of the order is taken back by its opposite; nothing is erased.",
        """
        W3  investor 1,000.00 ← withdrawal in transit 1,000.00
        t1  failed
        =   nothing
        """,
    )
    page.ends(oracle="02")


def test_the_deposit_is_rejected_and_refunded(page: Page) -> None:
    """The fund's bank refuses the money. The fund's terms say: refund."""
    page.begins("depositing")
    page.rejects("deposit")
    page.reads(
        "The money is in the settlement account again, and shall go back.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.engine()
    page.reads(
        "Bridge orders the refund; the place in the fund is given back.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        t1  refunding
        =   investor -1,000.00 · refund in transit 1,000.00
        """,
    )
    page.settles("refund")
    page.reads(
        "The investor has everything again.",
        """
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends(oracle="03")


def test_the_deposit_is_rejected_and_tried_again(page: Page) -> None:
    """The same, where the fund's terms let people decide. The retry is a new order with a new key."""
    page.begins("depositing", on_deposit_failure="hold")
    page.rejects("deposit")
    page.reads(
        "People are asked.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        t1  withdrawn, blocked: deposit_rejected
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.directs("deposit")
    page.engine()
    page.reads(
        "They have it sent once more.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        t1  depositing
        =   investor -1,000.00 · deposit in transit 1,000.00
        """,
    )
    page.settles("deposit")
    page.reads(
        "This time the fund's bank takes it.",
        """
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="04")


def test_the_refund_is_rejected_and_sent_again(page: Page) -> None:
    """The investor's bank refuses the refund. What happens next is never automatic."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.rejects("refund", code="R03", reason="No account")
    page.reads(
        "Deposit and refund were both refused; the money is with us.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R3  clearing 1,000.00 ← refund in transit 1,000.00
        t1  withdrawn, blocked: refund_rejected
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.directs("refund")
    page.engine()
    page.settles("refund")
    page.reads(
        "The account was put right, and the refund sent under a new key.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends(oracle="10a")


def test_the_fund_closes_between_the_legs(page: Page) -> None:
    """The money is with us when the fund closes. Its criteria are judged again before the deposit, and fail."""
    page.begins("withdrawn")
    assert page.fund is not None
    set_fund_status(changes=[Change(page.fund.id)], status="closed", actor=CHECKER)
    page.engine()
    page.reads(
        "The fund takes nobody any more: Bridge turns back and orders the refund.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        t1  refunding
        =   investor -1,000.00 · refund in transit 1,000.00
        """,
    )
    page.settles("refund")
    page.reads(
        "The investor has everything again.",
        """
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends(oracle="17")


def test_a_sanctions_hit_after_the_withdrawal(page: Page) -> None:
    """A true match: the money is blocked where it is. No deadline, no refund, until a licence or a false match."""
    page.begins("withdrawn")
    page.freezes()
    page.reads(
        "Compliance blocks it; the place in the fund is given back.",
        """
        Z1  frozen 1,000.00 ← clearing 1,000.00
        t1  frozen, blocked: frozen
        =   investor -1,000.00 · frozen 1,000.00
        """,
    )
    page.ends(oracle="19a")
    page.world.advance(days=200)
    page.engine()
    page.reads(
        "Half a year later nothing has moved by itself.",
        """
        t1  frozen, blocked: frozen
        =   investor -1,000.00 · frozen 1,000.00
        """,
    )
    page.two_people(UNFREEZE, {"why": "Licence 2026-77", "evidence": "the licence"}, compliance=True)
    page.reads(
        "Two people of compliance release it under a licence. What then, people decide.",
        """
        Z2  clearing 1,000.00 ← frozen 1,000.00
        t1  withdrawn, blocked: released
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.directs("refund")
    page.engine()
    page.settles("refund")
    page.reads(
        "It is refunded.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends(oracle="19b")


def test_the_refund_is_rejected_and_paid_to_another_account(page: Page) -> None:
    """The investor's account is closed. The refund goes to another account of the same investor."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.rejects("refund")
    page.other_account = verified(page.world, page.transfer("t1"))
    page.two_people(PAY_ELSEWHERE, onto(page.other_account))
    page.reads(
        "Two people choose the other account, whose details a third had verified.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R3  clearing 1,000.00 ← refund in transit 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.engine()
    page.settles("refund")
    page.reads(
        "The money left one account of the investor and came back to another.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  other account 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   investor -1,000.00 · other account 1,000.00
        """,
    )
    page.ends(oracle="10a")


def test_a_refund_paid_to_another_account_comes_back_from_there(page: Page) -> None:
    """The same, and the other account refuses it days later: it is booked from where it had gone."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.rejects("refund")
    page.other_account = verified(page.world, page.transfer("t1"))
    page.two_people(PAY_ELSEWHERE, onto(page.other_account))
    page.engine()
    page.settles("refund")
    page.returns("refund", fee=25)
    page.reads(
        "999.75 has come back from the other account.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R3  clearing 1,000.00 ← refund in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  other account 1,000.00 ← refund in transit 1,000.00
        R4  clearing 999.75 + fees 0.25 ← other account 1,000.00
        t1  withdrawn, blocked: refund_returned
        =   investor -1,000.00 · clearing 999.75 · fees 0.25
        """,
    )
    page.ends()
