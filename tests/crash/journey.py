"""One case from beginning to end: a world, two transfers, a crash, and everybody going on as they would.

Whoever got no answer asks again, as in life: the client and the approver under their key, the operator by the same
command, the bank by calling back. Nobody repairs anything.
"""

from __future__ import annotations

import http.client
import importlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from bridge.kernel.crashpoints import Point
from bridge.sandbox.client import SettlementAccount
from bridge.sandbox.wire import derive_credentials
from tests.crash import checking
from tests.crash.cases import Answer, Case
from tests.crash.ground import FINALITY, HELD_SECONDS, MASTER, Ground, until
from tests.crash.house import FUNDS_BANK, INVESTORS_BANK, ROUTING, Died, Failed, House

AMOUNT, OPENING = 1_000_000, 50_000_000  # minor units of USD
RECEIVED, TAKEN = 777, -555  # by a stranger: booked as an unidentified receipt; a break that people explain
NAMES = ("first", "second")
TRIES = 4  # the crash, what it took with it, and one to spare
HOUR = 3600
# The least that both clocks move between two rounds: growing, then twice over the time after which a bank that knows
# nothing of an order may be sent it again, then what follows from that.
STEPS = [5 * 4**n for n in range(6)] + [FINALITY + 60] * 3 + [600] * 8
REVIEW_ENDS = 5 * 24 * HOUR + 60


class Lost(Exception):
    """No answer came, or one that says nothing about what was done."""


@dataclass
class Journey:
    ground: Ground
    application: WSGIHandler
    case: Case
    serial: str
    crashes: int = 0
    accepted: dict[str, str] = field(default_factory=dict)  # what each client was told: its name for it → our id
    said: list[str] = field(default_factory=list)  # what went wrong that must not

    def run(self) -> list[str]:
        """What is wrong afterwards: nothing, when Bridge has recovered by itself."""
        if self.ground.postgres_fell():  # left behind by a case that failed
            self.ground.postgres.start()
        self.house = House.start(self.ground.listener, self.application, bug=self.case.bug)
        try:
            self._furnish()
            self._go()
            report = self.tell("report")
            _load(report["modules"])
            self.said += checking.problems(
                self.case, report, self.ground.bank("GET", "books"), self.world, self.accepted, opening=OPENING
            )
            if self.case.point.group == "reconcile" and report["suspense"] != RECEIVED:
                self.said.append(f"in suspense is {report['suspense']}, and not {RECEIVED}")
            if self.crashes != 1:
                self.said.append(f"the point was reached {self.crashes} times, and not once")
        finally:
            self.house.stop()
        return self.said

    # --- the story

    def _furnish(self) -> None:
        if self.case.point.group == "reconcile":  # a statement tells of everybody: begin with nobody
            self.tell("empty")
            self.ground.bank("POST", "reset")
            self._wait(self._until_noon())
        self.ground.bank("POST", "settings", settings())
        self.ground.bank("DELETE", "faults")
        self.world = self.tell("open_world", serial=self.serial)
        self.ground.bank("POST", "accounts", {"accounts": accounts(self.world)})
        for fault in faults(self.case, self.world):
            self.ground.bank("POST", "faults", fault)

    def _go(self) -> None:
        group = self.case.point.group
        self._request(0)
        at_request = group == "submit" or self.case.point in (Point.OUTBOX_COMMITTED, Point.OUTBOX_WOKEN)
        if at_request:
            self._arm()
        self._request(1)
        if group in ("approve", "expire"):
            self._change(1, "hold", "maker")
        if group == "approve":
            self._arm()
            self._change(1, "approve", "checker")
        if not at_request and group not in ("approve", "reconcile"):
            self._arm()
        if group == "reconcile":
            self._reconcile()
        self._work()
        if group == "expire":
            self._wait(REVIEW_ENDS)
            self.tell("drain")
        if group == "reconcile":
            self._compared_again()
        for number in (0, 1):
            self._request(number)  # the same request once more is answered with the same transfer

    def _request(self, number: int) -> None:
        parts = self.world["transfers"][number]
        body = {"source_account": parts["account"], "fund": parts["fund"], "amount": AMOUNT, "currency": "USD",
                "external_id": f"{self.serial} {NAMES[number]}"}  # fmt: skip
        answer = self._post("/api/v1/transfers", body, who="service", key=f"{self.serial}-{number}", status=201)
        told = self.accepted.setdefault(body["external_id"], answer["id"])
        if told != answer["id"]:
            self.said.append(f"a client was told {told} and then {answer['id']} under one key")

    def _change(self, number: int, verb: str, who: str) -> None:
        transfer = self.accepted[f"{self.serial} {NAMES[number]}"]
        key = f"{self.serial}-{verb}"
        self._post(f"/api/v1/transfers/{transfer}/{verb}", {"reason": "for the test"}, who=who, key=key, status=200)

    def _reconcile(self) -> None:
        """In the middle of things, with two lines on the statement that no order of ours explains."""
        self.tell("drain")
        self._wait(5)
        for amount in (RECEIVED, TAKEN):
            self.ground.bank("POST", "settlement/USD/movements", {"amount": amount, "reference": "a stranger"})
        self.day = self.tell("today")
        self._wait(24 * HOUR)  # a statement comes when its day is over
        self._arm()
        told = self.tell("take_statement", content=self._statement())
        if told != "taken" and "this very file was imported" not in told:
            self.said.append(f"the statement was refused: {told}")
        self.tell("compare", day=self.day)

    def _compared_again(self) -> None:
        run = self.tell("compare", day=self.tell("today"))
        if run["open"] != 1 or run["problems"]:
            self.said.append(f"one break should be left, for what was taken: {run}")

    def _work(self) -> None:
        """Rounds of due work, until nothing is under way; between them both clocks move to what is due next."""
        for step in STEPS:
            if self.case.point.group == "callback":
                self._called_back()
            self.tell("drain")
            seen = self.tell("look", serial=self.serial)
            if self._ended(seen["states"]):
                return
            self._wait(max(step, seen["next"]))
        self.said.append("it does not come to an end")

    def _ended(self, states: dict[str, str]) -> bool:
        wanted = dict(zip(NAMES, self.case.ends, strict=True))
        return all(state in (wanted[name], "in_review held_by_operations") for name, state in states.items())

    def _called_back(self) -> None:
        """The bank repeats what was not acknowledged; wait until it has nothing left to say."""

        def delivered() -> bool:
            self._mend()
            return self.ground.bank("GET", "books")["callbacks_waiting"] == 0

        if not until(delivered, patience=20):
            self.said.append("the bank could not deliver its callbacks")

    # --- how things are done: again, after what fell is up again

    def tell(self, what: str, **given: Any) -> Any:
        return self._insist(lambda: self.house.tell(what, **given))

    def _post(self, path: str, body: dict[str, Any], *, who: str, key: str, status: int) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.world['people'][who]}", "Idempotency-Key": key,
                   "Content-Type": "application/json"}  # fmt: skip

        def post() -> dict[str, Any]:
            line = http.client.HTTPConnection(*self.ground.address, timeout=20)
            try:
                line.request("POST", path, json.dumps(body), headers)
                reply = line.getresponse()
                answer = json.loads(reply.read())
            except (OSError, http.client.HTTPException) as error:
                raise Lost(type(error).__name__) from error
            finally:
                line.close()
            if reply.status >= http.client.INTERNAL_SERVER_ERROR:
                raise Lost(f"{reply.status} {answer}")
            if reply.status != status:
                raise AssertionError(f"{path}: {reply.status} {answer}")
            return dict(answer)

        return dict(self._insist(post))

    def _insist(self, work: Callable[[], Any]) -> Any:
        for _ in range(TRIES):
            before = self._mend()
            try:
                return work()
            except (Lost, Died, Failed) as error:
                if not until(partial(self._fell_since, before), patience=5):
                    raise AssertionError(f"it failed although nothing had crashed: {error!r}") from error
        raise AssertionError("it fails again and again")

    def _fell_since(self, crashes: int) -> bool:
        return self._mend() > crashes

    def _mend(self) -> int:
        """What fell is started anew, as a supervisor would; returns how often that was so far.

        PostgreSQL's clients live on when it falls, and must find it again.
        """
        if self.ground.postgres_fell():
            self.crashes += 1
            self.ground.postgres.start()
        if self.house.fell():
            self.crashes += 1
            self.house = House.start(self.ground.listener, self.application, bug=self.case.bug)
        return self.crashes

    def _arm(self) -> None:
        self.tell("arm", point=self.case.point, kill=self.case.kill, postmaster=self.ground.postmaster)

    def _wait(self, seconds: float) -> None:
        """Both clocks move."""
        self.ground.bank("POST", "clock", {"advance_seconds": seconds})
        self.tell("advance", seconds=seconds)

    def _until_noon(self) -> float:
        clock = self.ground.bank("GET", "clock")["now"]
        hour, minute = int(clock[11:13]), int(clock[14:16])
        return ((36 - hour) * 60 - minute) % (24 * 60) * 60.0

    def _statement(self) -> str:
        keys = derive_credentials(MASTER, "settlement")
        account = SettlementAccount(base_url=self.ground.bank_url, api_key=keys.api_key, secret=keys.secret)
        return account.statement("USD", date.fromisoformat(self.day), "csv").decode()


def _load(modules: list[str]) -> None:
    """What this Bridge had to load, the next one that is forked finds loaded."""
    for name in modules:
        if name not in sys.modules:
            with suppress(ImportError):
                importlib.import_module(name)


def settings() -> dict[str, Any]:
    rails = {"wire": {"delay_seconds": 1.0}}
    return {
        "institutions": {INVESTORS_BANK: {"rails": rails}, FUNDS_BANK: {"rails": rails}},
        "timeout_seconds": HELD_SECONDS,
    }


def accounts(world: dict[str, Any]) -> list[dict[str, Any]]:
    common = {"routing": ROUTING, "currency": "USD"}
    return [
        account
        for parts in world["transfers"]
        for account in (
            {"institution": INVESTORS_BANK, "number": parts["account_number"], "owner": "investor",
             "balance": OPENING, **common},
            {"institution": FUNDS_BANK, "number": parts["fund_number"], "owner": "fund", **common},
        )
    ]  # fmt: skip


def faults(case: Case, world: dict[str, Any]) -> list[dict[str, Any]]:
    """How the bank answers the two orders of the leg; and unless the case is about callbacks, all of them get lost."""
    wanted: list[dict[str, Any]] = []
    if case.point.group != "callback":
        wanted.append({"fault": "lost_callback"})
    if case.leg == "refund":
        wanted.append({"fault": "reject", "kind": "deposit", "code": "R03", "reason": "no such account"})
    reject = {"fault": "reject", "code": "R01", "reason": "refused"}
    ways: dict[Answer, list[dict[str, Any]]] = {
        Answer.OK: [],
        Answer.DECLINED: [
            {**reject, "at_settlement": case.point.group == "callback"},
            {**reject, "at_settlement": True},
        ],
        Answer.UNKNOWN: [{"fault": "timeout_after"}, {"fault": "error_before"}],
    }
    number = "fund_number" if case.leg == "deposit" else "account_number"
    for way, parts in zip(ways[case.answer], world["transfers"], strict=False):
        wanted.append({**way, "kind": case.leg, "account": parts[number], "count": 1})
    return wanted
