"""Bridge as the process that is killed: a web server in threads, and a worker that does what the harness tells it.

Forked from a process that has loaded everything and has no connection of any kind, so that a new Bridge costs
milliseconds. The harness speaks to its web server by HTTP, as clients and banks do, and to its worker by one line of
JSON for each piece of work, as broker, beat and operators do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import close_old_connections, connection
from knox.models import AuthToken

from accounts import services as accounts
from bridge.embedded.process import die_with_parent
from bridge.kernel import clock, crashpoints, ids, invariants
from bridge.kernel.crashpoints import Point
from bridge.kernel.results import Actor, Channel, Role
from funds import services as funds
from tests import flushing
from tests.crash import bugs
from tests.crash.ground import kill_postgres
from transfers.engine import drain
from transfers.models import BankInstruction, Break, InboundCallback, Transfer
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile
from transfers.reconciliation.statements import StatementRefused
from transfers.states import Step

SETUP = Actor("setup", Role.SYSTEM, Channel.COMMAND)
OPERATOR = Actor("operator", Role.SYSTEM, Channel.COMMAND)
ROUTING = "021000021"
PEOPLES = (Step.DECIDE, Step.PROMOTE, Step.BLOCKED)
INVESTORS_BANK, FUNDS_BANK = "meridian", "harbor"


class Died(Exception):
    """The process is gone."""


class Failed(Exception):
    """It answered with an error: its text."""


@dataclass
class House:
    """The harness's end of one forked Bridge."""

    pid: int
    channel: Any
    gone: bool = False

    @classmethod
    def start(cls, listener: socket.socket, application: WSGIHandler, *, bug: str) -> House:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                die_with_parent()
                _live(listener, application, theirs.makefile("rwb"), bug)
            finally:
                os._exit(0)
        theirs.close()
        return cls(pid, ours.makefile("rwb"))

    def tell(self, what: str, **given: Any) -> Any:
        """One piece of work. Raises `Died` or `Failed`."""
        try:
            self.channel.write(json.dumps([what, given]).encode() + b"\n")
            self.channel.flush()
            line = self.channel.readline()
        except OSError as error:
            raise Died from error
        if not line:
            raise Died
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]

    def fell(self) -> bool:
        """Whether it was killed; an end of any other kind is a failure."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.gone = True
        with suppress(OSError):
            self.channel.close()
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"Bridge ended with status {status}"
        return True

    def stop(self) -> None:
        """The end of a case: nothing more is asked of this one."""
        if not self.gone:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _live(listener: socket.socket, application: WSGIHandler, channel: Any, bug: str) -> None:
    if bug:
        bugs.plant(bug)
    server = ThreadedWSGIServer(listener.getsockname(), _Quiet, bind_and_activate=False)
    server.socket = listener
    server.server_name, server.server_port = listener.getsockname()
    server.setup_environ()
    server.set_app(application)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    while line := channel.readline():
        what, given = json.loads(line)
        close_old_connections()  # as Celery does before each task
        try:
            answer = {"value": WORK[what](**given)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        channel.write(json.dumps(answer, default=str).encode() + b"\n")
        channel.flush()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """The harness sees the answers."""


# --- what the worker can be told


def open_world(*, serial: str) -> dict[str, Any]:
    """Fresh people, two accounts and two funds; as the banks must know them, with tokens for who asks and decides."""
    investor = accounts.NewInvestor(kind="natural_person", legal_name=f"Investor {serial}")
    (owner,) = accounts.open_investors(rows=[investor], actor=SETUP)
    numbers = [(f"77{serial}{n}", f"88{serial}{n}") for n in (1, 2)]
    new = [accounts.NewAccount(owner.id, INVESTORS_BANK, "Cash", "USD", number, ROUTING) for number, _ in numbers]
    sources = accounts.open_accounts(rows=new, actor=SETUP)
    opened = funds.open_funds(rows=[_fund(f"{serial}-{number}", number) for _, number in numbers], actor=SETUP)
    return {
        "people": {str(role): _token(role, serial) for role in (Role.SERVICE, Role.MAKER, Role.CHECKER)},
        "transfers": [
            {"account": ids.encode("account", account.id), "fund": ids.encode("fund", fund.id),
             "account_number": number, "fund_number": fund_number}
            for account, fund, (number, fund_number) in zip(sources, opened, numbers, strict=True)
        ],
    }  # fmt: skip


def _fund(code: str, number: str) -> funds.NewFund:
    return funds.NewFund(
        code=code, name=f"Fund {code}", kind="venture", currency="USD", institution=FUNDS_BANK, account_number=number,
        routing_number=ROUTING, opens_at=datetime(2020, 1, 1, tzinfo=UTC), status="open", seat_limit=10,
        hard_cap=10**12,
    )  # fmt: skip


def _token(role: Role, serial: str) -> str:
    user = User.objects.create_user(f"{role}-{serial}", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=str(role))[0])
    _, token = AuthToken.objects.create(user)
    return str(token)


def arm(*, point: str, kill: str, postmaster: int) -> None:
    """From now on the first time at this point is the last."""
    strike: Callable[[], None] | None = (lambda: kill_postgres(postmaster)) if kill == "postgres" else None
    (at,) = (known for known in Point if known == point)
    crashpoints.arm(crashpoints.killing(at, kill=strike))


def advance(*, seconds: float) -> None:
    clock.advance(by=timedelta(seconds=seconds))


def take_statement(*, content: str) -> str:
    try:
        import_statement(name="statement.csv", content=content.encode(), actor=OPERATOR)
    except StatementRefused as error:
        return error.detail
    return "taken"


def compare(*, day: str) -> dict[str, Any]:
    run = reconcile(date=date.fromisoformat(day), actor=OPERATOR)
    return {"new": run.new_breaks, "open": run.open_breaks, "problems": run.problems}


def today() -> str:
    return clock.now().date().isoformat()


def look(*, serial: str) -> dict[str, Any]:
    """Where each transfer of this case stands, and the seconds until the engine has something to do for one."""
    rows = Transfer.objects.filter(external_id__startswith=f"{serial} ").select_related("work")
    moment = clock.now()
    waits = [
        max(filter(None, (row.work.due_at, row.work.lease_until))) - moment
        for row in rows
        if hasattr(row, "work") and row.work.due_at and row.work.step not in PEOPLES
    ]
    return {
        "states": {row.external_id.partition(" ")[2]: f"{row.state} {row.blocker_code}".strip() for row in rows},
        "next": min(waits, default=timedelta(0)).total_seconds(),
    }


def report() -> dict[str, Any]:
    """Everything that the checker compares: what our database says, and which invariants do not hold."""
    return {
        "broken": {verdict.name: verdict.rows for verdict in invariants.verify_all() if not verdict.holds},
        "transfers": [{**row, "tail": ids.encode("transfer", row["id"])[-26:].upper()} for row in _rows(_TRANSFERS)],
        "instructions": list(
            BankInstruction.objects.values(
                "key", "kind", "state", "amount", "settled_amount", "returned_amount", "fee", "transfer_id"
            )
        ),
        "ledger": list(_rows(_LEDGER)),
        "suspense": sum(row["amount"] for row in _rows(_SUSPENSE)),
        "notified": list(_rows(_NOTIFIED)),
        "callbacks": list(InboundCallback.objects.values("callback_id", "processed_at", "problem")),
        "breaks": list(Break.objects.filter(resolved_at=None).values("institution", "reference", "kind")),
        "modules": sorted(sys.modules),
        "statements": list(_rows("SELECT sha256, count(*) AS times FROM transfers_bankstatement GROUP BY sha256")),
    }


_TRANSFERS = "SELECT id, external_id, state, blocker_code, amount FROM transfers_transfer ORDER BY id"
_LEDGER = """
    SELECT e.transfer_id, a.kind, sum(e.amount)::bigint AS amount FROM ledger_entry AS e
    JOIN ledger_ledgeraccount AS a ON a.id = e.account_id GROUP BY e.transfer_id, a.kind
"""
_SUSPENSE = """
    SELECT e.amount FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE a.kind = 'suspense'
"""
_NOTIFIED = "SELECT id AS event_id, count(*) AS times FROM notifications_notification GROUP BY id HAVING count(*) > 1"


def _rows(sql: str) -> Iterator[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column.name for column in cursor.description]
        yield from (dict(zip(names, row, strict=True)) for row in cursor.fetchall())


WORK: dict[str, Callable[..., Any]] = {
    "open_world": open_world,
    "arm": arm,
    "drain": drain,
    "advance": advance,
    "take_statement": take_statement,
    "compare": compare,
    "today": today,
    "look": look,
    "report": report,
    "empty": flushing.flush,
}
