"""Watching a batch to its end through the API: the demo's people decide, its clock moves on when nothing else does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from bridge.management.demo.api import Api
from bridge.management.demo.sending import Sent
from transfers.policy import Policy
from transfers.states import ENDED, OPEN, State

LOOK = 0.4  # seconds between two looks, at least
QUIET = 1.6  # nothing has changed for so many seconds: time to move the clock
SWEPT = 6.0  # the same after a step of days: the engine's sweep must have come round
LONGEST_STEP = 3600
MOVING = {str(s) for s in OPEN} - {str(State.IN_REVIEW), str(State.WAITLISTED), str(State.FROZEN)}
Transfer = dict[str, Any]


@dataclass(slots=True)
class Watch:
    """`tokens` by role: service, maker, checker. `deadline` as in `time.monotonic()`."""

    api: Api
    tokens: dict[str, str]
    token_of: Callable[[Any], str]
    policy: Policy
    deadline: float
    run: str
    advanced: int = 0
    _asked: dict[str, int] = field(default_factory=dict)
    _steps: int = 0
    _far: bool = False

    def until_the_end(self, sent: Sequence[Sent], *, progress: Callable[[list[Transfer]], None]) -> list[Transfer]:
        """All of them as they are when none is open any more, or when the time is over. Raises `ApiSilent`."""
        ours = {row.id: row for row in sent if row.id}
        since = min((row.created_at for row in sent if row.id), default="")
        seen: object = None
        changed_at = time.monotonic()
        while ours and time.monotonic() < self.deadline:
            began = time.monotonic()
            open_ = [row for row in self._list(since, only=[str(s) for s in OPEN]) if row["id"] in ours]
            progress(open_)
            if not open_:
                break
            fingerprint = {(row["id"], row["version"]) for row in open_}
            if fingerprint != seen:
                seen, changed_at, self._steps, self._far = fingerprint, time.monotonic(), 0, False
            acted = sum(self._decide(row, ours[row["id"]]) for row in open_)
            if acted:
                changed_at = time.monotonic()
            elif time.monotonic() - changed_at > (SWEPT if self._far else QUIET):
                self._move_clock(open_)
                changed_at = time.monotonic()
            time.sleep(max(LOOK, 3 * (time.monotonic() - began)))
        return [row for row in self._list(since) if row["id"] in ours] if ours else []

    def _list(self, since: str, only: Sequence[str] = ()) -> list[Transfer]:
        """Ours and what else was asked since; the oldest of ours was created at `since` itself."""
        params = [("created_after", _just_before(since)), *(("state", state) for state in only)]
        return self.api.pages("/transfers", token=self.tokens["service"], params=params)

    def _decide(self, row: Transfer, sent: Sent) -> bool:
        """What the plan's people do with a transfer that waits for people. Whether anything was asked."""
        then, state = sent.planned.then, row["state"]
        times = self._asked.get(row["id"], 0)
        if state == State.IN_REVIEW:
            verb, role = ("reject", "checker") if then == "reject" or times else ("approve", "checker")
            if then == "cancel":
                verb, role = "cancel", ""
        elif state == State.WAITLISTED and then == "cancel" and not times:
            verb, role = "cancel", ""
        elif state == State.WITHDRAWN and row["blocker"] and row["blocker"]["code"] != "outcome_unknown":
            verb, role = ("retry", "maker") if then == "retry" and not times else ("refund", "maker")
        else:
            return False
        self._asked[row["id"]] = times + 1
        token = self.tokens[role] if role else self.token_of(sent.planned)
        key = f"{self.run}-{sent.planned.number}-{verb}-{times}"
        self.api.post(f"/transfers/{row['id']}/{verb}", token=token, body={"reason": "Demo"}, key=key)
        return True

    def _move_clock(self, open_: Sequence[Transfer]) -> None:
        """Forward by what the open ones wait for; further each time that it did not help."""
        policy = self.policy
        moving = [row for row in open_ if row["state"] in MOVING]
        unknown = any(row["blocker"] and row["blocker"]["code"] == "outcome_unknown" for row in moving)
        if moving:
            wait = _seconds(policy, "finality") if unknown else policy.settle_poll
            seconds = max(wait + 1, min(LONGEST_STEP, (wait + 1) * 2**self._steps))
        else:
            seconds = policy.waitlist + 1
        self._far = not moving
        self._steps += 1
        self.advanced += seconds
        self.api.post("/simulations/clock/advance", token=self.tokens["service"], body={"seconds": seconds})


def _seconds(policy: Policy, name: str) -> int:
    """How long that wait takes from now on; business days take longer over a weekend."""
    moment = datetime.now(UTC)
    return ceil((policy.after(moment, name) - moment).total_seconds())


def _just_before(moment: str) -> str:
    return (datetime.fromisoformat(moment) - timedelta(seconds=1)).isoformat()


def still_open(rows: Sequence[Transfer]) -> list[Transfer]:
    ended = {str(state) for state in ENDED}
    return [row for row in rows if row["state"] not in ended]
