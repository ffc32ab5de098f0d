"""Mistakes in the books: amounts, holds, places."""

from __future__ import annotations

from tests.simulation.bugs import Bug, Edit

WITHDRAWING = "transfers/services/withdrawing.py"

MONEY = (
    Bug(
        "requested_amount_trusted",
        "What was ordered is booked instead of what arrived: a short pay makes money.",
        (
            Edit(
                WITHDRAWING,
                "    credited = report.settled_amount\n",
                "    credited = order.settled_amount = order.amount - report.fee\n",
            ),
        ),
    ),
    Bug(
        "double_posting_on_a_repeated_settlement",
        "A repeated report is added to what is known instead of compared with it.",
        (
            Edit(
                "transfers/services/outcomes.py",
                "    elif settled > order.settled_amount or fee:\n",
                "    elif order.state == I.SETTLED and settled and not report.returned_amount:\n"
                "        _settle_again(batch, leg, report, order, transfer, settled, fee)\n"
                "    elif settled > order.settled_amount or fee:\n",
            ),
        ),
    ),
    Bug(
        "hold_not_consumed",
        "The investor's money stays set aside after it was withdrawn.",
        (
            Edit(
                "accounts/holds.py",
                "    return Movement(account_id, held=-amount, begun=amount)\n",
                "    return Movement(account_id, begun=amount)\n",
            ),
        ),
    ),
    Bug(
        "seat_not_released",
        "A withdrawal that failed keeps its seat, and somebody waits for it in vain.",
        (
            Edit(
                WITHDRAWING,
                "    batch.places.release(transfer.id)\n    transfer.fail(at=batch.at)\n",
                "    transfer.fail(at=batch.at)\n",
            ),
        ),
    ),
    Bug(
        "refund_while_unknown",
        "A deposit of which nobody knows is taken back as if it had been refused, and the refund goes out beside it.",
        (
            Edit(
                "transfers/services/outcomes.py",
                "        if leg.shows_unknown:\n            show_unknown(batch, transfer, order)\n",
                "        if leg.kind == InstructionKind.DEPOSIT and tries > 1:\n"
                "            _reject(batch, leg, Report(order.key, Outcome.REJECTED), order, transfer)\n"
                "        elif leg.shows_unknown:\n            show_unknown(batch, transfer, order)\n",
            ),
            Edit(
                "transfers/services/outcomes.py",
                "    if report.outcome == Outcome.REJECTED or _sends_back(report):\n",
                "    if report.outcome in (Outcome.REJECTED, Outcome.UNKNOWN, Outcome.NOT_FOUND) or _sends_back(report):\n",
            ),
        ),
    ),
    Bug(
        "child_without_refund",
        "What was split off a transfer is nobody's work: the surplus stays with us for ever.",
        (
            Edit(
                "transfers/services/splitting.py",
                "        batch.schedule(child, step, None if waits else batch.at)\n",
                "        batch.schedule(child, step, None)\n",
            ),
        ),
    ),
)
