"""Mistakes in talking to banks: what was sent, what is known of it, what may be sent again."""

from __future__ import annotations

from tests.simulation.bugs import Bug, Edit

OUTCOMES = "transfers/services/outcomes.py"
STEPS = "transfers/engine/steps.py"
ORDERS = "transfers/services/orders.py"

BANKS = (
    Bug(
        "blind_retry",
        "No reply is taken for no effect: the withdrawal is given up, and the next try has another key.",
        (
            Edit(
                OUTCOMES,
                "        case Outcome.UNKNOWN:\n            _doubt(batch, leg, order, transfer, tries)\n",
                "        case Outcome.UNKNOWN:\n            _reject(batch, leg, report, order, transfer)\n",
            ),
            Edit(
                OUTCOMES,
                "    if report.outcome == Outcome.REJECTED or _sends_back(report):\n",
                "    if report.outcome in (Outcome.REJECTED, Outcome.UNKNOWN, Outcome.NOT_FOUND) or _sends_back(report):\n",
            ),
        ),
    ),
    Bug(
        "not_found_is_failed",
        "A bank that does not know the key yet is believed to have refused: the order is still on its way.",
        (
            Edit(
                OUTCOMES,
                '            return {"resend": _not_found(batch, leg, order, transfer, tries)}\n',
                "            _reject(batch, leg, report, order, transfer)\n",
            ),
            Edit(
                OUTCOMES,
                "    if report.outcome == Outcome.REJECTED or _sends_back(report):\n",
                "    if report.outcome in (Outcome.REJECTED, Outcome.UNKNOWN, Outcome.NOT_FOUND) or _sends_back(report):\n",
            ),
        ),
    ),
    Bug(
        "resend_after_the_key_is_forgotten",
        "Sent again under a key that the bank keeps no longer: to the bank it is a new order.",
        (
            Edit(
                OUTCOMES,
                "    if batch.at >= order.created_at + lifetime * waits.resend_share / 100:\n",
                "    if batch.at >= order.created_at + lifetime * waits.resend_share:\n",
            ),
        ),
    ),
    Bug(
        "resend_with_a_new_key",
        "The second try carries a key of its own, so the bank cannot know that it is the same order.",
        (
            Edit(
                "transfers/engine/calls.py",
                "            key=row.key,\n            kind=",
                '            key=row.key if row.sends < 2 else f"{row.key}-{row.sends}",\n            kind=',
            ),
        ),
    ),
    Bug(
        "call_before_intent",
        "The bank is called first and the instruction committed afterwards: a crash between leaves money that moved "
        "for nobody.",
        (
            Edit(
                STEPS,
                "    _send(InstructionKind.DEPOSIT, services.begin_deposits(transfer_ids=ids, actor=ENGINE))\n",
                "    _call_first(ids)\n"
                "    _send(InstructionKind.DEPOSIT, services.begin_deposits(transfer_ids=ids, actor=ENGINE))\n",
            ),
            Edit(
                STEPS,
                "def refund(ids: Ids) -> None:\n",
                "def _call_first(ids: Ids) -> None:\n"
                "    from bridge.kernel import ids as numbers\n"
                "    from bridge.kernel.gateway import Order\n"
                "    from transfers.services import orders\n\n"
                "    due = Transfer.objects.filter(pk__in=ids, state='withdrawn', next_step='deposit')\n"
                "    for row in due.select_related('fund'):\n"
                "        number = orders.AHEAD[row.id] = numbers.new_id()\n"
                "        key = f\"bridge-{numbers.encode('instruction', number)}\"\n"
                "        where = row.fund.reveal_number(), row.fund.routing_number\n"
                "        order = Order(key, InstructionKind.DEPOSIT, row.fund.institution, *where, row.amount, row.currency, '')\n"
                "        calls.gateway_at(row.fund.institution).submit(order)\n\n\n"
                "def refund(ids: Ids) -> None:\n",
            ),
            Edit(
                ORDERS,
                "    new_id = ids.new_id()\n",
                "    new_id = AHEAD.pop(transfer.id, None) or ids.new_id()\n",
            ),
            Edit(
                ORDERS,
                "def instruct(\n",
                "AHEAD: dict[uuid.UUID, uuid.UUID] = {}\n\n\ndef instruct(\n",
            ),
        ),
    ),
    Bug(
        "callback_marked_before_it_is_applied",
        "A callback counts as done before its effect is committed: a crash between loses the news for ever.",
        (
            Edit(
                "transfers/engine/callbacks.py",
                "    crashpoints.reach(Point.CALLBACK_ACKNOWLEDGED)\n",
                "    InboundCallback.objects.filter(pk__in=[row.pk for row in waiting]).update(processed_at=clock.now())\n"
                "    crashpoints.reach(Point.CALLBACK_ACKNOWLEDGED)\n",
            ),
        ),
    ),
    Bug(
        "waits_for_the_callback",
        "An order that the bank accepted is not asked about again: a lost callback strands the transfer.",
        (
            Edit(
                OUTCOMES,
                "    _accepted(batch, report, order)\n"
                '    batch.schedule(transfer, leg.settle, orders.terms(order, transfer).after(batch.at, "settle_poll"))\n'
                "    deadlines.answered(batch, transfer)\n",
                "    _accepted(batch, report, order)\n"
                "    batch.schedule(transfer, leg.settle, None)\n"
                "    deadlines.answered(batch, transfer)\n",
            ),
        ),
    ),
    Bug(
        "return_ignored",
        "What comes back after the settlement is not posted: the books show money that is gone.",
        (
            Edit(
                OUTCOMES,
                "    if report.returned_amount > order.returned_amount or kept:\n",
                "    if (report.returned_amount > order.returned_amount or kept) and order.state == I.RETURNED:\n",
            ),
        ),
    ),
    Bug(
        "late_settlement_ignored",
        "An order that was refused and settles after all is taken for settled business.",
        (
            Edit(
                OUTCOMES,
                "    elif settled > order.settled_amount or fee:\n",
                "    elif (settled > order.settled_amount or fee) and order.state != I.REJECTED:\n",
            ),
        ),
    ),
)
