"""Money that crosses the bridge: as it should, for less, for more, and when nobody knows at first."""

from __future__ import annotations

from django.test import override_settings

from bridge.sandbox.model import Fault
from tests.functional.stories.manual import Page
from transfers.manual_outcomes import OUTCOME


def test_money_crosses_the_bridge(page: Page) -> None:
    """Happy path. Four postings, one for every time that a bank is asked or has answered."""
    page.begins("approved")
    page.reads(
        "Criteria, hold and place are in order. Nothing has moved.",
        """
        t1  approved
        =   nothing
        """,
    )
    page.engine()
    page.reads(
        "Bridge orders the withdrawal; the intent is posted before the bank is called.",
        """
        W1  withdrawal in transit 1,000.00 ← investor 1,000.00
        t1  withdrawing
        =   investor -1,000.00 · withdrawal in transit 1,000.00
        """,
    )
    page.settles("withdrawal")
    page.reads(
        "The investor's bank has credited our settlement account.",
        """
        W2  clearing 1,000.00 ← withdrawal in transit 1,000.00
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 1,000.00
        """,
    )
    page.engine()
    page.reads(
        "The criteria are judged once more, and Bridge remits to the fund.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        t1  depositing
        =   investor -1,000.00 · deposit in transit 1,000.00
        """,
    )
    page.settles("deposit")
    page.reads(
        "The fund's bank has credited the fund. The place is confirmed.",
        """
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="01")


def test_a_short_pay_in_is_accepted(page: Page) -> None:
    """A bank on the way keeps 0.20 of the withdrawal. What arrived counts, and it is within the tolerance."""
    page.begins("withdrawing")
    page.settles("withdrawal", 999_80, fee=20)
    page.reads(
        "999.80 is credited, 0.20 was kept on the way. The transfer is now about 999.80.",
        """
        W2  clearing 999.80 + fees 0.20 ← withdrawal in transit 1,000.00
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 999.80 · fees 0.20
        """,
    )
    page.engine()
    page.reads(
        "Bridge remits what it has.",
        """
        D1  deposit in transit 999.80 ← clearing 999.80
        t1  depositing
        =   investor -1,000.00 · deposit in transit 999.80 · fees 0.20
        """,
    )
    page.settles("deposit")
    page.reads(
        "The fund has 999.80.",
        """
        D2  fund 999.80 ← deposit in transit 999.80
        t1  completed
        =   investor -1,000.00 · fund 999.80 · fees 0.20
        """,
    )
    page.ends(oracle="11a")


def test_a_short_pay_in_is_topped_up_by_the_firm(page: Page) -> None:
    """The same, where the firm has decided to bear such fees: it adds 0.20 of its own money in the account."""
    page.begins("withdrawing")
    page.world.funds_float(10_00)
    page.reads(
        "The firm has put 10.00 of its own into the settlement account.",
        """
        A3  firm 10.00 ← outside 10.00
        t1  withdrawing
        =   investor -1,000.00 · withdrawal in transit 1,000.00 · firm 10.00 · outside -10.00
        """,
    )
    with override_settings(BRIDGE_POLICY={"short_pay": "top_up"}):
        page.settles("withdrawal", 999_80, fee=20)
    page.reads(
        "0.20 was kept on the way, and the firm adds it at once.",
        """
        W2  clearing 999.80 + fees 0.20 ← withdrawal in transit 1,000.00
        A4  clearing 0.20 ← firm 0.20
        t1  withdrawn, next deposit
        =   investor -1,000.00 · clearing 1,000.00 · firm 9.80 · fees 0.20 · outside -10.00
        """,
    )
    page.engine()
    page.settles("deposit")
    page.reads(
        "The fund gets the whole 1,000.00.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 1,000.00 · firm 9.80 · fees 0.20 · outside -10.00
        """,
    )
    page.ends(oracle="11b")


def test_a_short_pay_in_is_refunded(page: Page) -> None:
    """The same, where the policy is to refund whatever arrives short."""
    page.begins("withdrawing")
    with override_settings(BRIDGE_POLICY={"short_pay": "refund"}):
        page.settles("withdrawal", 999_80, fee=20)
    page.reads(
        "0.20 was kept on the way; the rest shall go back.",
        """
        W2  clearing 999.80 + fees 0.20 ← withdrawal in transit 1,000.00
        t1  withdrawn, next refund
        =   investor -1,000.00 · clearing 999.80 · fees 0.20
        """,
    )
    page.engine()
    page.reads(
        "Bridge orders the refund.",
        """
        R1  refund in transit 999.80 ← clearing 999.80
        t1  refunding
        =   investor -1,000.00 · refund in transit 999.80 · fees 0.20
        """,
    )
    page.settles("refund")
    page.reads(
        "The investor has 999.80 again and has borne the fee.",
        """
        R2  investor 999.80 ← refund in transit 999.80
        t1  refunded
        =   investor -0.20 · fees 0.20
        """,
    )
    page.ends()


def test_less_arrives_than_anybody_tolerates(page: Page) -> None:
    """600.00 of 1,000.00 arrives, and no fee explains it: never debited, so it is still the investor's."""
    page.begins("withdrawing")
    page.settles("withdrawal", 600_00)
    page.reads(
        "Only 600.00 was moved at all. People decide.",
        """
        W2  clearing 600.00 + investor 400.00 ← withdrawal in transit 1,000.00
        t1  withdrawn, blocked: short_paid
        =   investor -600.00 · clearing 600.00
        """,
    )
    page.directs("deposit")
    page.engine()
    page.settles("deposit")
    page.reads(
        "They go on with what there is.",
        """
        D1  deposit in transit 600.00 ← clearing 600.00
        D2  fund 600.00 ← deposit in transit 600.00
        t1  completed
        =   investor -600.00 · fund 600.00
        """,
    )
    page.ends()


def test_a_short_pay_out(page: Page) -> None:
    """A bank on the way to the fund keeps 0.20 of the deposit."""
    page.begins("depositing")
    page.settles("deposit", 999_80, fee=20)
    page.reads(
        "1,000.00 has left us, 999.80 has reached the fund.",
        """
        D2  fund 999.80 + fees 0.20 ← deposit in transit 1,000.00
        t1  completed
        =   investor -1,000.00 · fund 999.80 · fees 0.20
        """,
    )
    page.ends(oracle="12")


def test_an_overpay_is_split_and_refunded(page: Page) -> None:
    """The investor's bank sends 1,000.20 for an order of 1,000.00. The surplus is a transfer of its own."""
    page.begins("withdrawing")
    page.settles("withdrawal", 1_000_20)
    page.reads(
        "The surplus came out of the investor's account too; it is split off and has no place in the fund.",
        """
        W2  clearing 1,000.20 ← investor 0.20 + withdrawal in transit 1,000.00
        X1  clearing t2 0.20 ← clearing 0.20
        t1  withdrawn, next deposit
        t2  withdrawn, next refund
        =   investor -1,000.20 · clearing t1 1,000.00 · clearing t2 0.20
        """,
    )
    page.engine()
    page.reads(
        "The ordered amount goes to the fund, the surplus back.",
        """
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        R1  refund in transit 0.20 ← clearing 0.20
        t1  depositing
        t2  refunding
        =   investor -1,000.20 · deposit in transit t1 1,000.00 · refund in transit t2 0.20
        """,
    )
    page.settles("deposit")
    page.settles("refund", of="t2")
    page.reads(
        "Both banks have settled.",
        """
        D2  fund 1,000.00 ← deposit in transit 1,000.00
        R2  investor 0.20 ← refund in transit 0.20
        t1  completed
        t2  refunded
        =   investor -1,000.00 · fund 1,000.00
        """,
    )
    page.ends(oracle="13")


def test_an_unknown_withdrawal_is_found_settled(page: Page) -> None:
    """The bank's answer is lost, and so is its callback. Bridge asks by the key and finds that the bank has acted."""
    page.world.fault(Fault.TIMEOUT_AFTER, kind="withdrawal")
    page.world.fault(Fault.LOST_CALLBACK, count=None)
    page.begins("withdrawing")
    page.reads(
        "No answer came. That is not a failure: nothing is sent twice, nothing is given back.",
        """
        t1  withdrawing, blocked: outcome_unknown
        =   investor -1,000.00 · withdrawal in transit 1,000.00
        """,
    )
    page.settles("withdrawal")
    page.reads(
        "The bank settles, and nobody tells us.",
        """
        t1  withdrawing, blocked: outcome_unknown
        =   investor -1,000.00 · withdrawal in transit 1,000.00
        """,
    )
    page.world.advance(minutes=6)
    page.engine()
    page.reads(
        "Bridge asks by the key, hears that it has settled, and goes on.",
        """
        W2  clearing 1,000.00 ← withdrawal in transit 1,000.00
        D1  deposit in transit 1,000.00 ← clearing 1,000.00
        t1  depositing
        =   investor -1,000.00 · deposit in transit 1,000.00
        """,
    )
    page.ends()


def test_a_withdrawal_found_never_received_settles_after_all(page: Page) -> None:
    """The bank never answered. Two people decide on its letter that it never got the order; then it settles."""
    page.world.fault(Fault.TIMEOUT_LATE, kind="withdrawal", seconds=40 * 86_400)
    page.begins("withdrawing")
    page.reads(
        "No answer came.",
        """
        t1  withdrawing, blocked: outcome_unknown
        =   investor -1,000.00 · withdrawal in transit 1,000.00
        """,
    )
    why = {"outcome": "rejected", "why": "The bank wrote that it has no such order.", "evidence": "letter of today"}
    page.two_people(OUTCOME, why)
    page.reads(
        "Two people decide that it was never received: the investor has the money, the place is free.",
        """
        W3  investor 1,000.00 ← withdrawal in transit 1,000.00
        t1  failed
        =   nothing
        """,
    )
    page.world.advance(days=41)
    page.hears()
    page.settles("withdrawal")
    page.reads(
        "Weeks later the bank finds the order and settles it. The money is here: it is posted, and goes back.",
        """
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
    page.ends(oracle="16")
