"""Which faults strike in a run: a few kinds of all that the bank knows, so that runs differ in character."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from bridge.sandbox.model import Call, Fault, FaultRule
from bridge.sandbox.model.faults import ANYWHERE

DAY = 86_400.0
NONE_AT_ALL = 0.05  # of the runs: a good day
KINDS_OF_A_RUN = (4, 8, 14)
PARTNERS = {Fault.RETURN_UNDONE: Fault.RETURN_LATER}  # the first can strike only where the other has
READS_AND_ORDERS = (Call.SUBMIT, Call.QUERY, Call.BALANCE)

_KEPT: dict[str, Sequence[Any]] = {"fee": (0, 0, 0, 500), "interest": (0, 0, 0, 75)}  # on the way back
# Per kind of fault what each of its particulars is drawn from; a fault that is not here takes the bank's defaults.
PARTICULARS: dict[str, dict[str, Sequence[Any]]] = {
    "reject": {"at_settlement": (True, False), "code": ("", "R02", "R23", "R29")},
    "stale_query": {"not_found": (True, False)},
    "timeout_late": {"seconds": (1.0, 5.0, 60.0, 3_600.0, 0.9 * DAY)},
    "late_callback": {"seconds": (5.0, 60.0, 900.0, DAY)},
    "out_of_order_callback": {"seconds": (5.0, 60.0, 900.0, DAY)},
    "return_later": {
        "days": (0.0, 0.0, 1.0, 3.0),
        "seconds": (1.0, 30.0),
        "amount": (0, 0, 0, 0, 1, 1_000_00),
        **_KEPT,
    },
    "return_undone": {"days": (0.0, 1.0), "seconds": (1.0, 900.0)},
    "settled_twice": {"days": (0.0, 1.0), "seconds": (1.0, 30.0, 900.0)},
    "settled_after_rejection": {"days": (0.0, 1.0), "seconds": (1.0, 30.0, 900.0)},
    "recall_accepted": {"days": (0.0, 1.0), "seconds": (1.0, 900.0)} | _KEPT,
    "wrong_amount": {"delta": (-1, -250_00, -1_000_00, 1, 250_00)},
    "wrong_line": {"delta": (-1, 100)},
    "stray_credit": {"amount": (1, 25_00, 400_00)},
    "bank_charge": {"amount": (1, 25_00)},
    "forget_key": {"seconds": (5.7 * DAY, 6.5 * DAY, 7.0 * DAY)},  # not before the end of what it promised
    "partial_statement": {"keep": (0.0, 0.5, 0.9)},
    "truncated_statement": {"keep": (0.0, 0.5, 0.9)},
    "slow": {"seconds": (1.0, 40.0)},
}


def plan(rng: Random) -> list[FaultRule]:
    """The rules of one run. A kind of fault that the bank learns is drawn from then on."""
    if rng.random() < NONE_AT_ALL:
        return []
    known = sorted(Fault)
    rules: list[FaultRule] = []
    chosen = rng.sample(known, rng.choice(KINDS_OF_A_RUN))
    chosen += [PARTNERS[fault] for fault in chosen if PARTNERS.get(fault, fault) not in chosen]
    for fault in chosen:
        calls: Sequence[Call | None] = [None]
        if fault in ANYWHERE:
            calls = rng.sample(READS_AND_ORDERS, rng.choice((1, 2)))
        for call in calls:
            rules.append(
                FaultRule(
                    id=len(rules) + 1,
                    fault=fault,
                    call=call,
                    probability=rng.choice((0.15, 0.3, 0.5, 0.9)),
                    count=rng.choice((None, None, 1, 3)),
                    **{name: rng.choice(values) for name, values in PARTICULARS.get(fault.value, {}).items()},
                )
            )
    return rules
