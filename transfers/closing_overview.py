"""Reading a fund for its closing: everything that is open, with its blockers and its money, and the plan for terms."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass

from django.db.models import Q

from bridge.kernel.errors import NotFound
from funds.models import Closing, Fund
from transfers.closing import Phase, Plan, Position, Terms, make_plan
from transfers.models import Transfer
from transfers.states import ENDED, RECALL_DUE, RECALL_OPEN, State


@dataclass(frozen=True, slots=True)
class Overview:
    """`positions` are all that is open, and what is at the fund. Money per phase in minor units of `currency`."""

    fund: Fund
    currency: str
    positions: tuple[Position, ...]
    money: dict[Phase, int]
    counts: dict[Phase, int]
    running: Closing | None

    @property
    def blocked(self) -> tuple[Position, ...]:
        return tuple(row for row in self.positions if row.blocker_code)

    @property
    def is_settled(self) -> bool:
        """Nothing is open: all that is left is at the fund and nobody asked for it back."""
        return all(phase == Phase.AT_FUND for phase, count in self.counts.items() if count)


def closing_overview(*, fund_id: uuid.UUID) -> Overview:
    """What stands between this fund and its being closed. Raises `NotFound`."""
    fund = _fund(fund_id)
    positions = positions_of(fund_id)
    money: Counter[Phase] = Counter()
    for row in positions:
        money[row.phase] += row.amount
    counts = Counter(row.phase for row in positions)
    running = Closing.objects.filter(fund=fund, state=Closing.State.RUNNING).first()
    return Overview(fund, fund.currency, tuple(positions), dict(money), dict(counts), running)


def plan_closing(*, fund_id: uuid.UUID, terms: Terms) -> Plan:
    """The plan as it would be now. Writes nothing. Raises `NotFound`, `NothingToCut`."""
    fund = _fund(fund_id)
    return make_plan(
        fund_id=fund.id, currency=fund.currency, minimum=fund.minimum, terms=terms, positions=positions_of(fund_id)
    )


def positions_of(fund_id: uuid.UUID) -> list[Position]:
    """All transfers of a fund that are open or at the fund, in the order of their requests.

    A split child stands where the request stood from which it came.
    """
    gone = [str(state) for state in ENDED if state != State.COMPLETED]
    rows = Transfer.objects.filter(Q(fund_id=fund_id), ~Q(state__in=gone)).select_related("investor")
    found = {row.id: row for row in rows}
    roots = {row.family_id for row in found.values()} - found.keys()
    asked = {row.id: row.created_at for row in found.values()}
    asked |= dict(Transfer.objects.filter(pk__in=roots).values_list("id", "created_at"))
    ordered = sorted(found.values(), key=lambda row: (asked[row.family_id], row.family_id, row.id))
    return [
        Position(
            transfer_id=row.id,
            public_id=row.public_id,
            investor_id=row.investor_id,
            investor=row.investor.legal_name,
            state=str(row.state),
            next_step=row.next_step,
            blocker_code=row.blocker_code,
            blocker_message=row.blocker_message,
            amount=row.amount,
            order=number,
            recalled=row.blocker_code in (RECALL_DUE, RECALL_OPEN),
        )
        for number, row in enumerate(ordered)
    ]


def _fund(fund_id: uuid.UUID) -> Fund:
    fund = Fund.objects.filter(pk=fund_id).first()
    if fund is None:
        raise NotFound(what="fund")
    return fund
