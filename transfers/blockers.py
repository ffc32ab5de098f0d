"""Every reason for which a transfer waits: what it means, whose it is, and what is safe to do. Pure.

One registry for the services, which refuse every deed that it does not allow; for the console and the API, which offer
what it allows and nothing else; for `work_due`; and for the table in `docs/OPERATIONS.md`. The database refuses a code
that is not in it, and a test finds every code that the services write.

A deed is safe when it cannot pay the same money twice, whatever the banks turn out to have done. So what a bank has
not answered has one deed only: two people say what became of it, on evidence.

Longer than most modules: a table of all blockers is one thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bridge.kernel.results import Role
from transfers.states import (
    AT_THE_FUND,
    CANCELLABLE,
    ENGINE_FAULT,
    RECALL_DUE,
    RECALL_OPEN,
    RECALL_REJECTED,
    RESUMES_AT,
    NextStep,
    State,
)

OPERATIONS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
DECIDERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
COMPLIANCE = frozenset({Role.COMPLIANCE})
OWNERS = frozenset({Role.INVESTOR, Role.SERVICE, Role.MAKER})

S = State


class Deed(StrEnum):
    """What people may do. The verb is that of the service, of the console's button and of the route."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    HOLD = "hold"
    RETRY = "retry"
    REFUND = "refund"
    RESUME = "resume"
    RECALL = "recall"
    LEAVE = "leave"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    OUTCOME = "outcome"
    ASIDE = "aside"
    TOP_UP = "top_up"
    IDENTIFY = "identify"
    PAY_ELSEWHERE = "pay_elsewhere"
    REDIRECT = "redirect"
    WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class Rule:
    """`label` on the button, `roles` that may, `states` in which it has a meaning. `pair`: it is asked for, and a
    second person decides."""

    label: str
    roles: frozenset[Role]
    states: tuple[State, ...]
    pair: bool = False


DEEDS: dict[Deed, Rule] = {
    Deed.APPROVE: Rule("Approve", DECIDERS, (S.IN_REVIEW,)),
    Deed.REJECT: Rule("Reject", DECIDERS, CANCELLABLE),
    Deed.CANCEL: Rule("Cancel", OWNERS, CANCELLABLE),
    Deed.HOLD: Rule("Hold for review", OPERATIONS, (S.APPROVED,)),
    Deed.RETRY: Rule("Retry the deposit", OPERATIONS, (S.WITHDRAWN,)),
    Deed.REFUND: Rule("Refund the investor", OPERATIONS, (S.WITHDRAWN,)),
    Deed.RESUME: Rule("Go on", OPERATIONS, (*RESUMES_AT, S.WITHDRAWN)),
    Deed.RECALL: Rule("Recall the deposit", DECIDERS, AT_THE_FUND),
    Deed.LEAVE: Rule("Leave it at the fund", DECIDERS, AT_THE_FUND),
    Deed.FREEZE: Rule("Freeze", COMPLIANCE, (S.WITHDRAWN,)),
    Deed.UNFREEZE: Rule("Propose release", COMPLIANCE, (S.FROZEN,), pair=True),
    Deed.OUTCOME: Rule("Decide the outcome", OPERATIONS, (S.WITHDRAWING, S.DEPOSITING, S.REFUNDING), pair=True),
    Deed.ASIDE: Rule(
        "Ask to set a rule aside", OPERATIONS, (S.IN_REVIEW, S.WAITLISTED, S.APPROVED, S.WITHDRAWN), pair=True
    ),
    Deed.TOP_UP: Rule("Top up from the float", OPERATIONS, (S.WITHDRAWN,)),
    Deed.IDENTIFY: Rule("Find its receipt", OPERATIONS, (S.WITHDRAWN, *AT_THE_FUND), pair=True),
    Deed.PAY_ELSEWHERE: Rule("Refund to another account", OPERATIONS, (S.WITHDRAWN,), pair=True),
    Deed.REDIRECT: Rule("Redirect to another fund", OPERATIONS, (S.WITHDRAWN,), pair=True),
    Deed.WRITE_OFF: Rule("Write off the advance", OPERATIONS, (S.WITHDRAWN, *AT_THE_FUND), pair=True),
}
ALWAYS = (Deed.FREEZE, Deed.ASIDE)  # whatever else stands in the way, where their states fit
UNBLOCKED = (Deed.CANCEL, Deed.REJECT, Deed.HOLD, Deed.RECALL, Deed.REDIRECT)  # of a transfer that nothing stops


class Queue(StrEnum):
    """Who works on it. The order is that of `work_due`."""

    ASK_THE_BANK = "ask the bank"
    FIRM_MONEY = "firm's money"
    COMPENSATE = "compensate"
    REVIEW = "review"
    COMPLIANCE = "compliance"
    RECALLS = "recalls"
    ENGINEERING = "engineering"
    RECONCILE = "reconcile"
    WAITING = "waiting"
    MOVING = "moving"


class Urgency(StrEnum):
    """`now`: money or trust is at stake with every hour. `soon`: somebody must decide. `watch`: nobody needs to act."""

    NOW = "now"
    SOON = "soon"
    WATCH = "watch"


class Closing(StrEnum):
    """What an approved closing plan does with money in clearing that has this blocker."""

    REFUNDS = "refunds it"
    GOES_BACK = "lets it go back, as it does already"
    WAITS = "waits for people"


@dataclass(frozen=True, slots=True)
class Blocker:
    """`means` tells what happened and `safe` what to do, both in plain words. `moves`: what moves it without people;
    empty where nothing does."""

    code: str
    title: str
    means: str
    safe: str
    queue: Queue
    urgency: Urgency
    deeds: tuple[Deed, ...]
    moves: str = ""
    closing: Closing = Closing.WAITS


_BEFORE = (Deed.APPROVE, Deed.REJECT, Deed.CANCEL)
_OFF = (Deed.CANCEL, Deed.REJECT, Deed.HOLD)
_EITHER = (Deed.RETRY, Deed.REFUND)
Q, U, C = Queue, Urgency, Closing

_ALL = (
    Blocker(
        "in_review",
        "In review",
        "A rule wants a person to look before the money moves.",
        "Read the decisions, then approve or reject. Whoever asked for the transfer cannot decide about it.",
        Q.REVIEW,
        U.SOON,
        _BEFORE,
    ),
    Blocker(
        "held_by_operations",
        "Held by operations",
        "A colleague stopped it before its money moved.",
        "Approve to let it go on, or reject or cancel it: hold and place are given back.",
        Q.REVIEW,
        U.SOON,
        _BEFORE,
    ),
    Blocker(
        "waiting_for_place",
        "Waiting for a place",
        "Only a seat or capacity in the fund is missing.",
        "Nothing needs to be done. You may cancel or reject it.",
        Q.WAITING,
        U.WATCH,
        (Deed.CANCEL, Deed.REJECT),
        moves="a place that becomes free, in the order of requests",
    ),
    Blocker(
        "waiting_for_earlier",
        "Waiting for an earlier transfer",
        "An earlier transfer of the same account goes first.",
        "Nothing needs to be done. Look at the earlier one.",
        Q.WAITING,
        U.WATCH,
        _OFF,
        moves="the end of the earlier withdrawal",
    ),
    Blocker(
        "stopped",
        "Stopped",
        "People stopped new payments for this fund, institution or all of Bridge. Nothing new is sent.",
        "Release the stop when its reason is gone; it then goes on by itself. Before money moves you may cancel it.",
        Q.WAITING,
        U.WATCH,
        _OFF,
        moves="the release of the stop",
    ),
    Blocker(
        "exposure_limit",
        "Too much on the bridge",
        "As much money as allowed is on its way already.",
        "Nothing needs to be done: it goes on when earlier money has arrived. Two people may raise the limit.",
        Q.WAITING,
        U.WATCH,
        _OFF,
        moves="money that arrives, or a higher limit",
    ),
    Blocker(
        "advance_uncovered",
        "The firm's float is short",
        "The firm's own money does not cover what it stands in for. No withdrawal begins until it does.",
        "Fund the firm's float at the settlement bank, or collect open advances.",
        Q.FIRM_MONEY,
        U.NOW,
        _OFF,
        moves="the firm's float once it covers its advances",
    ),
    Blocker(
        "institution_unreachable",
        "The bank cannot be reached",
        "The institution does not answer, so nothing new is sent to it.",
        "Ask the institution when it will be back. Bridge tries again by itself; nothing is sent twice.",
        Q.ASK_THE_BANK,
        U.SOON,
        _OFF,
        moves="the institution's next answer",
    ),
    Blocker(
        "outcome_unknown",
        "Outcome unknown",
        "The bank may or may not have acted, and has not told us.",
        "Bridge asks by the permanent key and sends nothing twice. Do not pay by hand. If it stays unknown, ask the "
        "bank with the reference of the leg; on evidence, two people decide.",
        Q.ASK_THE_BANK,
        U.NOW,
        (Deed.OUTCOME,),
        moves="the bank's answer; Bridge keeps asking",
    ),
    Blocker(
        "acknowledgement_overdue",
        "No answer in time",
        "The bank should have accepted or refused by now. Whether it acted is not known.",
        "Call the bank with the reference of the leg. Do not pay by hand. Bridge keeps asking and sends nothing twice; "
        "on evidence, two people decide.",
        Q.ASK_THE_BANK,
        U.NOW,
        (Deed.OUTCOME,),
        moves="the bank's answer; Bridge keeps asking",
    ),
    Blocker(
        "settlement_overdue",
        "Not settled in time",
        "The bank accepted the payment and should have settled it by now.",
        "Ask the bank to trace it, with the reference of the leg. Pay nothing by hand. On evidence, two people decide.",
        Q.ASK_THE_BANK,
        U.NOW,
        (Deed.OUTCOME,),
        moves="the settlement, the rejection or the return that the bank reports",
    ),
    Blocker(
        "deposit_rejected",
        "Deposit rejected",
        "The fund's bank did not take the deposit. The money is in the settlement account.",
        "Check the reason. Retry sends a new deposit to the fund; refund sends the money back to the investor; "
        "redirect sends it to another fund.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "deposit_returned",
        "Deposit returned",
        "The fund's bank sent the money back. It is in the settlement account.",
        "Find out why, then retry the deposit, refund the investor, or redirect it to another fund.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "fund_closed_after_withdrawal",
        "The fund takes it no more",
        "The money is in the settlement account, and the fund's criteria are no longer met.",
        "Refund the investor; or redirect it to another fund; or mend what the decisions name, and retry.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "criteria_on_hold",
        "A rule wants a person to look",
        "The money is in the settlement account, and a rule stops the deposit until somebody has looked.",
        "Read the decisions before the deposit, mend what they name, then retry; or refund or redirect it.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "no_place",
        "No place in the fund",
        "The fund has no place for it. The money is in the settlement account, or with the fund where it says so.",
        "Refund, redirect, or raise the fund's limits and retry; what is with the fund is recalled.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT, Deed.RECALL),
        closing=C.REFUNDS,
    ),
    Blocker(
        "short_paid",
        "Short paid",
        "Less arrived than was ordered.",
        "Compare the settled amount of the leg with the order. Retry sends on what there is; refund sends it back; the "
        "firm may top it up.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.TOP_UP, Deed.IDENTIFY, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "overpaid",
        "More arrived than ordered",
        "The institution paid more than it was asked for. All of it is in the settlement account.",
        "Look at the settled amount of the leg. Refund it, or retry the deposit with what arrived.",
        Q.COMPENSATE,
        U.SOON,
        _EITHER,
        closing=C.REFUNDS,
    ),
    Blocker(
        "settled_late",
        "Arrived after the end",
        "Money arrived for a transfer that had ended. It is in the settlement account and has no place in the fund.",
        "Refund the investor, or free a place and retry the deposit.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
        closing=C.REFUNDS,
    ),
    Blocker(
        "refund_rejected",
        "Refund rejected",
        "The investor's bank did not take the refund. The money is still in the settlement account.",
        "Correct the account with the bank, then refund again; or refund to another account of the investor.",
        Q.COMPENSATE,
        U.NOW,
        (*_EITHER, Deed.PAY_ELSEWHERE),
        closing=C.GOES_BACK,
    ),
    Blocker(
        "refund_returned",
        "Refund returned",
        "The refund came back. The money is in the settlement account.",
        "Find out why, then refund again, or to another account of the investor.",
        Q.COMPENSATE,
        U.NOW,
        (*_EITHER, Deed.PAY_ELSEWHERE),
        closing=C.GOES_BACK,
    ),
    Blocker(
        "released",
        "Released from a freeze",
        "The money is in the settlement account and has no place in the fund.",
        "Refund the investor, or free a place and retry.",
        Q.COMPENSATE,
        U.SOON,
        (*_EITHER, Deed.REDIRECT),
    ),
    Blocker(
        "withdrawal_returned",
        "Withdrawal returned",
        "The investor's bank took back a part of the money that it had paid.",
        "What is left is in the settlement account. Refund it, or retry the deposit with it.",
        Q.COMPENSATE,
        U.NOW,
        (*_EITHER, Deed.TOP_UP, Deed.IDENTIFY, Deed.REDIRECT),
    ),
    Blocker(
        "advance_open",
        "Advance open",
        "The firm's own money stands in for money that left the settlement account unwanted.",
        "Ask the fund's bank for a recall, or the investor to pay again. What arrives repays the advance by itself. "
        "Two people write off what will not come back.",
        Q.FIRM_MONEY,
        U.NOW,
        (Deed.RECALL, Deed.REFUND, Deed.OUTCOME, Deed.IDENTIFY, Deed.WRITE_OFF),
    ),
    Blocker(
        "written_off_recovered",
        "Came back after a write-off",
        "Money arrived for which the firm had written off an advance. It is in the settlement account.",
        "Reverse the write-off, so that the money repays the firm; or refund the investor.",
        Q.FIRM_MONEY,
        U.SOON,
        (Deed.REFUND,),
    ),
    Blocker(
        RECALL_DUE,
        "Recall to be sent",
        "It was decided that the fund's bank is asked to send the deposit back.",
        "Nothing needs to be done.",
        Q.RECALLS,
        U.WATCH,
        (),
        moves="Bridge, at once",
    ),
    Blocker(
        RECALL_OPEN,
        "Recall open",
        "The fund's bank was asked to send the deposit back. It may take days.",
        "When the money comes, the investor is refunded. Call the bank if it stays silent; pay nothing by hand.",
        Q.RECALLS,
        U.WATCH,
        (),
        moves="the money that the fund's bank sends back, or its refusal; Bridge keeps asking",
    ),
    Blocker(
        RECALL_REJECTED,
        "Recall refused",
        "The fund's bank will not send the deposit back. The money is still at the fund.",
        "Agree with the fund on its return and recall it again, or leave it there.",
        Q.RECALLS,
        U.SOON,
        (Deed.RECALL, Deed.LEAVE),
    ),
    Blocker(
        "waiting_for_escrow",
        "Waiting for the raise",
        "The money is in the settlement account until the raise reaches its minimum.",
        "Nothing needs to be done. If the raise fails, close the fund with a plan that returns all.",
        Q.WAITING,
        U.WATCH,
        (),
        moves="the raise once it reaches its minimum",
        closing=C.REFUNDS,
    ),
    Blocker(
        "waiting_for_minimum",
        "Waiting for what it tops up",
        "The fund's minimum is reached only with another transfer of this investor that has not come yet.",
        "Nothing needs to be done. It is given back where the other one fails.",
        Q.WAITING,
        U.WATCH,
        (),
        moves="the transfer that it tops up",
        closing=C.REFUNDS,
    ),
    Blocker(
        ENGINE_FAULT,
        "Bridge itself failed on it",
        "Bridge could not work on this transfer. Nothing was sent that is not recorded.",
        "Tell the engineers, who have the details in the log. When it is mended, let it go on.",
        Q.ENGINEERING,
        U.NOW,
        (Deed.RESUME, Deed.CANCEL, Deed.REJECT, Deed.REFUND),
    ),
    Blocker(
        "frozen",
        "Frozen by law",
        "Nothing may move: the law blocks this money.",
        "Only compliance, two people together, may release it. Tell nobody outside compliance.",
        Q.COMPLIANCE,
        U.WATCH,
        (Deed.UNFREEZE,),
    ),
)
BLOCKERS: dict[str, Blocker] = {blocker.code: blocker for blocker in _ALL}
UNSURE = tuple(blocker.code for blocker in _ALL if blocker.deeds == (Deed.OUTCOME,))


class UnknownBlocker(LookupError):
    """A service names a blocker that is not in the registry: add it here, with a migration for the database."""


def of(code: str) -> Blocker:
    """Raises `UnknownBlocker`."""
    try:
        return BLOCKERS[code]
    except KeyError:
        raise UnknownBlocker(code) from None


def allowed(*, state: str, next_step: str = "", blocker_code: str = "") -> tuple[Deed, ...]:
    """What people may do about a transfer as it stands, in the order of the buttons; by whom is in `DEEDS`.

    Money in clearing that moves by itself is neither retried nor refunded, unless the engine failed on it.
    """
    named = of(blocker_code).deeds if blocker_code else UNBLOCKED
    moves = state == State.WITHDRAWN and next_step != NextStep.NONE and blocker_code != ENGINE_FAULT
    barred: tuple[Deed, ...] = (Deed.RETRY, Deed.REFUND) if moves else ()
    if not blocker_code and state != State.COMPLETED:
        barred += (Deed.RECALL,)  # of one that ended elsewhere, only what a blocker says is still at the fund
    return tuple(
        deed
        for deed in DEEDS
        if deed in (*named, *ALWAYS) and deed not in barred and State(state) in DEEDS[deed].states
    )


def closing_codes(*ways: Closing) -> tuple[str, ...]:
    """Blockers whose money an approved closing plan treats in one of these ways."""
    return tuple(blocker.code for blocker in _ALL if blocker.closing in ways)


def roles_for(deeds: Iterable[Deed]) -> frozenset[Role]:
    """Who may take at least one of these."""
    return frozenset(role for deed in deeds for role in DEEDS[deed].roles)
