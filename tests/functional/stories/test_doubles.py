"""What banks book twice under one key, or late, after we had taken it for refused."""

from __future__ import annotations

from tests.functional.stories.manual import Page


def test_the_withdrawal_is_settled_twice(page: Page) -> None:
    """The investor's bank books the withdrawal a second time while the deposit travels."""
    page.begins("depositing")
    page.settles("withdrawal")
    page.reads(
        "Another 1,000.00 has come: a transfer of its own, to be refunded.",
        """
        W5  clearing 1,000.00 ← investor 1,000.00
        X1  clearing t2 1,000.00 ← clearing 1,000.00
        t1  depositing
        t2  withdrawn, next refund
        =   investor -2,000.00 · clearing t2 1,000.00 · deposit in transit t1 1,000.00
        """,
    )
    page.settles("deposit")
    page.engine()
    page.settles("refund", of="t2")
    page.reads(
        "The deposit settles, and what came twice goes back.",
        """
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  completed
        t2  refunded
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="14a")


def test_the_deposit_is_settled_twice(page: Page) -> None:
    """The fund's bank books the deposit a second time: 1,000.00 of the firm's money is in the fund."""
    page.begins("completed")
    page.settles("deposit")
    page.reads(
        "The settlement account was debited twice. The second time it was the firm's money.",
        """
        D5  fund 1,000.00 ← advance 1,000.00
        t1  completed, blocked: advance_open
        =   investor -1,000.00 · fund 2,000.00 · advance -1,000.00
        """,
    )
    page.returns("deposit", 1_000_00)
    page.reads(
        "The fund's bank sends the second payment back, and the firm is repaid.",
        """
        D4  clearing 1,000.00 ← fund 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="14b")


def test_the_refund_is_settled_twice(page: Page) -> None:
    """The investor's bank books the refund a second time: the investor has 1,000.00 of the firm's."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.settles("refund")
    page.settles("refund")
    page.reads(
        "The second payment was the firm's money.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        R5  investor 1,000.00 ← advance 1,000.00
        t1  refunded, blocked: advance_open
        =   investor 1,000.00 · advance -1,000.00
        """,
    )
    page.returns("refund", 1_000_00)
    page.reads(
        "The investor's bank sends it back, and the firm is repaid.",
        """
        R4  clearing 1,000.00 ← investor 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends()


def test_a_deposit_taken_for_rejected_settles_after_the_refund(page: Page) -> None:
    """The fund's bank refused; the investor was refunded; then the fund's bank settles after all."""
    page.begins("depositing")
    page.rejects("deposit")
    page.engine()
    page.settles("refund")
    page.settles("deposit")
    page.reads(
        "The fund has money for which the firm has paid.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        D5  fund 1,000.00 ← advance 1,000.00
        t1  refunded, blocked: advance_open
        =   fund 1,000.00 · advance -1,000.00
        """,
    )
    page.recalls()
    page.engine()
    page.returns("deposit")
    page.reads(
        "The fund's bank is asked for it and sends it back.",
        """
        D4  clearing 1,000.00 ← fund 1,000.00
        A1  advance 1,000.00 ← clearing 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends(oracle="16b")


def test_a_deposit_taken_for_rejected_settles_before_the_refund(page: Page) -> None:
    """The same, but the money is still with us: then the deposit is simply paid for, and the transfer complete."""
    page.begins("depositing", on_deposit_failure="hold")
    page.rejects("deposit")
    page.settles("deposit")
    page.reads(
        "The bank had said no and has done it all the same.",
        """
        D3  clearing 1,000.00 ← deposit in transit 1,000.00
        D5  fund 1,000.00 ← clearing 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends()


def test_a_withdrawal_taken_for_rejected_settles(page: Page) -> None:
    """The investor's bank said no, and yet the money comes."""
    page.begins("withdrawing")
    page.rejects("withdrawal")
    page.settles("withdrawal")
    page.reads(
        "It is posted, and goes back: the place in the fund was given up.",
        """
        W3  investor 1,000.00 ← withdrawal in transit 1,000.00
        W5  clearing 1,000.00 ← investor 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.engine()
    page.settles("refund")
    page.reads(
        "The investor is paid back.",
        """
        R1  refund in transit 1,000.00 ← clearing 1,000.00
        R2  investor 1,000.00 ← refund in transit 1,000.00
        t1  refunded
        =   nothing
        """,
    )
    page.ends()
