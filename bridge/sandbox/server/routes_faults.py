"""The routes that make things go wrong: faults, decisions by hand, and money that nobody announced."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from bridge.sandbox.model import Bank, Call, Fault, FaultRule
from bridge.sandbox.model.settling import book_outside
from bridge.sandbox.model.views import instruction_view, statement_line_view
from bridge.sandbox.server.app import Request, Response, Route, as_json, problem
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.server.reading import CODE, TOKEN, Fields, Refused, json_object, malformed
from bridge.sandbox.server.routes_bank import settlement_currency

MOST_MONEY = 10**15 - 1
TEN_YEARS = 10 * 366 * 86400.0


def add_fault(desk: Desk, request: Request) -> Response:
    data = json_object(request.body)
    given = Fields(data, [name for name in FaultRule.__slots__ if name not in ("id", "used")])
    fault = Fault(given.choice("fault", [fault.value for fault in Fault]))
    call = given.choice("call", [call.value for call in Call], default="")
    seconds = given.number("seconds", least=0, most=TEN_YEARS, default=0)

    def work(bank: Bank, now: datetime) -> dict[str, Any]:
        try:
            rule = FaultRule(
                id=bank.books.next_id(),
                fault=fault,
                institution=given.match("institution", CODE, "the code of an institution", default=""),
                account=given.text("account", default="", most=34),
                kind=given.text("kind", default="", most=20),
                key=given.match("key", TOKEN, "an idempotency key", default=""),
                reference=given.text("reference", default="", most=255),
                call=Call(call) if call else None,
                count=given.integer("count", least=1, most=10**9) if data.get("count") is not None else None,
                probability=given.number("probability", least=0, most=1, default=1),
                code=given.text("code", default="", most=20),
                reason=given.text("reason", default=""),
                seconds=seconds,
                days=given.number("days", least=0, most=3660, default=0),
                delta=given.integer("delta", least=-MOST_MONEY, default=0),
                amount=given.integer("amount", least=0, default=0),
                fee=given.integer("fee", least=0, default=0),
                interest=given.integer("interest", least=0, default=0),
                keep=given.number("keep", least=0, most=1, default=0.5),
                at_settlement=given.flag("at_settlement", default=False),
                not_found=given.flag("not_found", default=False),
            )
        except ValueError as error:
            raise malformed(f"{error}.") from error
        bank.books.faults.add(rule)
        bank.books.touch(rule)
        return asdict(rule)

    return as_json(desk.call(work), 201)


def get_faults(desk: Desk, request: Request) -> Response:
    rules = desk.call(lambda bank, _: [asdict(rule) for rule in bank.books.faults.rules.values()])
    return as_json({"results": rules})


def remove_faults(desk: Desk, request: Request) -> Response:
    only = request.query.get("id")
    if only is not None and not (only.isascii() and only.isdigit() and len(only) <= 15):
        raise malformed("id must be the number of a fault.")

    def work(bank: Bank, now: datetime) -> int:
        chosen = [int(only)] if only else list(bank.books.faults.rules)
        gone = [rule for rule in map(bank.books.faults.remove, chosen) if rule is not None]
        for rule in gone:
            bank.books.forget(rule)
        return len(gone)

    removed = desk.call(work)
    if only and not removed:
        raise Refused(404, "not_found", "There is no fault of this number.")
    return as_json({"removed": removed})


def force(verb: str, desk: Desk, request: Request) -> Response:
    given = Fields(json_object(request.body), ("amount", "fee", "interest", "code", "reason"))
    values = {
        "amount": given.integer("amount", least=0, default=0),
        "fee": given.integer("fee", least=0, default=0),
        "interest": given.integer("interest", least=0, default=0),
        "code": given.text("code", default="", most=20),
        "reason": given.text("reason", default=""),
    }
    key, institution = request.path["key"], request.query.get("institution")

    def work(bank: Bank, now: datetime) -> Response:
        found = [
            instruction
            for instruction in bank.books.instructions.values()
            if instruction.terms.key == key and institution in (None, instruction.institution)
        ]
        if not found:
            return problem(404, "not_found", "There is no instruction under this key.")
        refused = bank.force(found[-1], verb=verb, given=values, now=now)
        if refused is not None:
            return problem(refused.status, refused.code, refused.reason)
        return as_json(instruction_view(found[-1]))

    return desk.call(work)


def force_settle(desk: Desk, request: Request) -> Response:
    return force("settle", desk, request)


def force_reject(desk: Desk, request: Request) -> Response:
    return force("reject", desk, request)


def force_return(desk: Desk, request: Request) -> Response:
    return force("return", desk, request)


def book_movement(desk: Desk, request: Request) -> Response:
    """Money on the settlement account that none of our keys explains: a charge, a stranger's receipt, funding."""
    currency = settlement_currency(request)
    given = Fields(json_object(request.body), ("amount", "kind", "reference", "institution"))
    amount = given.integer("amount", least=-MOST_MONEY)
    kind = given.choice("kind", ["fee", "other"], default="other")
    reference = given.text("reference", default="")
    institution = given.match("institution", CODE, "the code of an institution", default="")
    if amount == 0:
        raise malformed("amount must not be zero.")

    def work(bank: Bank, now: datetime) -> dict[str, Any]:
        now = bank.run_due(now)
        line = book_outside(
            bank.books,
            currency=currency,
            amount=amount,
            kind=kind,
            reference=reference,
            institution=institution,
            at=now,
        )
        return statement_line_view(line)

    return as_json(desk.call(work), 201)


ROUTES = [
    Route("POST", "/control/faults", add_fault),
    Route("GET", "/control/faults", get_faults),
    Route("DELETE", "/control/faults", remove_faults),
    Route("POST", "/control/instructions/{key}/settle", force_settle),
    Route("POST", "/control/instructions/{key}/reject", force_reject),
    Route("POST", "/control/instructions/{key}/return", force_return),
    Route("POST", "/control/settlement/{currency}/movements", book_movement),
]
