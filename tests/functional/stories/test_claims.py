"""What the firm has advanced: recovered, given up, given up by mistake, and recovered after all."""

from __future__ import annotations

from accounts.ledger.models import Posting
from tests.functional.stories.manual import Page
from transfers.money_approvals import WRITE_OFF
from transfers.receipt_approvals import IDENTIFY
from transfers.reversal_approvals import REVERSE

WHY = {"why": "The investor is insolvent, and the fund does not give it back."}


def test_an_advance_is_not_recovered_and_written_off(page: Page) -> None:
    """The investor's bank took the money back after completion, and neither fund nor investor pays."""
    page.begins("completed")
    page.world.funds_float(1_500_00)
    page.returns("withdrawal")
    page.reads(
        "The firm has 1,500.00 of its own in the account, and 1,000.00 of it is out.",
        """
        A3  firm 1,500.00 ← outside 1,500.00
        W4  investor 1,000.00 ← advance 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00 · firm 1,500.00 · outside -1,500.00
        """,
    )
    page.two_people(WRITE_OFF, WHY)
    page.reads(
        "Two people give the claim up. The firm has 500.00 left; the investor keeps the place.",
        """
        A2  advance 1,000.00 ← firm 1,000.00
        t1  completed
        =   fund 1,000.00 · firm 500.00 · outside -1,500.00
        """,
    )
    page.ends(oracle="09a")


def test_an_advance_is_repaid_by_the_investor(page: Page) -> None:
    """The same, but the investor pays again, by a wire that names no order of ours."""
    page.begins("completed")
    page.returns("withdrawal")
    receipt = page.world.receipt(1_000_00, reference="AGAIN, SORRY")
    page.reads(
        "The wire is on the statement, and nobody has placed it yet.",
        """
        W4  investor 1,000.00 ← advance 1,000.00
        S1  suspense 1,000.00 ← outside 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00 · suspense 1,000.00 · outside -1,000.00
        """,
    )
    page.two_people(
        IDENTIFY, {"transfer": str(page.transfer("t1").id), "why": "Named on the wire."}, subject=receipt.id
    )
    page.reads(
        "Two people find whose it is. It repays the firm.",
        """
        S2  advance 1,000.00 ← suspense 1,000.00
        t1  completed
        =   fund 1,000.00 · outside -1,000.00
        """,
    )
    page.ends(oracle="09b")


def test_a_claim_that_was_given_up_is_recovered_after_all(page: Page) -> None:
    """The fund sends the deposit back a year after the firm has written the advance off."""
    page.begins("completed")
    page.world.funds_float(1_500_00)
    page.returns("withdrawal")
    page.two_people(WRITE_OFF, WHY)
    page.returns("deposit")
    page.reads(
        "1,000.00 is back, and no claim is open any more that it could repay. People decide.",
        """
        A3  firm 1,500.00 ← outside 1,500.00
        W4  investor 1,000.00 ← advance 1,000.00
        A2  advance 1,000.00 ← firm 1,000.00
        D4  clearing 1,000.00 ← fund 1,000.00
        t1  withdrawn, blocked: written_off_recovered
        =   clearing 1,000.00 · firm 500.00 · outside -1,500.00
        """,
    )
    written_off = Posting.objects.get(row="A2")
    page.two_people(REVERSE, {"why": "The fund has paid."}, subject=written_off.id)
    page.reads(
        "The write-off is taken back, so the claim is open again, and the money repays it.",
        """
        X2  firm 1,000.00 ← advance 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  returned
        =   firm 1,500.00 · outside -1,500.00
        """,
    )
    page.ends()


def test_a_write_off_was_a_mistake(page: Page) -> None:
    """Two people wrote the wrong claim off. Nothing is erased: the posting is reversed, once."""
    page.begins("completed")
    page.world.funds_float(1_500_00)
    page.returns("withdrawal")
    page.two_people(WRITE_OFF, WHY)
    page.reads(
        "Written off.",
        """
        A3  firm 1,500.00 ← outside 1,500.00
        W4  investor 1,000.00 ← advance 1,000.00
        A2  advance 1,000.00 ← firm 1,000.00
        t1  completed
        =   fund 1,000.00 · firm 500.00 · outside -1,500.00
        """,
    )
    page.two_people(REVERSE, {"why": "It was another transfer."}, subject=Posting.objects.get(row="A2").id)
    page.reads(
        "Every line of it negated; the claim is open again.",
        """
        X2  firm 1,000.00 ← advance 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00 · firm 1,500.00 · outside -1,500.00
        """,
    )
    page.ends()
