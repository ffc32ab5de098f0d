"""Who is told what about which event: one table, from event type to audiences, title and body. Pure.

Texts are for people: amounts with their currency, names instead of ids, no account number but its last four digits.
A freeze is told to operations only: telling the investor would warn a person whom the law may forbid us to warn. What
investors may know of why is decided in `transfers.disclosure`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, NamedTuple

from bridge.kernel.money import display
from notifications.models import Notification
from transfers import disclosure
from transfers.event_types import EventType as T

INVESTOR = Notification.Audience.INVESTOR
FUND = Notification.Audience.FUND
OPERATIONS = Notification.Audience.OPERATIONS
EVERYBODY = (INVESTOR, FUND, OPERATIONS)
OURS = (INVESTOR, OPERATIONS)

LONGEST_NAME = 70
LONGEST_REASON = 160
LONGEST_BODY = 500


class Parties(NamedTuple):
    """The names that a text may use. `last4` are the last digits of the investor's account number."""

    investor: str
    account: str
    last4: str
    fund: str


class Message(NamedTuple):
    audiences: tuple[str, ...]
    title: str
    body: str


_Value = Callable[[Mapping[str, Any], Parties], str]


class _Text:
    """`body` names between braces what is worked out for each event; nothing else is."""

    def __init__(self, audiences: tuple[str, ...], title: str, body: str) -> None:
        self.audiences = tuple(map(str, audiences))
        self.title, self.body = title, body
        self.staff_only = self.audiences == (str(OPERATIONS),)
        self._parts = [(said, name) for said, name, _, _ in Formatter().parse(body)]

    def told(self, data: Mapping[str, Any], parties: Parties) -> str:
        text = "".join([said if name is None else said + _VALUES[name](data, parties) for said, name in self._parts])
        return _clip(text.strip(), LONGEST_BODY)


_WHAT = "{what}"  # how much from whom to where

TEXTS: dict[str, _Text] = {
    T.REQUESTED: _Text(OURS, "Transfer requested", f"A transfer of {_WHAT} was requested."),
    T.APPROVED: _Text(EVERYBODY, "Transfer approved", f"{_WHAT} is approved. The place in the fund is reserved."),
    T.HELD: _Text(OURS, "Transfer in review", f"{_WHAT} waits for a review. The money stays with the investor."),
    T.WAITLISTED: _Text(EVERYBODY, "Transfer on the waiting list", f"{_WHAT} waits for a place in the fund.{{reason}}"),
    T.REJECTED: _Text(OURS, "Transfer rejected", f"{_WHAT} was rejected. No money has moved.{{reason}}"),
    T.CANCELLED: _Text(EVERYBODY, "Transfer cancelled", f"{_WHAT} was cancelled. No money has moved.{{reason}}"),
    T.EXPIRED: _Text(
        EVERYBODY, "Transfer expired", f"{_WHAT} was not carried out in time and has ended. No money has moved."
    ),
    T.WITHDRAWING: _Text(OURS, "Withdrawal sent", f"The investor's institution was asked to pay out {_WHAT}."),
    T.WITHDRAWN: _Text(
        OURS, "Withdrawal settled", f"{{settled}} has arrived for the transfer of {_WHAT}.{{fee}} {{next_step}}"
    ),
    T.FAILED: _Text(EVERYBODY, "Withdrawal rejected", f"The investor's institution did not pay out {_WHAT}.{{reason}}"),
    T.DEPOSITING: _Text((FUND, OPERATIONS), "Deposit sent", f"{_WHAT} is on its way to the fund's account."),
    T.COMPLETED: _Text(
        EVERYBODY, "Transfer completed", f"{{settled}} has reached {{fund}} for the transfer of {_WHAT}.{{fee}}"
    ),
    T.DEPOSIT_REJECTED: _Text(
        EVERYBODY, "Deposit rejected", f"The fund's institution did not take {_WHAT}.{{reason}} {{next_step}}"
    ),
    T.DEPOSIT_RETURNED: _Text(
        EVERYBODY, "Deposit returned", f"The fund's institution sent back {_WHAT}.{{reason}} {{next_step}}"
    ),
    T.REFUND_DUE: _Text(
        EVERYBODY, "Refund decided", f"{_WHAT} cannot go on to the fund. The money goes back to the account.{{reason}}"
    ),
    T.REFUNDING: _Text(OURS, "Refund sent", f"The money of the transfer of {_WHAT} is on its way back to the account."),
    T.REFUNDED: _Text(
        EVERYBODY, "Transfer refunded", f"{{settled}} is back in the investor's account: {_WHAT} has ended.{{fee}}"
    ),
    T.REFUND_REJECTED: _Text(
        OURS, "Refund rejected", f"The investor's institution did not take back the money of {_WHAT}.{{reason}}"
    ),
    T.RETURNED: _Text(
        EVERYBODY, "Withdrawal returned", f"{{returned}} went back to the investor's institution: {_WHAT} has ended."
    ),
    T.REOPENED: _Text(
        OURS, "Transfer open again", f"Money has arrived for the transfer of {_WHAT}, which had ended. {{next_step}}"
    ),
    T.FROZEN: _Text((OPERATIONS,), "Transfer frozen", f"The money of {_WHAT} is blocked by law. Compliance decides."),
    T.UNFROZEN: _Text((OPERATIONS,), "Transfer released", f"The money of {_WHAT} is free again. {{next_step}}"),
    T.BLOCKED: _Text((OPERATIONS,), "Transfer needs attention", f"{_WHAT} cannot move by itself.{{reason}}"),
    T.UNBLOCKED: _Text((OPERATIONS,), "Transfer moves again", f"{_WHAT} moves by itself again."),
    T.SETTLED_AGAIN: _Text(
        (OPERATIONS,), "Settled late or twice", f"{{settled}} has moved once more, or late, for {_WHAT}."
    ),
    T.ADVANCE_OPENED: _Text(
        (OPERATIONS,), "The firm advances money", f"The firm has advanced {{advance}} for {_WHAT}. Get it back."
    ),
    T.ADVANCE_CLOSED: _Text((OPERATIONS,), "Advance closed", f"Nothing is advanced any more for {_WHAT}."),
    T.TOPPED_UP: _Text((OPERATIONS,), "Transfer topped up", f"{{before}} became {_WHAT}.{{reason}}"),
    T.SPLIT: _Text(EVERYBODY, "Transfer split", f"{_WHAT} goes on; {{split}} was taken off it.{{reason}}"),
    T.SPLIT_OFF: _Text(OURS, "Part of a transfer", f"{_WHAT} was taken off another transfer.{{reason}} {{next_step}}"),
    T.REDUCED: _Text(EVERYBODY, "Transfer reduced", f"{{before}} was reduced: now {_WHAT}.{{reason}}"),
    T.RECALL_DUE: _Text(EVERYBODY, "Recall decided", f"The fund's bank is asked to send back {_WHAT}.{{reason}}"),
    T.RECALLING: _Text((FUND, OPERATIONS), "Recall sent", f"The fund's bank was asked to send back {_WHAT}."),
    T.RECALL_REJECTED: _Text(
        (FUND, OPERATIONS), "Recall refused", f"The fund's bank will not send back {_WHAT}.{{reason}}"
    ),
    T.IDENTIFIED: _Text(
        OURS, "Payment received", f"{{received}} has arrived and was found to belong to the transfer of {_WHAT}."
    ),
    T.WRITTEN_OFF: _Text(
        (OPERATIONS,),
        "Advance written off",
        f"The firm gave up {{written_off}} that it had advanced for {_WHAT}.{{reason}}",
    ),
    T.CORRECTED: _Text(
        (OPERATIONS,),
        "Posting reversed",
        f"A posting of {{corrected}} for {_WHAT} was our mistake and is reversed.{{reason}}",
    ),
    T.REDIRECTED: _Text(EVERYBODY, "Transfer redirected", f"{_WHAT}: the money goes to this fund instead.{{reason}}"),
    T.REFUND_REDIRECTED: _Text(
        OURS,
        "Refund to another account",
        f"The refund of {_WHAT} goes to another account of the investor, ···{{paid_last4}}.",
    ),
}

# What is about no single transfer: operations read the event's own message under this title.
HOUSE: dict[str, str] = {
    T.ALARM_RAISED: "Limit near or reached",
    T.ALARM_CLEARED: "Below the limit again",
    T.CIRCUIT_OPENED: "An institution does not answer",
    T.CIRCUIT_CLOSED: "The institution answers again",
    T.STOP_SET: "Withdrawals stopped",
    T.STOP_WIDENED: "Deposits stopped too",
    T.STOP_LIFTED: "Stop lifted",
}

NEXT = {
    "deposit": "The deposit to the fund follows.",
    "refund": "The money goes back to the investor's account.",
    "none": "Operations decide what comes next.",
}


def known_types() -> list[str]:
    """The types of events that somebody is told about."""
    return [str(kind) for kind in (*TEXTS, *HOUSE)]


def notifies(event_type: str) -> bool:
    return event_type in TEXTS


def house_message(event_type: str, data: Mapping[str, Any]) -> Message:
    """The message about one event of `HOUSE`."""
    return Message((OPERATIONS,), HOUSE[event_type], _clip(str(data["message"]), LONGEST_BODY))


def message_for(event_type: str, data: Mapping[str, Any], parties: Parties, *, by: str = "") -> Message:
    """The message about one event. `data` is the event's: amounts in minor units of `data["currency"]`; `by` the role
    of who did it.

    Raises `KeyError` for a type that notifies nobody (see `notifies`) or whose data lacks the amount.
    """
    text = TEXTS[event_type]
    if not text.staff_only:
        data = disclosure.event_data(event_type, data, by=by)
    return Message(text.audiences, text.title, text.told(data, parties))


def _money(name: str, otherwise: str = "") -> _Value:
    """An amount of the event's data; where it has none, another one of it, or nothing."""
    return lambda data, parties: display(data.get(name, data[otherwise] if otherwise else 0), data["currency"])


def _what(data: Mapping[str, Any], parties: Parties) -> str:
    investor, account, last4, fund = parties
    if len(investor) + len(account) + len(fund) > LONGEST_NAME:
        investor, account, fund = (_clip(name, LONGEST_NAME) for name in (investor, account, fund))
    return f"{display(data['amount'], data['currency'])} from {investor} ({account} ···{last4}) to {fund}"


def _fee(data: Mapping[str, Any], currency: str) -> str:
    fee = data.get("fee") or 0
    return f" The institution kept a fee of {display(fee, currency)}." if fee else ""


def _reason(data: Mapping[str, Any]) -> str:
    """The reason as a sentence of its own, from whichever field this type of event has."""
    said = [str(item.get("reason", "")) for item in data.get("reasons") or []]
    said = [part for part in said if part] or [str(data.get("reason") or data.get("message") or "")]
    if not said[0]:
        return ""
    sentence = _clip(" ".join(part.rstrip(". ") + "." for part in said).removesuffix("."), LONGEST_REASON)
    return f" Reason: {sentence}."


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


# What a text may name. Only what it does name is worked out.
_VALUES: dict[str, _Value] = {
    "what": _what,
    "settled": _money("settled_amount", "amount"),
    "returned": _money("amount_returned", "amount"),
    "advance": _money("advance"),
    "split": _money("amount_split"),
    "before": _money("amount_before", "amount"),
    "received": _money("amount_received", "amount"),
    "written_off": _money("amount_written_off"),
    "corrected": _money("amount_corrected"),
    "paid_last4": lambda data, parties: str(data.get("last4", "")),
    "fee": lambda data, parties: _fee(data, data["currency"]),
    "fund": lambda data, parties: _clip(parties.fund, LONGEST_NAME),
    "reason": lambda data, parties: _reason(data),
    "next_step": lambda data, parties: NEXT.get(str(data.get("next_step", "")), ""),
}
