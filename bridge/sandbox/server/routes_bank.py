"""The routes that a real institution would have too."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.model import Bank, Delivery, Terms
from bridge.sandbox.model.views import activity_view, instruction_view
from bridge.sandbox.server import statements
from bridge.sandbox.server.app import Request, Response, Route, as_json, delivered
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.server.reading import CODE, TOKEN, Fields, Refused, json_object, malformed
from bridge.sandbox.wire import IDEMPOTENCY_KEY, parse_moment

PAGE, LARGEST_PAGE = 500, 2000
CURRENCY = re.compile(r"[A-Z]{3}")


def institution_of(desk: Desk, request: Request) -> str:
    code = request.path["institution"]
    if not desk.call(lambda bank, _: code in bank.books.settings.institutions):
        raise Refused(404, "no_such_institution", "The sandbox bank plays no institution of this code.")
    return code


def submit(desk: Desk, request: Request) -> Response:
    key = request.headers.get(IDEMPOTENCY_KEY.lower(), "")
    if not TOKEN.fullmatch(key):
        raise malformed(f"{IDEMPOTENCY_KEY} must have 1 to 255 printable ASCII characters without spaces.")
    names = ("kind", "amount", "currency", "account_number", "routing_number", "reference", "rail")
    given = Fields(json_object(request.body), names)
    terms = Terms(
        key=key,
        kind=InstructionKind(given.choice("kind", [kind.value for kind in InstructionKind])),
        account_number=given.account_number("account_number"),
        routing_number=given.routing_number("routing_number"),
        amount=given.integer("amount", least=1),
        currency=given.currency("currency"),
        reference=given.text("reference", default="", most=255),
        rail=given.match("rail", CODE, "the name of a rail", default=""),
    )
    code = request.path["institution"]

    def work(bank: Bank, now: datetime) -> Delivery | None:
        house = bank.books.settings.institutions.get(code)
        if house is None:
            return None
        if terms.rail and terms.rail not in house.rails:
            raise malformed(f"rail must be one of {', '.join(house.rails)}.")
        return bank.submit(institution=code, terms=terms, now=now)

    delivery = desk.call(work)
    if delivery is None:
        institution_of(desk, request)
        raise malformed("The institution was removed.")
    return delivered(desk, delivery, status=201)


def find(desk: Desk, request: Request) -> Response:
    code, key = institution_of(desk, request), request.path["key"]
    return delivered(desk, desk.call(lambda bank, now: bank.find(institution=code, key=key, now=now)))


def balance(desk: Desk, request: Request) -> Response:
    code, number = institution_of(desk, request), request.path["number"]
    return delivered(desk, desk.call(lambda bank, now: bank.balance(institution=code, number=number, now=now)))


def activity(desk: Desk, request: Request) -> Response:
    code = institution_of(desk, request)
    since = datetime.min.replace(tzinfo=UTC)
    if "since" in request.query:
        try:
            since = parse_moment(request.query["since"].replace(" ", "+"))
        except (ValueError, OverflowError) as error:
            raise malformed("since must be a time with an offset, such as 2026-01-31T08:30:00Z.") from error
    after = _whole(request, "cursor", 0, 10**15)
    limit = max(1, _whole(request, "limit", PAGE, LARGEST_PAGE))
    delivery, lines = desk.call(
        lambda bank, now: bank.activity(institution=code, since=since, after=after, limit=limit, now=now)
    )
    cursor = str(lines[-1].id) if len(lines) == limit else None
    body: dict[str, Any] = {"results": [activity_view(line) for line in lines], "next_cursor": cursor}
    return delivered(desk, _with_body(delivery, body))


def record(desk: Desk, request: Request) -> Response:
    """Every instruction that it ever took, for comparing with ours in both directions."""
    code = institution_of(desk, request)
    after = _whole(request, "cursor", 0, 10**15)
    limit = max(1, _whole(request, "limit", PAGE, LARGEST_PAGE))

    def work(bank: Bank, now: datetime) -> tuple[list[dict[str, Any]], int]:
        rows = bank.record(institution=code, after=after, limit=limit, now=now)
        return [instruction_view(row) for row in rows], rows[-1].id if rows else 0

    rows, last = desk.call(work)
    return as_json({"results": rows, "next_cursor": str(last) if len(rows) == limit else None})


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > most:
        raise malformed(f"{name} must be a whole number of at most {most}.")
    return int(text)


def _with_body(delivery: Delivery, body: dict[str, Any]) -> Delivery:
    return Delivery(delivery.behaviour, body, delivery.problem, delivery.seconds)


def settlement_currency(request: Request) -> str:
    currency = request.path["currency"]
    if not CURRENCY.fullmatch(currency):
        raise Refused(404, "no_such_currency", "A currency has three capital letters.")
    return currency


def settlement_balance(desk: Desk, request: Request) -> Response:
    currency = settlement_currency(request)
    number = f"SETTLEMENT-{currency}"
    return delivered(desk, desk.call(lambda bank, now: bank.balance(institution="settlement", number=number, now=now)))


def settlement_statement(desk: Desk, request: Request) -> Response:
    currency = settlement_currency(request)
    shape = request.query.get("format", "json")
    if shape not in statements.WRITERS:
        raise malformed(f"format must be one of {', '.join(statements.WRITERS)}.")
    try:
        day = date.fromisoformat(request.query.get("date", ""))
    except ValueError as error:
        raise malformed("date must be a day such as 2026-01-31.") from error
    if not date(1970, 1, 1) <= day <= date(9000, 1, 1):
        raise malformed("date must be a day from 1970 on.")

    def work(bank: Bank, now: datetime) -> tuple[Delivery, statements.Statement | None]:
        account = bank.books.accounts.get(("settlement", f"SETTLEMENT-{currency}"))
        if account is None:
            raise Refused(404, "no_such_currency", "There is no settlement account in this currency.")
        delivery, lines, opening, closing = bank.statement(currency=currency, day=day, now=now)
        shown = date.fromisoformat((delivery.body or {}).get("date", day.isoformat()))
        statement = statements.Statement(account.number, currency, shown, opening, closing, lines, now)
        return delivery, statement

    delivery, statement = desk.call(work)
    reply = delivered(desk, _with_body(delivery, {}))
    if reply.silent or reply.status != 200 or statement is None:
        return reply
    content_type, write = statements.WRITERS[shape]
    content = write(statement).encode()
    sent = content[: int(len(content) * delivery.keep)]
    return Response(body=sent, content_type=content_type, seconds=reply.seconds)


ROUTES = [
    Route("POST", "/v1/{institution}/instructions", submit, "{institution}"),
    Route("GET", "/v1/settlement/{currency}/statement", settlement_statement, "settlement"),
    Route("GET", "/v1/settlement/{currency}/balance", settlement_balance, "settlement"),
    Route("GET", "/v1/{institution}/instructions", record, "{institution}"),
    Route("GET", "/v1/{institution}/instructions/{key}", find, "{institution}"),
    Route("GET", "/v1/{institution}/accounts/{number}/balance", balance, "{institution}"),
    Route("GET", "/v1/{institution}/activity", activity, "{institution}"),
]
