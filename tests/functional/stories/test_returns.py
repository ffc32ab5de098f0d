"""What banks send back after they had settled: before, during and after the deposit, with fees and interest."""

from __future__ import annotations

from bridge.sandbox.model import Fault
from tests.functional.stories.manual import Page


def test_the_deposit_is_returned_after_completion_less_a_fee(page: Page) -> None:
    """The fund's bank sends the deposit back and keeps 0.25 of it. The fund's terms say: refund."""
    page.begins("completed")
    page.returns("deposit", fee=25)
    page.reads(
        "The fund has given up 1,000.00, 999.75 has come back. The place is free again.",
        """
        D4  clearing 999.75 + fees 0.25 ← fund 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 999.75 · fees 0.25
        """,
    )
    page.engine()
    page.settles("refund")
    page.reads(
        "The investor gets what there is.",
        """
        R1  refund in transit 999.75 ← clearing 999.75
        R2  investor 999.75 ← refund in transit 999.75
        t1  refunded
        =   investor -0.25 · fees 0.25
        """,
    )
    page.ends(oracle="05")


def test_the_deposit_is_returned_in_part(page: Page) -> None:
    """400.00 of the deposit comes back. The fund keeps the rest, and so does the investor's place."""
    page.begins("completed")
    page.returns("deposit", 400_00)
    page.reads(
        "What came back is a transfer of its own.",
        """
        D4  clearing 400.00 ← fund 400.00
        X1  clearing t2 400.00 ← clearing 400.00
        t1  completed
        t2  withdrawn, next refund
        =   investor -1,000.00 · clearing t2 400.00 · fund 600.00
        """,
    )
    page.engine()
    page.settles("refund", of="t2")
    page.reads(
        "It is refunded; 600.00 stays invested.",
        """
        R1  refund in transit 400.00 ← clearing 400.00
        R2  investor 400.00 ← refund in transit 400.00
        t1  completed
        t2  refunded
        =   investor -600.00 · fund 600.00
        """,
    )
    page.ends()


def test_the_deposit_is_returned_in_two_parts_with_interest(page: Page) -> None:
    """The fund adds interest to each part. What the bank itemises as interest is not taken for more of the deposit."""
    page.begins("completed")
    page.returns("deposit", 400_00, interest=12)
    page.reads(
        "400.00 and 0.12 of interest come back; 600.00 stays.",
        """
        D4  clearing 400.12 ← outside 0.12 + fund 400.00
        X1  clearing t2 400.12 ← clearing 400.12
        t1  completed
        t2  withdrawn, next refund
        =   investor -1,000.00 · clearing t2 400.12 · fund 600.00 · outside -0.12
        """,
    )
    page.returns("deposit", interest=8)
    page.reads(
        "The rest comes back with 0.08.",
        """
        D4  clearing 600.08 ← outside 0.08 + fund 600.00
        t1  withdrawn, next refund
        t2  withdrawn, next refund
        =   investor -1,000.00 · clearing t1 600.08 · clearing t2 400.12 · outside -0.20
        """,
    )
    page.engine()
    page.settles("refund", of="t1")
    page.settles("refund", of="t2")
    page.reads(
        "All of it is the investor's.",
        """
        R1  refund in transit 600.08 ← clearing 600.08
        R1  refund in transit 400.12 ← clearing 400.12
        R2  investor 600.08 ← refund in transit 600.08
        R2  investor 400.12 ← refund in transit 400.12
        t1  refunded
        t2  refunded
        =   investor 0.20 · outside -0.20
        """,
    )
    page.ends()


def test_the_withdrawal_is_returned_before_the_deposit(page: Page) -> None:
    """The investor's bank takes its payment back while the money is still with us."""
    page.begins("withdrawn")
    page.returns("withdrawal")
    page.reads(
        "The bank has debited our settlement account; the investor has the money.",
        """
        W4  investor 1,000.00 ← clearing 1,000.00
        t1  returned
        =   nothing
        """,
    )
    page.ends(oracle="06")


def test_the_withdrawal_is_returned_while_the_deposit_travels_and_settles(page: Page) -> None:
    """The money is on its way to the fund when the investor's bank takes it back: the firm has paid."""
    page.begins("depositing")
    page.returns("withdrawal")
    page.reads(
        "Nothing of the investor's is left in the account, so the bank took the firm's money: an advance.",
        """
        W4  investor 1,000.00 ← advance 1,000.00
        t1  depositing, blocked: advance_open
        =   deposit in transit 1,000.00 · advance -1,000.00
        """,
    )
    page.settles("deposit")
    page.reads(
        "The deposit settles. The place is the investor's, the claim is the firm's, and it stays in sight.",
        """
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00
        """,
    )
    page.ends(oracle="07a")


def test_the_withdrawal_is_returned_while_the_deposit_travels_and_is_rejected(page: Page) -> None:
    """The same, but the fund's bank refuses the deposit: what comes back repays the firm first."""
    page.begins("depositing")
    page.returns("withdrawal")
    page.rejects("deposit")
    page.reads(
        "The advance is repaid in the same moment, and nothing is left anywhere.",
        """
        W4  investor 1,000.00 ← advance 1,000.00
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  returned
        =   nothing
        """,
    )
    page.ends(oracle="07b")


def test_the_withdrawal_is_returned_after_completion_and_the_fund_sends_it_back(page: Page) -> None:
    """The investor's bank takes the money back when it is in the fund. The firm asks the fund for it."""
    page.begins("completed")
    page.returns("withdrawal")
    page.reads(
        "The firm has paid for the investor's place.",
        """
        W4  investor 1,000.00 ← advance 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00
        """,
    )
    page.recalls()
    page.engine()
    page.reads(
        "A recall is a request. It posts nothing.",
        """
        t1  completed, blocked: recall_open
        =   fund 1,000.00 · advance -1,000.00
        """,
    )
    page.returns("deposit")
    page.reads(
        "The fund's bank sends the deposit back. It repays the firm.",
        """
        D4  clearing 1,000.00 ← fund 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  returned
        =   nothing
        """,
    )
    page.ends(oracle="08")


def test_a_withdrawal_is_returned_sixty_days_later(page: Page) -> None:
    """A debit of a consumer's account may be disputed for sixty days. It is posted whenever it comes."""
    page.begins("completed")
    page.world.advance(days=60)
    page.returns("withdrawal", code="R10")
    page.reads(
        "Two months later the investor's bank has the money back, and the firm an open claim.",
        """
        W4  investor 1,000.00 ← advance 1,000.00
        t1  completed, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00
        """,
    )
    page.ends(oracle="21")


def test_the_withdrawal_is_returned_while_the_refund_travels(page: Page) -> None:
    """The investor is about to get the money twice: by our refund, and by the return of the own bank."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.returns("withdrawal")
    page.reads(
        "The refund is on its way, so the bank took the firm's money.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        W4  investor 1,000.00 ← advance 1,000.00
        t1  refunding, blocked: advance_open
        =   refund in transit 1,000.00 · advance -1,000.00
        """,
    )
    page.settles("refund")
    page.reads(
        "The investor has 1,000.00 too much, and the firm a claim.",
        """
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded, blocked: advance_open
        =   investor 1,000.00 · advance -1,000.00
        """,
    )
    page.ends(oracle="24")


def test_the_refund_settles_and_comes_back(page: Page) -> None:
    """The investor's bank sends the refund back, less 0.25, because the account was closed meanwhile."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.settles("refund")
    page.returns("refund", fee=25, code="R02")
    page.reads(
        "The refund had settled, and 999.75 has come back. People look for another account.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        R4  clearing 999.75 + fees 0.25 ← investor 1,000.00
        t1  withdrawn, blocked: refund_returned
        =   investor -1,000.00 · clearing 999.75 · fees 0.25
        """,
    )
    page.directs("refund")
    page.engine()
    page.settles("refund")
    page.reads(
        "The second refund arrives.",
        """
        R1  refund in transit 999.75 ← clearing 999.75
        R2  investor 999.75 ← refund in transit 999.75
        t1  refunded
        =   investor -0.25 · fees 0.25
        """,
    )
    page.ends()


def test_a_return_is_undone(page: Page) -> None:
    """The investor's bank takes the money back by mistake and pays it again, under the same key."""
    page.begins("withdrawn", on_deposit_failure="hold")
    page.returns("withdrawal")
    page.reads(
        "It came back, and the transfer is over.",
        """
        W4  investor 1,000.00 ← clearing 1,000.00
        t1  returned
        =   nothing
        """,
    )
    page.settles("withdrawal")
    page.reads(
        "It is paid again. What that means, people find out.",
        """
        W5  clearing 1,000.00 ← investor 1,000.00
        t1  withdrawn, blocked: settled_late
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.directs("refund")
    page.engine()
    page.settles("refund")
    page.reads(
        "They refund it.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends()


def test_the_deposit_is_returned_less_a_fee_that_is_no_trifle(page: Page) -> None:
    """The fund's bank itemises what it keeps, 50.00. Then it is a fee, however large, and no part that stayed."""
    page.begins("completed")
    page.returns("deposit", fee=50_00)
    page.reads(
        "The fund has given up everything.",
        """
        D4  clearing 950.00 + fees 50.00 ← fund 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 950.00 · fees 50.00
        """,
    )
    page.ends()


def test_a_part_of_the_withdrawal_is_returned(page: Page) -> None:
    """The investor's bank takes 400.00 back while the money is with us. The transfer is about the rest."""
    page.begins("withdrawn")
    page.returns("withdrawal", 400_00)
    page.reads(
        "600.00 is left, and the place in the fund shrinks with it.",
        """
        W4  investor 400.00 ← clearing 400.00
        t1  withdrawn, next deposit
        =   investor -600.00 · clearing 600.00
        """,
    )
    page.engine()
    page.settles("deposit")
    page.reads(
        "That goes to the fund.",
        """
        D1  deposit in transit 600.00 ← clearing 600.00
        D2  fund 600.00 ← deposit in transit 600.00
        t1  completed
        =   investor -600.00 · fund 600.00
        """,
    )
    page.ends()


def test_the_return_is_the_first_that_anybody_hears(page: Page) -> None:
    """The withdrawal settles and is returned before the bank has told us anything."""
    page.world.fault(Fault.TIMEOUT_AFTER, kind="withdrawal")
    page.world.fault(Fault.LOST_CALLBACK)
    page.begins("withdrawing")
    page.settles("withdrawal")
    page.reads(
        "The bank has settled; its callback is lost.",
        """
        t1  withdrawing, blocked: outcome_unknown
        =   investor -1,000.00 · withdrawal in transit 1,000.00
        """,
    )
    page.returns("withdrawal")
    page.reads(
        "A return implies that it had settled before: both are posted.",
        """
        W2  clearing 1,000.00 ← withdrawal in transit 1,000.00
        W4  investor 1,000.00 ← clearing 1,000.00
        t1  returned
        =   nothing
        """,
    )
    page.ends()


def test_a_bank_keeps_a_fee_of_the_refund(page: Page) -> None:
    """A bank on the way to the investor keeps 0.20 of the refund."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.settles("refund", fee=20)
    page.reads(
        "1,000.00 has left us, 999.80 has reached the investor.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 999.80 + fees 0.20 ← refund in transit 1,000.00
        t1  refunded
        =   investor -0.20 · fees 0.20
        """,
    )
    page.ends()
