"""Money that no order of ours explains."""

from __future__ import annotations

from bridge.kernel import clock
from tests.functional.stories.manual import Page
from transfers.receipt_approvals import IDENTIFY, SEND_BACK


def test_a_bank_charge_on_no_payment(page: Page) -> None:
    """The bank charges 0.75 for the account. The firm bears it, whoever's money lies there."""
    page.begins("withdrawn")
    page.world.funds_float(10_00)
    page.reads(
        "10.00 of the firm's and 1,000.00 of an investor's lie in the account.",
        """
        A3  firm 10.00 ← outside 10.00
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 1,000.00 · firm 10.00 · outside -10.00
        """,
    )
    page.world.arrives(-75, kind="fee", reference="Account fee")
    page.world.take_in()
    page.reads(
        "The day's statement is taken in: the charge is on it, and no payment has it.",
        """
        F1  fees 0.75 ← firm 0.75
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 1,000.00 · firm 9.25 · fees 0.75 · outside -10.00
        """,
    )
    page.ends()


def test_a_stray_credit(page: Page) -> None:
    """5.00 arrives, and nobody knows whose it is."""
    page.begins("approved")
    page.world.arrives(5_00, reference="INVOICE 77", sender="alderbank")
    page.world.take_in()
    page.reads(
        "The day's statement is taken in. Until somebody identifies it, it is nobody's.",
        """
        S1  suspense 5.00 ← outside 5.00
        t1  approved
        =   suspense 5.00 · outside -5.00
        """,
    )
    page.ends()


def test_a_stray_credit_goes_back_and_the_bank_charges(page: Page) -> None:
    """5.00 arrives by mistake and is sent back; the bank charges 0.75, which the firm bears."""
    page.begins("approved")
    page.world.funds_float(10_00)
    receipt = page.world.receipt(5_00, reference="INVOICE 77", sender="alderbank")
    page.reads(
        "The firm has put 10.00 in, and 5.00 of somebody else has come.",
        """
        A3  firm 10.00 ← outside 10.00
        S1  suspense 5.00 ← outside 5.00
        t1  approved
        =   firm 10.00 · suspense 5.00 · outside -15.00
        """,
    )
    page.world.arrives(-5_00, reference="OUT-77")
    payload = {"bank_reference": "OUT-77", "paid_on": clock.now().date().isoformat(), "why": "Not ours."}
    page.two_people(SEND_BACK, payload, subject=receipt.id)
    page.reads(
        "Two people find out that it is not ours, and it goes back.",
        """
        S3  outside 5.00 ← suspense 5.00
        t1  approved
        =   firm 10.00 · outside -10.00
        """,
    )
    page.world.arrives(-75, kind="fee", reference="Account fee")
    page.world.take_in()
    page.reads(
        "The next statement has both the payment back and a charge.",
        """
        F1  fees 0.75 ← firm 0.75
        t1  approved
        =   firm 9.25 · fees 0.75 · outside -10.00
        """,
    )
    page.ends(oracle="25")


def test_the_rest_of_a_short_pay_comes_under_no_key(page: Page) -> None:
    """600.00 of 1,000.00 arrives under our key, and two days later 400.00 under none."""
    page.begins("withdrawing")
    page.settles("withdrawal", 600_00)
    receipt = page.world.receipt(400_00, reference="REST")
    page.reads(
        "People wait; then a wire comes that nobody can place.",
        """
        W2  clearing 600.00 + investor 400.00 ← withdrawal in transit 1,000.00
        S1  suspense 400.00 ← outside 400.00
        t1  withdrawn, blocked: short_paid
        =   investor -600.00 · clearing 600.00 · suspense 400.00 · outside -400.00
        """,
    )
    why = {"transfer": str(page.transfer("t1").id), "why": "The investor's bank confirms."}
    page.two_people(IDENTIFY, why, subject=receipt.id)
    page.reads(
        "Two people find that it is the missing part. The transfer is whole again.",
        """
        S2  clearing 400.00 ← suspense 400.00
        t1  withdrawn, next deposit
        =   investor -600.00 · clearing 1,000.00 · outside -400.00
        """,
    )
    page.engine()
    page.settles("deposit")
    page.reads(
        "The fund gets 1,000.00.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        =   investor -600.00 · fund 1,000.00 · outside -400.00
        """,
    )
    page.ends()
