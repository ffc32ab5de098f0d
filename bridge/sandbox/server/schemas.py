"""The shapes of the OpenAPI document. Enums come from the model, so they cannot drift.

Longer than most modules: it is one table.
"""

from __future__ import annotations

from typing import Any

from bridge.kernel.gateway import InstructionKind
from bridge.kernel.money import MAX_AMOUNT
from bridge.sandbox.model import Call, Fault, Owner, Status
from bridge.sandbox.model.calendar import CALENDARS

Schema = dict[str, Any]


def text(about: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": about} if about else {}), **more}


def whole(about: str = "", **more: Any) -> Schema:
    return {"type": "integer", **({"description": about} if about else {}), **more}


def number(about: str = "", **more: Any) -> Schema:
    return {"type": "number", **({"description": about} if about else {}), **more}


def flag(about: str = "") -> Schema:
    return {"type": "boolean", **({"description": about} if about else {})}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def record(properties: Schema, required: list[str] | None = None, *, closed: bool = False) -> Schema:
    """An object; without `required` all its members are. A closed one (a request) takes no others."""
    schema: Schema = {"type": "object", "properties": properties}
    needed = list(properties) if required is None else required
    if needed:
        schema["required"] = needed
    return schema | ({"additionalProperties": False} if closed else {})


MINOR = "In minor units of the currency."
AMOUNT = whole(MINOR, minimum=1, maximum=MAX_AMOUNT)
CURRENCY = text("ISO 4217.", pattern="^[A-Z]{3}$", examples=["USD"])
MOMENT = text("Sandbox time, in UTC.", format="date-time")
NUMBER = text("1 to 34 letters, digits or hyphens.", pattern="^[A-Za-z0-9-]{1,34}$", examples=["4400001234"])
ROUTING = text("Must be the account's own.", pattern="^[A-Za-z0-9]{0,35}$", examples=["021000021"])
KINDS = [kind.value for kind in InstructionKind]

_instruction = {
    "key": text("Our idempotency key."),
    "institution": text(),
    "institution_reference": text("The institution's own reference."),
    "kind": text(enum=KINDS),
    "status": text(enum=[status.value for status in Status]),
    "amount": AMOUNT,
    "currency": CURRENCY,
    "account_last4": text(),
    "reference": text("What the order gave as its reference."),
    "settled_amount": whole(f"Credited under this key so far. {MINOR}"),
    "returned_amount": whole(f"Sent back so far. {MINOR}"),
    "fee": whole(f"What the institution kept on the way. {MINOR}"),
    "return_fee": whole(f"Kept on the way back; not in `returned_amount`. {MINOR}"),
    "interest": whole(f"Came back on top; in `returned_amount`. {MINOR}"),
    "code": text("NACHA return reason code, or an ISO 20022 one, when rejected or returned."),
    "reason": text("The same in words."),
    "recalled_by": text("Key of the recall that asked for this deposit back."),
    "created_at": MOMENT,
    "at": MOMENT | {"description": "When it reached this status, in sandbox time."},
}
_line = {
    "id": text(),
    "key": text("Empty where the bank knows none."),
    "kind": text(enum=["withdrawal", "deposit", "refund", "return", "fee", "other"]),
    "direction": text(enum=["debit", "credit"]),
    "amount": whole(MINOR, minimum=1),
    "currency": CURRENCY,
    "institution_reference": text(),
    "code": text(),
    "at": MOMENT,
}
_rail = {
    "delay_seconds": number("0 settles in the reply.", minimum=0),
    "business_days": whole("Business days until it settles.", minimum=0, maximum=30),
    "cutoff": text("HH:MM in the bank's time zone; empty for none."),
    "opens": text("HH:MM; when orders of an earlier day settle."),
    "calendar": text(enum=list(CALENDARS)),
}
_house = {
    "name": text(maxLength=100),
    "default_rail": text(),
    "rails": {"type": "object", "additionalProperties": record(_rail, [], closed=True)},
    "fee": whole(f"Kept of every payment. {MINOR}", minimum=0),
}
_settings = {
    "institutions": {"type": "object", "additionalProperties": record(_house, [], closed=True)},
    "timeout_seconds": number("How long a silent connection is held, in real time.", minimum=0, maximum=300),
    "key_lifetime_seconds": number("After it the bank has forgotten a key and acts again.", minimum=0),
    "timezone": text("Of business days and statements."),
    "callback_on_reply": flag("Also call back what the reply has said."),
    "settlement_overdraft": flag("Whether the settlement account may go below zero."),
    "recall_honoured": flag("Whether a recalled deposit comes back by itself."),
}
_fault = {
    "fault": text(enum=[fault.value for fault in Fault]),
    "institution": text("Only this institution; empty for any. Statements are `settlement`."),
    "account": text("Only this account number."),
    "kind": text("Only this kind of instruction."),
    "key": text("Only this idempotency key."),
    "reference": text("Only orders whose reference ends with this."),
    "call": {"type": ["string", "null"], "enum": [*[call.value for call in Call], None]},
    "count": {"type": ["integer", "null"], "minimum": 1, "description": "How often in all; null for ever."},
    "probability": number("Per call; seeded and repeatable.", minimum=0, maximum=1),
    "code": text(),
    "reason": text(),
    "seconds": number("How slow, how late, how soon forgotten; with `days`, how long after.", minimum=0),
    "days": number("With `seconds`, how long after.", minimum=0),
    "delta": whole(f"For wrong_amount and wrong_line. {MINOR}"),
    "amount": whole(f"How much comes back, is booked again, or comes on top; 0 is all of it. {MINOR}", minimum=0),
    "fee": whole(f"For returns: kept on the way back. {MINOR}", minimum=0),
    "interest": whole(f"For returns of a deposit: comes on top. {MINOR}", minimum=0),
    "keep": number("For statements: the part of the lines, or of the text, that stays.", minimum=0, maximum=1),
    "at_settlement": flag("For rejections and returns: acknowledged first, and only when it falls due."),
    "not_found": flag("For stale_query: say that nothing is there."),
}
_account = {
    "institution": text(examples=["meridian"]),
    "number": NUMBER,
    "routing": ROUTING,
    "currency": CURRENCY,
    "owner": text(enum=[Owner.INVESTOR.value, Owner.FUND.value]),
    "balance": whole(f"The current balance from now on. {MINOR}"),
    "is_open": flag(),
}
_shown_account = {
    "institution": text(),
    "number": text(),
    "routing": text(),
    "currency": CURRENCY,
    "owner": text(enum=[owner.value for owner in Owner]),
    "current": whole(MINOR),
    "available": whole(f"Net of everything acknowledged. {MINOR}"),
    "is_open": flag(),
}
_problem = {
    "type": text(),
    "title": text(),
    "status": whole("The HTTP status."),
    "code": text("Stable; for a rejected instruction the return reason code."),
    "detail": text(),
    "reason": text(),
}

SCHEMAS: dict[str, Schema] = {
    "Order": record(
        {
            "kind": text(enum=KINDS),
            "amount": AMOUNT,
            "currency": CURRENCY,
            "account_number": NUMBER,
            "routing_number": ROUTING,
            "reference": text("For a recall: the key of the deposit to bring back.", maxLength=255),
            "rail": text("One of the institution's rails; its default one when left out."),
        },
        ["kind", "amount", "currency", "account_number"],
        closed=True,
    ),
    "Instruction": record(_instruction),
    "Problem": record(_problem),
    "Rejection": record(_problem | {"instruction": ref("Instruction")}, list(_problem)),
    "Balance": record({"current": whole(MINOR), "available": whole(MINOR), "currency": CURRENCY, "at": MOMENT}),
    "InstructionPage": record({"results": listed(ref("Instruction")), "next_cursor": {"type": ["string", "null"]}}),
    "ActivityLine": record(_line | {"account_last4": text()}),
    "ActivityPage": record({"results": listed(ref("ActivityLine")), "next_cursor": {"type": ["string", "null"]}}),
    "StatementLine": record(
        _line | {"reference": text(), "institution": text(), "balance": whole(f"After this line. {MINOR}")}
    ),
    "Statement": record(
        {
            "account": text(),
            "currency": CURRENCY,
            "date": text(format="date"),
            "opening_balance": whole(MINOR),
            "closing_balance": whole(MINOR),
            "created_at": MOMENT,
            "lines": listed(ref("StatementLine")),
        }
    ),
    "Callback": record(
        {"type": text(examples=["instruction.settled"]), "timestamp": MOMENT, "data": ref("Instruction")}
    ),
    "AccountInput": record(_account, ["institution", "number", "currency", "owner"], closed=True),
    "AccountsInput": record({"accounts": listed(ref("AccountInput")) | {"minItems": 1, "maxItems": 10_000}}),
    "AccountsPut": record({"created": whole(), "updated": whole()}),
    "Account": record(_shown_account),
    "Accounts": record({"results": listed(ref("Account"))}),
    "Clock": record({"now": MOMENT, "offset_seconds": number(), "next_due": {"type": ["string", "null"]}}),
    "ClockMove": record({"advance_seconds": number(minimum=0), "offset_seconds": number(minimum=0)}, [], closed=True)
    | {"description": "One of the two. The clock only goes forward.", "minProperties": 1, "maxProperties": 1},
    "FaultInput": record(_fault, ["fault"], closed=True),
    "Fault": record({"id": whole(), **_fault, "used": whole("How often it has struck.")}),
    "Faults": record({"results": listed(ref("Fault"))}),
    "Removed": record({"removed": whole()}),
    "Decision": record(
        {
            "amount": whole(MINOR, minimum=0),
            "fee": whole(MINOR, minimum=0),
            "interest": whole(MINOR, minimum=0),
            "code": text(),
            "reason": text(),
        },
        [],
        closed=True,
    ),
    "Movement": record(
        {
            "amount": whole(f"Positive comes in, negative goes out. {MINOR}"),
            "kind": text(enum=["fee", "other"]),
            "reference": text(),
            "institution": text(),
        },
        ["amount"],
        closed=True,
    ),
    "SettingsInput": record(_settings, [], closed=True),
    "Settings": record(_settings),
    "Reset": record({"reset": flag()}),
    "Health": record({"status": text()}),
    "Books": record(
        {
            "at": MOMENT,
            "accounts": listed(ref("Account")),
            "instructions": listed(ref("Instruction")),
            "callbacks_waiting": whole(),
            "late_arrivals": whole(),
            "total": {"type": "object", "additionalProperties": whole("Always zero.")},
        }
    ),
}
