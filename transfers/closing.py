"""What closing a fund would do, transfer by transfer, before anything is done. Pure: no database, no clock.

A plan is computed from positions and terms, and carries a hash of both. Two people approve that hash; whoever carries
the plan out computes it again under locks and refuses when the hashes differ.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from bridge.kernel.errors import BridgeError
from transfers.blockers import Closing, closing_codes
from transfers.shares import Claim, first_come, pro_rata
from transfers.states import NextStep, State


class PlanKind(StrEnum):
    SETTLE = "settle"
    CUT_BACK = "cut-back"
    RETURN_ALL = "return-all"


class Method(StrEnum):
    PRO_RATA = "pro-rata"
    FIRST_COME = "first-come"


class Below(StrEnum):
    """What becomes of an investor whom the cut leaves below the fund's minimum."""

    KEEP = "keep"
    OUT = "out"


class Phase(StrEnum):
    """How far a transfer is, as closing sees it."""

    WAITING = "waiting for a place"
    UNMOVED = "not moved"
    MOVING = "on the bridge"
    AT_FUND = "at the fund"
    GOING_BACK = "going back"
    FROZEN = "frozen"


class Action(StrEnum):
    KEEP = "keep"
    CANCEL = "cancel"
    REDUCE = "reduce"
    REFUND = "refund"
    SPLIT = "split and refund"
    RECALL = "recall"
    SPLIT_RECALL = "split and recall"
    LET_SETTLE = "let it settle"
    LET_RETURN = "let it go back"
    LEAVE = "leave frozen"


DOING_NOTHING = (Action.KEEP, Action.LET_SETTLE, Action.LET_RETURN, Action.LEAVE)
COUNTED = (Phase.UNMOVED, Phase.MOVING, Phase.AT_FUND)  # what a cut is made of
GOES_BACK = closing_codes(Closing.GOES_BACK)  # blockers of money that was on its way back already


class UnknownPlan(BridgeError):
    code = "unknown_plan"
    status = 422
    title = "No such plan"
    message = "{wrong}"


class NothingToCut(BridgeError):
    code = "nothing_to_cut"
    status = 409
    title = "Nothing to cut"
    message = "{total} minor units are promised; that is not more than the target of {target}."


@dataclass(frozen=True, slots=True)
class Terms:
    """Which plan, and what people chose. `target` in minor units, for a cut back only."""

    kind: PlanKind
    target: int | None = None
    method: Method = Method.PRO_RATA
    below: Below = Below.KEEP

    @classmethod
    def of(cls, given: dict[str, Any], *, kind: str) -> Terms:
        """From JSON. Raises `UnknownPlan` with what is wrong."""
        target = given.get("target")
        try:
            terms = cls(
                PlanKind(kind),
                target,
                Method(given.get("method", Method.PRO_RATA)),
                Below(given.get("below", Below.KEEP)),
            )
        except ValueError as error:
            raise UnknownPlan(wrong=f"{str(error).capitalize()}.") from error
        if terms.kind == PlanKind.CUT_BACK and (type(target) is not int or target < 0):
            raise UnknownPlan(wrong="A cut back needs a target: a whole number of minor units, 0 or more.")
        if terms.kind != PlanKind.CUT_BACK and target is not None:
            raise UnknownPlan(wrong=f"The plan '{kind}' has no target.")
        return terms

    def as_json(self) -> dict[str, Any]:
        if self.kind != PlanKind.CUT_BACK:
            return {}
        return {"target": self.target, "method": str(self.method), "below": str(self.below)}


@dataclass(frozen=True, slots=True)
class Position:
    """One transfer as it stands. `amount` in minor units; `order` is its place among the fund's requests."""

    transfer_id: uuid.UUID
    public_id: str
    investor_id: uuid.UUID
    investor: str
    state: str
    next_step: str
    blocker_code: str
    blocker_message: str
    amount: int
    order: int
    recalled: bool = False

    @property
    def phase(self) -> Phase:
        if self.state == State.WAITLISTED:
            return Phase.WAITING
        if self.state in (State.REQUESTED, State.IN_REVIEW, State.APPROVED):
            return Phase.UNMOVED
        if self.state == State.FROZEN:
            return Phase.FROZEN
        if self.state == State.COMPLETED:
            return Phase.GOING_BACK if self.recalled else Phase.AT_FUND
        if self.state == State.REFUNDING or self.next_step == NextStep.REFUND or self.blocker_code in GOES_BACK:
            return Phase.GOING_BACK
        return Phase.MOVING


@dataclass(frozen=True, slots=True)
class Item:
    """What the plan does with one transfer: `keep` stays with the fund, `give_back` does not. Minor units."""

    position: Position
    action: Action
    keep: int
    give_back: int


@dataclass(frozen=True, slots=True)
class Plan:
    fund_id: uuid.UUID
    currency: str
    minimum: int
    terms: Terms
    items: tuple[Item, ...]

    @property
    def steps(self) -> tuple[Item, ...]:
        """Those that have something to be done."""
        return tuple(item for item in self.items if item.action not in DOING_NOTHING)

    @property
    def totals(self) -> dict[str, int]:
        """Minor units: promised now, kept, released without having moved, refunded, recalled."""
        moved = {Action.REFUND: "refunded", Action.SPLIT: "refunded"}
        moved |= {Action.RECALL: "recalled", Action.SPLIT_RECALL: "recalled"}
        sums = {"now": 0, "kept": 0, "released": 0, "refunded": 0, "recalled": 0}
        for item in self.items:
            sums["now"] += item.position.amount
            sums["kept"] += item.keep
            if item.action in (Action.CANCEL, Action.REDUCE):
                sums["released"] += item.give_back
            elif item.action in moved:
                sums[moved[item.action]] += item.give_back
        return sums

    @property
    def hash(self) -> str:
        """SHA-256 of what it was computed from: the terms, and every transfer's phase and amount.

        The phase and not the state, so that money which merely goes on its way does not void the plan.
        """
        body = [
            str(self.fund_id),
            str(self.terms.kind),
            self.terms.as_json(),
            self.minimum,
            [
                [str(item.position.transfer_id), str(item.position.phase), item.position.amount, item.keep]
                for item in self.items
            ],
        ]
        return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        items = [
            {
                "transfer": item.position.public_id,
                "investor": item.position.investor,
                "state": item.position.state,
                "phase": str(item.position.phase),
                "now": item.position.amount,
                "action": str(item.action),
                "keep": item.keep,
                "give_back": item.give_back,
            }
            for item in self.items
        ]
        terms = asdict(self.terms)
        return {"currency": self.currency, **terms, "plan": self.hash, "totals": self.totals, "items": items}


def make_plan(*, fund_id: uuid.UUID, currency: str, minimum: int, terms: Terms, positions: Sequence[Position]) -> Plan:
    """What these terms mean for these transfers. `minimum` is the fund's per investor. Raises `NothingToCut`."""
    kept = _cut(minimum, terms, positions) if terms.kind == PlanKind.CUT_BACK else {}
    items = tuple(_item(position, terms, kept) for position in positions)
    return Plan(fund_id, currency, minimum, terms, items)


def _cut(minimum: int, terms: Terms, positions: Sequence[Position]) -> dict[uuid.UUID, int]:
    target = terms.target or 0
    claims = [
        Claim(row.transfer_id, row.investor_id, row.amount, row.order) for row in positions if row.phase in COUNTED
    ]
    total = sum(claim.amount for claim in claims)
    if total <= target:
        raise NothingToCut(total=total, target=target)
    share = pro_rata if terms.method == Method.PRO_RATA else first_come
    return share(claims, target=target, minimum=minimum if terms.below == Below.OUT else 0)


def _item(position: Position, terms: Terms, kept: dict[uuid.UUID, int]) -> Item:
    phase, amount = position.phase, position.amount
    if phase == Phase.FROZEN:
        return Item(position, Action.LEAVE, 0, 0)
    if phase == Phase.GOING_BACK:
        return Item(position, Action.LET_RETURN, 0, amount)
    if phase == Phase.WAITING or (terms.kind == PlanKind.SETTLE and phase == Phase.UNMOVED):
        return Item(position, Action.CANCEL, 0, amount)
    if terms.kind == PlanKind.SETTLE:
        return Item(position, Action.LET_SETTLE if phase == Phase.MOVING else Action.KEEP, amount, 0)
    keep = kept[position.transfer_id] if terms.kind == PlanKind.CUT_BACK else 0
    if keep == amount:
        return Item(position, Action.KEEP, keep, 0)
    whole, part = _HOW[phase]
    return Item(position, part if keep else whole, keep, amount - keep)


_HOW = {
    Phase.UNMOVED: (Action.CANCEL, Action.REDUCE),
    Phase.MOVING: (Action.REFUND, Action.SPLIT),
    Phase.AT_FUND: (Action.RECALL, Action.SPLIT_RECALL),
}
