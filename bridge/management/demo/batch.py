"""One demo run from beginning to end on running services: data, faults, requests, watching, proof."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from knox.models import AuthToken

from accounts.models import InvestorAccount
from bridge.kernel import clock, crypto, ids
from bridge.kernel.results import Role
from bridge.management.demo import catalogue, data, logins, names, plan, proof
from bridge.management.demo.api import Api
from bridge.management.demo.plan import Plan, Planned
from bridge.management.demo.sending import AT_ONCE, Senders, Sent
from bridge.management.demo.watching import Transfer, Watch, still_open
from bridge.sandbox.client import ControlRefused, SandboxControl
from funds.models import Fund
from transfers.policy import standing


@dataclass(slots=True)
class Run:
    """What a run asked, what became of it and what was proved. Times in seconds of the real clock."""

    seed: int
    asked: int
    sent: list[Sent] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    funds: list[dict[str, Any]] = field(default_factory=list)
    answered_seconds: float = 0.0
    seconds: float = 0.0
    advanced: int = 0
    clock: str = ""  # Bridge's date at the end: a sandbox's clock runs ahead of today
    proof: proof.Proof = field(default_factory=proof.Proof)

    @property
    def states(self) -> Counter[str]:
        return Counter(str(row["state"]) for row in self.transfers)

    @property
    def open(self) -> list[Transfer]:
        return still_open(self.transfers)

    @property
    def problems(self) -> list[str]:
        """Everything for which the run fails, in words for people."""
        found = [
            f"request {row.planned.number} ({row.planned.kind}) was refused: {row.problem}"
            for row in self.sent
            if row.problem
        ]
        found += [
            f"request {row.planned.number} got another answer under the same key"
            for row in self.sent
            if row.replays_differ
        ]
        known = {row["id"] for row in self.transfers}
        found += [f"{row.id} was answered with 201 and is gone" for row in self.sent if row.id and row.id not in known]
        found += [f"{row['id']} is still {row['state']}: {_why(row)}" for row in self.open]
        return found

    @property
    def holds(self) -> bool:
        return not self.problems and self.proof.holds and len(self.transfers) == self.asked


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a run tells what it does: a line for people; so many answered; so many still open, with their states."""

    say: Callable[[str], None]
    answered: Callable[[], None]
    looked: Callable[[list[Transfer]], None]


def run(*, transfers: int, seed: int, faults: str, timeout: float, hooks: Hooks) -> Run:
    """Raises `UnknownFault`, `NotASandbox`, `ControlRefused`, `ApiSilent`, `ApiRefused`."""
    made = names.investors()
    wanted = plan.make(count=transfers, seed=seed, faults=faults, investors=made, now=clock.now())
    data.ensure()
    deadline = time.monotonic() + timeout
    api = Api(settings.BRIDGE_BASE_URL, deadline=deadline, at_once=AT_ONCE)
    control = data.bank_control()
    tokens, of_investor = _tokens()
    found = Run(seed=seed, asked=transfers)
    name = f"demo-{seed}-{secrets.token_hex(3)}"

    def token_of(row: Planned) -> str:
        """Every second request of an investor with a login comes from that login, the others from the platform."""
        mine = of_investor.get(row.investor)
        return mine if mine and row.number % 2 else tokens["service"]

    api.get("/funds", token=tokens["service"], params=[("limit", "1")])  # is it our server? Before anything is changed
    rules = _set_faults(control, wanted)
    try:
        began = time.monotonic()
        hooks.say(f"Asking for {transfers} transfers (seed {seed}, {len(rules)} faults at the bank)")
        senders = Senders(api, name, token_of, _accounts(wanted), _funds())
        found.sent = senders.all(wanted, progress=hooks.answered)
        found.answered_seconds = time.monotonic() - began
        watch = Watch(api, tokens, token_of, standing(), deadline, name)
        found.transfers = watch.until_the_end(found.sent, progress=hooks.looked)
        found.seconds, found.advanced = time.monotonic() - began, watch.advanced
        found.funds = api.pages("/funds", token=tokens["service"])
    finally:
        _remove_faults(control, rules)
        api.close()
    hooks.say("Comparing books and checking every invariant")
    found.proof = proof.prove(transfers=[row.id for row in found.sent if row.id], control=control)
    found.clock = clock.now().date().isoformat()
    return found


def _tokens() -> tuple[dict[str, str], dict[int, str]]:
    """Bearer tokens by role, and by the number of the investor whose login it is."""
    users = {
        user.username: user for user in User.objects.filter(username__in=[row.username for row in catalogue.LOGINS])
    }

    def token(username: str) -> str:
        return str(AuthToken.objects.create(users[username])[1])

    roles = {str(role): token(logins.with_role(role)[0].username) for role in (Role.SERVICE, Role.MAKER, Role.CHECKER)}
    investors = [token(login.username) for login in logins.with_role(Role.INVESTOR)]
    count = data.FOR_EACH_LOGIN * len(investors)
    return roles, {number: investors[number % len(investors)] for number in range(count)}


def _accounts(wanted: Plan) -> dict[str, str]:
    """TypeIDs of the accounts that the plan uses, by account number, found without opening any number."""
    numbers = {crypto.blind_index(row.account.number): row.account.number for row in wanted.requests}
    rows = InvestorAccount.objects.filter(number_index__in=numbers).values_list("number_index", "id")
    return {numbers[index]: ids.encode("account", key) for index, key in rows}


def _funds() -> dict[str, str]:
    return {code: ids.encode("fund", key) for code, key in Fund.objects.values_list("code", "id")}


def _set_faults(control: SandboxControl, wanted: Plan) -> list[int]:
    """One rule for equal faults of one account, with their number as its count."""
    counted: Counter[tuple[tuple[str, Any], ...]] = Counter(
        tuple(sorted((name, value) for name, value in rule.items() if name != "count")) for rule in wanted.faults
    )
    return [
        int(control.call("POST", "/control/faults", {**dict(rule), "count": count})["id"])
        for rule, count in counted.items()
    ]


def _remove_faults(control: SandboxControl, rules: Sequence[int]) -> None:
    """What did not strike must not surprise the next run."""
    for rule in rules:
        try:
            control.call("DELETE", f"/control/faults?id={rule}")
        except ControlRefused:
            continue  # somebody has removed it, or the bank is gone and so are we


def _why(row: Transfer) -> str:
    if row["blocker"]:
        return f"{row['blocker']['code']}: {row['blocker']['message']}"
    legs = ", ".join(f"{leg['kind']} {leg['attempt']} {leg['state']}" for leg in row["legs"])
    return legs or "nothing blocks it"
