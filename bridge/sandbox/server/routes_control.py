"""The routes that only a sandbox has: accounts, the clock, settings, and the books for proofs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from bridge.sandbox.model import Account, Bank, Owner
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.settings import settings_from
from bridge.sandbox.model.views import account_view, instruction_view, moment
from bridge.sandbox.server.app import Request, Response, Route, as_json
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.server.reading import CODE, Fields, Refused, json_object, malformed

MOST_ACCOUNTS = 10_000
MOST_MONEY = 10**15 - 1
TEN_YEARS = 10 * 366 * 86400.0


def put_accounts(desk: Desk, request: Request) -> Response:
    rows = json_object(request.body).get("accounts")
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_ACCOUNTS:
        raise malformed(f"accounts must be a list of 1 to {MOST_ACCOUNTS} objects.")
    wanted = [_account(row) for row in rows]

    def work(bank: Bank, now: datetime) -> dict[str, int]:
        books = bank.books
        for given in wanted:
            known = books.accounts.get((given.institution, given.number))
            if given.institution not in books.settings.institutions:
                raise malformed(f"There is no institution {given.institution}.")
            if known is not None and (known.currency, known.owner) != (given.currency, given.owner):
                raise malformed("The currency and owner of an account cannot change.")
        created = sum(_put(books, given) for given in wanted)
        return {"created": created, "updated": len(wanted) - created}

    return as_json(desk.call(work))


def _account(row: Any) -> Account:
    names = ("institution", "number", "routing", "currency", "balance", "owner", "is_open")
    given = Fields(row, names)
    return Account(
        institution=given.match("institution", CODE, "the code of an institution"),
        number=given.account_number("number"),
        routing=given.routing_number("routing"),
        currency=given.currency("currency"),
        owner=Owner(given.choice("owner", [Owner.INVESTOR.value, Owner.FUND.value])),
        current=given.integer("balance", least=-MOST_MONEY, default=0),
        is_open=given.flag("is_open", default=True),
    )


def _put(books: Books, given: Account) -> bool:
    """Create or update; a change of balance comes from outside, so that all money still adds up to zero."""
    account = books.accounts.get((given.institution, given.number))
    created = account is None
    if account is None:
        account = Account(given.institution, given.number, given.routing, given.currency, given.owner)
        books.accounts[given.institution, given.number] = account
        books.settlement(given.currency)
    account.routing, account.is_open = given.routing, given.is_open
    books.move(books.outside(given.currency), account, given.current - account.current)
    return created


def get_accounts(desk: Desk, request: Request) -> Response:
    institution = request.query.get("institution")

    def work(bank: Bank, now: datetime) -> list[dict[str, Any]]:
        bank.run_due(now)
        return [account_view(a) for a in bank.books.accounts.values() if institution in (None, a.institution)]

    return as_json({"results": desk.call(work)})


def get_clock(desk: Desk, request: Request) -> Response:
    return as_json(desk.call(_clock))


def _clock(bank: Bank, now: datetime) -> dict[str, Any]:
    bank.run_due(now)
    upcoming = bank.books.next_due()
    return {
        "now": moment(now),
        "offset_seconds": bank.books.meta.offset_seconds,
        "next_due": moment(upcoming) if upcoming else None,
    }


def move_clock(desk: Desk, request: Request) -> Response:
    given = Fields(json_object(request.body), ("advance_seconds", "offset_seconds"))
    if given.has("advance_seconds") == given.has("offset_seconds"):
        raise malformed("Give either advance_seconds or offset_seconds.")
    name = "advance_seconds" if given.has("advance_seconds") else "offset_seconds"
    seconds = given.number(name, least=0, most=TEN_YEARS)

    def work(bank: Bank, now: datetime) -> dict[str, Any]:
        meta = bank.books.meta
        offset = meta.offset_seconds + seconds if name == "advance_seconds" else seconds
        if not meta.offset_seconds <= offset <= TEN_YEARS:
            raise Refused(422, "clock_goes_back", "The clock only goes forward, at most ten years. Reset the bank.")
        now += timedelta(seconds=offset - meta.offset_seconds)
        meta.offset_seconds = offset
        bank.books.touch(meta)
        return _clock(bank, now)

    return as_json(desk.call(work))


def get_settings(desk: Desk, request: Request) -> Response:
    return as_json(desk.call(lambda bank, _: asdict(bank.books.settings)))


def change_settings(desk: Desk, request: Request) -> Response:
    data = json_object(request.body)

    def work(bank: Bank, now: datetime) -> dict[str, Any]:
        bank.run_due(now)
        try:
            bank.books.settings = settings_from(data, bank.books.settings)
        except (ValueError, TypeError, AttributeError) as error:
            raise malformed(f"{error}.") from error
        bank.books.touch(bank.books.settings)
        return asdict(bank.books.settings)

    return as_json(desk.call(work))


def reset(desk: Desk, request: Request) -> Response:
    desk.reset()
    return as_json({"reset": True})


def books(desk: Desk, request: Request) -> Response:
    """Everything, for proofs: `total` is the sum of all accounts per currency and is always zero."""

    def work(bank: Bank, now: datetime) -> dict[str, Any]:
        now = bank.run_due(now)
        total: dict[str, int] = {}
        for account in bank.books.accounts.values():
            total[account.currency] = total.get(account.currency, 0) + account.current
        return {
            "at": moment(now),
            "accounts": [account_view(account) for account in bank.books.accounts.values()],
            "instructions": [
                instruction_view(i) | {"account_number": i.terms.account_number, "forgotten": i.forgotten}
                for i in bank.books.instructions.values()
            ],
            "callbacks_waiting": len(bank.books.callbacks),
            "late_arrivals": len(bank.books.arrivals),
            "total": total,
        }

    return as_json(desk.call(work))


ROUTES = [
    Route("POST", "/control/accounts", put_accounts),
    Route("GET", "/control/accounts", get_accounts),
    Route("POST", "/control/clock", move_clock),
    Route("GET", "/control/clock", get_clock),
    Route("GET", "/control/settings", get_settings),
    Route("POST", "/control/settings", change_settings),
    Route("POST", "/control/reset", reset),
    Route("GET", "/control/books", books),
]
