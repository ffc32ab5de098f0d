"""What must hold after every run, beside the invariants of the apps: (a) to (f) of docs/TRUST.md."""

from __future__ import annotations

from collections import Counter

from django.db import connection
from django.db.models import Count

from bridge.approvals.models import Approval
from bridge.approvals.rows import bound_hash
from bridge.events.models import Event
from bridge.kernel import invariants
from bridge.kernel.gateway import InstructionKind, Order
from bridge.management.simulation.house import PAYING, acts_or_may
from bridge.management.simulation.run import Run
from bridge.sandbox.model import Instruction
from notifications.messages import HOUSE, TEXTS
from notifications.models import Notification
from transfers.models import BankInstruction, BankStatement, Break, InboundCallback, Transfer
from transfers.reconciliation import books
from transfers.reconciliation.matching import Facet
from transfers.states import ENDED, ENGINE_FAULT, State
from transfers.states import InstructionState as S

IN_FLIGHT = (State.WITHDRAWING, State.DEPOSITING, State.REFUNDING)
FACETS = (*(facet.value for facet in Facet), books.RETURN_FEE)
Money = dict[str, dict[str, int]]  # per key and facet, minor units
# What entered or left the settlement account for no instruction of ours.
_FOR_NO_INSTRUCTION = """
    SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger_entry AS e
    JOIN ledger_posting AS p ON p.id = e.posting_id JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE a.currency = %s AND p.row IN ('S1', 'S3', 'F1', 'A3') AND a.kind IN ('suspense', 'firm_advance')
"""


def check_everything(run: Run) -> None:
    for verdict in invariants.verify_all():
        if not verdict.holds:
            run.violate(verdict.name, f"{verdict.promise} {verdict.rows[:3]}")
    _same_money(run)
    _once_at_the_bank(run)
    look_at_what_was_given_up(run)
    _accepted_exists(run)
    _kept_statements(run)
    _told_once(run)
    _two_people(run)
    _final_due_or_blocked(run)


def states() -> dict[str, int]:
    rows = Transfer.objects.values_list("state").annotate(Count("id")).order_by("state")
    return {str(state): number for state, number in rows}


# --- (a) the ledger and the bank's own record, per reference, both ways


def _ours() -> Money:
    keys = dict(BankInstruction.objects.values_list("id", "key"))
    found: Money = {}
    for item in books.movements_of(list(Transfer.objects.values_list("id", flat=True))):
        facets = found.setdefault(keys[item.instruction_id], dict.fromkeys(FACETS, 0))
        facets[item.facet] += item.amount
    return found


def _theirs(run: Run) -> Money:
    found: Money = {}
    for row in run.house.books.instructions.values():
        facets = found.setdefault(row.terms.key, dict.fromkeys(FACETS, 0))
        facets[Facet.SETTLED] += row.settled_amount
        facets[Facet.RETURNED] += row.returned_amount
        facets[Facet.FEE] += row.fee
        facets[books.RETURN_FEE] += row.return_fee
    return found


def unlike(run: Run) -> list[Instruction]:
    """The bank's instructions about whose money our ledger says something else."""
    ours, theirs = _ours(), _theirs(run)
    none = dict.fromkeys(FACETS, 0)
    keys = {key for key in theirs if theirs[key] != ours.get(key, none)}
    return [row for row in run.house.books.instructions.values() if row.terms.key in keys]


def look_at_differences(run: Run) -> None:
    """Before anybody asks the bank: reconciliation must have named each difference by itself."""
    named = {row.reference for row in Break.objects.all()}
    for row in unlike(run):
        key = row.terms.key
        if not {key, f"{key}:returned", f"{key}:fee"} & named:
            run.violate("a: reconciliation names each difference", f"{row.terms.kind} {key}: {row.status}")


def _same_money(run: Run) -> None:
    ours, theirs = _ours(), _theirs(run)
    none = dict.fromkeys(FACETS, 0)
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key, none) != theirs.get(key, none):
            what = f"{key}: ledger {_shown(ours.get(key))}, bank {_shown(theirs.get(key))}"
            run.violate("a: ledger and bank agree per reference", what)
    for currency in sorted({fund.currency for fund in run.funds}):
        inside = books.money_inside(currency=currency, before=run.time.now()) - _without_instruction(currency)
        lines = [line for line in run.house.books.statements.get(currency, []) if line.key]
        there = sum(line.amount if line.direction == "credit" else -line.amount for line in lines)
        if inside != there:
            run.violate("a: the settlement account holds what the ledger says", f"{currency}: {inside}, bank {there}")


def _without_instruction(currency: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FOR_NO_INSTRUCTION, [currency])
        (amount,) = cursor.fetchone()
    return amount


def _shown(facets: dict[str, int] | None) -> str:
    return ", ".join(f"{facet} {amount}" for facet, amount in (facets or {}).items() if amount) or "nothing"


# --- (b) each step took effect at most once


def look_at_order(run: Run, order: Order) -> None:
    """Just before an order leaves us: no other of its kind may act, and nothing is paid out twice over."""
    if order.kind not in PAYING:
        return
    mine = BankInstruction.objects.filter(key=order.key).first()
    if mine is None:
        run.violate("b: the intent is committed before the call", f"{order.kind} {order.key} is in no row")
        return
    others = BankInstruction.objects.filter(transfer_id=mine.transfer_id).exclude(key=order.key)
    against = {order.kind.value}
    if order.kind is InstructionKind.REFUND:
        against.add(InstructionKind.DEPOSIT.value)
    # What settled or came back as far as we know was paid with other money; the books are checked for that.
    unsure = others.filter(kind__in=against).exclude(state__in=[S.SETTLED, S.RETURNED])
    for other in unsure.order_by("id"):
        if acts_or_may(run.house.books, other.key) and other.key not in run.house.refused:
            what = f"{order.kind} {order.key} is sent while {other.kind} {other.key} is {other.state} here"
            run.violate("b: no new key while an earlier one may act", what)


def look_at_what_was_given_up(run: Run) -> None:
    """Nothing counts as refused but on the bank's word, or on that of two people."""
    rows = BankInstruction.objects.filter(state=S.REJECTED).exclude(return_code="two_people")
    for key in sorted(set(rows.values_list("key", flat=True)) - run.house.refused):
        run.house.refused.add(key)  # once is enough
        run.violate("b: given up only on the bank's word", f"{key} counts as rejected, and nobody said so")


def _once_at_the_bank(run: Run) -> None:
    uses = Counter((row.institution, row.terms.key) for row in run.house.books.instructions.values())
    for (institution, key), number in uses.items():
        if number > 1:
            run.violate("b: each step takes effect at most once", f"{institution} acted {number} times on {key}")
    known = set(BankInstruction.objects.values_list("key", flat=True))
    for row in run.house.books.instructions.values():
        if row.terms.key not in known:
            run.violate("b: the intent is committed before the call", f"{row.terms.kind} {row.terms.key} is in no row")


# --- (c) what somebody was told is so


def _accepted_exists(run: Run) -> None:
    rows = Transfer.objects.in_bulk([wish.told for wish in run.wishes if wish.told])
    first = dict(Event.objects.filter(subject_id__in=rows, seq=1).values_list("subject_id", "data__fund"))
    owners: Counter[str] = Counter()
    for wish in run.wishes:
        if wish.told is None:
            continue
        row = rows.get(wish.told)
        owners[str(wish.told)] += 1
        # People may have sent it to another fund since: it was born for the first.
        if row is None or (row.requested_amount, first[row.id], row.source_account_id) != (
            wish.request.amount,
            str(wish.request.fund_id),
            wish.request.source_account_id,
        ):
            run.violate("c: what was accepted exists", f"{wish.key} was told of {wish.told}")
    for name, number in owners.items():
        if number > 1:
            run.violate("c: one request, one transfer", f"{name} was promised to {number} requests")
    asked_for = Transfer.objects.filter(split_from__isnull=True).count()
    wanted = sum(1 for wish in run.wishes if wish.told)
    if asked_for != wanted:
        run.violate("c: one request, one transfer", f"{wanted} requests were accepted, {asked_for} transfers exist")
    log = set(Event.objects.values_list("subject_id", "version", "state"))
    for found, version, state in run.told:
        if (found, version, state) not in log:
            run.violate("c: what was accepted exists", f"{found} was said to be {state} in version {version}")


# --- (d) notifications


def _told_once(run: Run) -> None:
    events = set(Event.objects.filter(type__in=[*TEXTS, *HOUSE]).values_list("id", flat=True))
    told = Counter(Notification.objects.values_list("pk", flat=True))
    for event in events - told.keys():
        run.violate("d: everybody is told", f"event {event} has no notification")
    for event, number in told.items():
        if number > 1 or event not in events:
            run.violate("d: everybody is told once", f"event {event} has {number} notifications")


# --- (e) two people


def _two_people(run: Run) -> None:
    for row in Approval.objects.filter(state=Approval.State.APPROVED):
        asked = run.asked.get(row.id)
        if row.checker in ("", row.maker):
            run.violate("e: the approver is not the maker", f"{row.summary}: {row.maker}, {row.checker}")
        if asked is not None and (asked.kind, asked.subject, asked.payload, asked.maker) != (
            row.kind,
            row.subject_id,
            row.payload,
            row.maker,
        ):
            run.violate("e: this very payload was approved", f"{row.summary}: {asked.payload} became {row.payload}")
        if bound_hash(row.kind, row.subject_id, row.payload, row.seen) != row.bound_hash:
            run.violate("e: this very payload was approved", f"{row.summary}: its hash does not fit")
    same = Transfer.objects.exclude(approved_by="").extra(where=["approved_by = requested_by"])
    for found in same:
        run.violate("e: the approver is not the maker", f"transfer {found.id}: {found.approved_by}")


# --- (f) nothing is stranded


def _kept_statements(run: Run) -> None:
    kept = set(BankStatement.objects.values_list("account", "date"))
    for account, day in run.imported:
        if (account, day) not in kept:
            run.violate("c: what was accepted exists", f"the statement of {account} for {day}")


def _final_due_or_blocked(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.id, t.state FROM transfers_transfer AS t LEFT JOIN transfers_work AS w ON w.transfer_id = t.id "
            "WHERE NOT (t.state = ANY(%s)) AND w.due_at IS NULL AND t.blocker_code = ''",
            [[str(state) for state in ENDED]],
        )
        for found, state in cursor.fetchall():
            run.violate("f: final, due or blocked with a reason", f"{found} is {state}")
    for row in Transfer.objects.filter(state__in=IN_FLIGHT).order_by("id"):
        what = f"{row.id} is still {row.state}, {row.blocker_code}"
        run.violate("f: a healthy bank brings everything to an end", what)
    for row in Transfer.objects.filter(blocker_code=ENGINE_FAULT).order_by("id"):
        run.violate("f: the engine fails on nothing", f"{row.id} is {row.state}: {row.blocker_message}")
    for note in InboundCallback.objects.exclude(problem="").order_by("id"):
        run.violate("f: every callback can be applied", f"{note.callback_id}: {note.problem}")
