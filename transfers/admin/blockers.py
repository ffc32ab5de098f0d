"""What each blocker means, in plain words, and what is safe to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    title: str
    safe: str


BLOCKERS: dict[str, Advice] = {
    "in_review": Advice(
        "In review",
        "A rule wants a person to look. Read the decisions below, then approve or reject. Whoever asked for the "
        "transfer cannot decide about it.",
    ),
    "held_by_operations": Advice(
        "Held by operations",
        "A colleague stopped it before its money moved. Approve to let it go on, or reject or cancel it: hold and "
        "place are given back.",
    ),
    "waiting_for_place": Advice(
        "Waiting for a place",
        "Only a seat or capacity is missing. It goes on by itself when one becomes free. You may cancel or reject it.",
    ),
    "waiting_for_earlier": Advice(
        "Waiting for an earlier transfer",
        "An earlier transfer of the same account goes first. Nothing needs to be done. Look at the earlier one.",
    ),
    "outcome_unknown": Advice(
        "Outcome unknown",
        "The bank may or may not have acted. Bridge asks by the permanent key and sends nothing twice. Do not pay by "
        "hand. If it stays unknown, ask the bank with the reference below; on evidence, two people may decide.",
    ),
    "deposit_rejected": Advice(
        "Deposit rejected",
        "The money is in the settlement account. Retry sends a new deposit to the fund; refund sends the money back "
        "to the investor. Check the reason first.",
    ),
    "deposit_returned": Advice(
        "Deposit returned",
        "The fund's bank sent the money back. It is in the settlement account. Retry the deposit or refund the "
        "investor.",
    ),
    "fund_closed_after_withdrawal": Advice(
        "Fund closed after the withdrawal",
        "The money is in the settlement account and the fund takes none. Refund the investor, or open the fund again "
        "and retry.",
    ),
    "refund_rejected": Advice(
        "Refund rejected",
        "The money is still in the settlement account. Correct the investor's account with the bank, then refund "
        "again.",
    ),
    "refund_returned": Advice(
        "Refund returned",
        "The refund came back to the settlement account. Find out why, then refund again.",
    ),
    "withdrawal_returned": Advice(
        "Withdrawal returned",
        "The investor's bank took the money back. Pay nothing until it is clear where the money is.",
    ),
    "advance_open": Advice(
        "Advance open",
        "The firm's own money stands in for a returned withdrawal. Ask the fund's bank for a recall, or the investor "
        "to pay again.",
    ),
    "no_place": Advice(
        "No place in the fund",
        "The money is in the settlement account, but seat or capacity is gone. Refund, or raise the fund's limits and "
        "retry.",
    ),
    "short_paid": Advice(
        "Short paid",
        "Less arrived than was ordered. Look at the settled amount of the leg before anything goes on.",
    ),
    "overpaid": Advice(
        "More arrived than ordered",
        "Look at the settled amount of the leg. Nothing moves until somebody decides.",
    ),
    "recall_due": Advice(
        "Recall to be sent",
        "It was decided that the fund's bank is asked to send the deposit back. Nothing needs to be done.",
    ),
    "recall_open": Advice(
        "Recall open",
        "The fund's bank was asked to send the deposit back. It may take days. When the money comes, the investor is "
        "refunded. Call the bank if it stays silent; pay nothing by hand.",
    ),
    "recall_rejected": Advice(
        "Recall refused",
        "The money is still at the fund. Agree with the fund on its return and recall it again, or leave it there.",
    ),
    "waiting_for_escrow": Advice(
        "Waiting for the raise",
        "The money is in the settlement account until the raise reaches its minimum. It goes on by itself.",
    ),
    "waiting_for_minimum": Advice(
        "Waiting for what it tops up",
        "The fund's minimum is reached only with another transfer of this investor that has not come yet. It goes on "
        "by itself, and is given back where the other one fails.",
    ),
    "criteria_on_hold": Advice(
        "A rule wants a person to look",
        "The money is in the settlement account. Read the decisions before the deposit, mend what they name, then "
        "retry; or refund the investor.",
    ),
    "released": Advice(
        "Released from a freeze",
        "The money is in the settlement account and has no place in the fund. Refund the investor, or free a place "
        "and retry.",
    ),
    "engine_fault": Advice(
        "Bridge itself failed on it",
        "Tell the engineers, who have the details in the log. When it is mended, let it go on.",
    ),
    "frozen": Advice(
        "Frozen by law",
        "Nothing may move. Only compliance, two people together, may release it. Tell nobody outside compliance.",
    ),
}
UNKNOWN = Advice("Cannot move by itself", "Read the message and the timeline. Ask a colleague before you act.")


def advice(code: str) -> Advice:
    return BLOCKERS.get(code, UNKNOWN)
