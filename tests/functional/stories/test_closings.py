"""What a fund's end does to money: it is cut back, its raise fails, an investor leaves it, or goes elsewhere."""

from __future__ import annotations

from bridge.kernel.results import Change
from tests.closings import RETURN_ALL, carried_out, freeze_requests
from tests.functional.stories.manual import Page
from tests.world import INVESTOR
from transfers import services
from transfers.closing import PlanKind, Terms
from transfers.money_approvals import REDIRECT

SIX_HUNDRED = Terms(PlanKind.CUT_BACK, target=600_00)


def test_a_transfer_is_cut_back_while_its_money_is_with_us(page: Page) -> None:
    """The fund takes 600.00 of 1,000.00. What is too much is a transfer of its own and goes back."""
    page.begins("withdrawn")
    assert page.fund is not None
    freeze_requests(page.fund)
    carried_out(page.fund, SIX_HUNDRED)
    page.reads(
        "Two people have agreed to the plan; 400.00 is split off.",
        """
        X1  clearing t2 400.00 ← clearing 400.00
        t1  withdrawn, next deposit
        t2  withdrawn, next refund
        =   investor -1,000.00 · clearing t1 600.00 · clearing t2 400.00
        """,
    )
    page.engine()
    page.reads(
        "Both parts go their ways.",
        """
        D1  deposit in transit 600.00 ← clearing 600.00
        R1  refund in transit 400.00 ← clearing 400.00
        t1  depositing
        t2  refunding
        =   investor -1,000.00 · deposit in transit t1 600.00 · refund in transit t2 400.00
        """,
    )
    page.settles("deposit")
    page.settles("refund", of="t2")
    page.reads(
        "600.00 is invested, 400.00 is back.",
        """
        D2  fund 600.00 ← deposit in transit 600.00
        R2  investor 400.00 ← refund in transit 400.00
        t1  completed
        t2  refunded
        =   investor -600.00 · fund 600.00
        """,
    )
    page.ends(oracle="20a")


def test_a_transfer_is_cut_back_after_completion(page: Page) -> None:
    """The same, when the fund has the money already: the part is split off there and recalled."""
    page.begins("completed")
    assert page.fund is not None
    freeze_requests(page.fund)
    carried_out(page.fund, SIX_HUNDRED)
    page.reads(
        "400.00 in the fund's account is now another transfer, with its part of the place.",
        """
        X1  fund t2 400.00 ← fund 400.00
        t1  completed
        t2  completed, blocked: recall_due
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.engine()
    page.reads(
        "The fund's bank is asked to send it back, which posts nothing.",
        """
        t1  completed
        t2  completed, blocked: recall_open
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.returns("deposit", 400_00)
    page.reads(
        "It does.",
        """
        D4  clearing 400.00 ← fund 400.00
        t1  completed
        t2  withdrawn, next refund
        =   investor -1,000.00 · clearing t2 400.00 · fund 600.00
        """,
    )
    page.engine()
    page.settles("refund", of="t2")
    page.reads(
        "The investor is paid back.",
        """
        R1  refund in transit 400.00 ← clearing 400.00
        R2  investor 400.00 ← refund in transit 400.00
        t1  completed
        t2  refunded
        =   investor -600.00 · fund 600.00
        """,
    )
    page.ends(oracle="20b")


def test_the_raise_fails_and_everything_is_returned_with_interest(page: Page) -> None:
    """The fund did not find enough investors. Everything is recalled; the fund adds interest of 0.12."""
    page.begins("completed")
    assert page.fund is not None
    freeze_requests(page.fund)
    carried_out(page.fund, RETURN_ALL)
    page.engine()
    page.reads(
        "Two people have agreed to return everything; the fund's bank is asked for it.",
        """
        t1  completed, blocked: recall_open
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.returns("deposit", interest=12)
    page.reads(
        "1,000.12 comes back. The interest is the investor's.",
        """
        D4  clearing 1,000.12 ← outside 0.12 + fund 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 1,000.12 · outside -0.12
        """,
    )
    page.engine()
    page.settles("refund")
    page.reads(
        "All of it is refunded.",
        """
        R1  refund in transit 1,000.12 ← clearing 1,000.12
        R2  investor 1,000.12 ← refund in transit 1,000.12
        t1  refunded
        =   investor 0.12 · outside -0.12
        """,
    )
    page.ends(oracle="18")


def test_two_transfers_of_one_investor_of_which_one_is_cancelled(page: Page) -> None:
    """A second transfer of 500.00 into the same fund is cancelled before its money moves."""
    page.begins("withdrawn")
    assert page.fund is not None
    second = page.world.request(page.account, page.fund, 500_00)
    page.reads(
        "Both have their place in the fund, which is one seat.",
        """
        t1  withdrawn, next deposit
        t2  approved
        =   investor -1,000.00 · clearing t1 1,000.00
        """,
    )
    services.cancel_transfers(changes=[Change(second.id)], actor=INVESTOR)
    page.engine()
    page.settles("deposit")
    page.reads(
        "The second is cancelled, and not a cent of it was ever posted. The first goes on.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        t2  cancelled
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="22")


def test_a_transfer_is_redirected_to_another_fund(page: Page) -> None:
    """The money is with us when the investor and the firm agree on another fund. Only fund and place change."""
    page.begins("withdrawn")
    page.other_fund = page.world.fund()
    page.two_people(REDIRECT, {"fund": str(page.other_fund.id), "why": "As the investor asked in writing."})
    page.reads(
        "Two people redirect it: the criteria of the other fund were judged. Nothing is posted.",
        """
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.engine()
    page.settles("deposit")
    page.reads(
        "The other fund gets the money.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        D2  other fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        =   investor -1,000.00 · other fund 1,000.00
        """,
    )
    page.ends(oracle="23")
