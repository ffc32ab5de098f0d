"""Sending a plan: several requests at once, those that follow another after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bridge.management.demo.api import Answer, Api
from bridge.management.demo.plan import Plan, Planned

AT_ONCE = 8
REPEATED = 10  # every so many-th request is sent twice under its key
CREATED = 201


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was answered. `id` is empty where it was refused, `problem` says why then."""

    planned: Planned
    id: str
    created_at: str
    problem: str = ""
    replays_differ: bool = False


@dataclass(frozen=True, slots=True)
class Senders:
    """Who asks, with what: `token_of(planned)`, and TypeIDs by account number and by the fund's code."""

    api: Api
    run: str
    token_of: Callable[[Planned], str]
    accounts: dict[str, str]
    funds: dict[str, str]

    def all(self, plan: Plan, *, progress: Callable[[], None]) -> list[Sent]:
        """In the order of the plan. Raises `ApiSilent`, `ApiRefused`."""
        first = [row for row in plan.requests if row.follows is None]
        then = [row for row in plan.requests if row.follows is not None]
        sent = [*self._wave(first, progress), *self._wave(then, progress)]
        return sorted(sent, key=lambda row: row.planned.number)

    def _wave(self, rows: Iterable[Planned], progress: Callable[[], None]) -> list[Sent]:
        def one(row: Planned) -> Sent:
            sent = self.one(row)
            progress()
            return sent

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, rows))

    def one(self, row: Planned) -> Sent:
        """Ask; cancel at once where the plan says so; now and then ask again under the same key."""
        token, key = self.token_of(row), f"{self.run}-{row.number}"
        body = {
            "source_account": self.accounts[row.account.number],
            "fund": self.funds[row.fund],
            "amount": row.amount,
            "currency": row.account.currency,
            "external_id": f"{self.run}-{row.number:04}",
            "metadata": {"demo": row.kind},
        }
        answer = self.api.post("/transfers", token=token, body=body, key=key)
        if answer.status != CREATED:
            return Sent(row, "", "", problem=_problem(answer))
        differ = False
        if row.number % REPEATED == 0:
            again = self.api.post("/transfers", token=token, body=body, key=key)
            differ = again.body != answer.body
        found = str(answer.body["id"])
        if row.kind == "cancel":
            self.api.post(f"/transfers/{found}/cancel", token=token, body={}, key=f"{key}-cancel")
        return Sent(row, found, str(answer.body["created_at"]), replays_differ=differ)


def _problem(answer: Answer) -> str:
    return f"HTTP {answer.status} {answer.code}: {answer.body.get('detail', '')}"
