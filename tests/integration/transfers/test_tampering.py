"""What somebody changes with the triggers switched off is noticed: each damage by the invariant that is there for it.

The log is hashed and sealed (`tests/integration/events`), so whatever is done here leaves it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.kernel import clock, ids
from bridge.kernel.results import Change, Done, Role
from funds import rulebook
from funds.models import Closing, Fund, RuleOverride
from funds.rulebook import Draft
from tests.integration.ledger.books import broken
from tests.world import CHECKER, MAKER, World
from transfers.controls.stops import LIFT, NewStop, set_stops
from transfers.models import Break, Parameters, Transfer

HALF = (
    "UPDATE ledger_entry SET amount = amount / 2 WHERE transfer_id = '{a}'",
    "UPDATE ledger_ledgeraccount AS a SET balance = coalesce("
    "(SELECT sum(amount) FROM ledger_entry AS e WHERE e.account_id = a.id), 0)",
)
ORDERS = "UPDATE transfers_bankinstruction SET amount = amount / 2, settled_amount = settled_amount / 2 WHERE {a_is}"
EVERYWHERE = (
    *HALF,
    ORDERS,
    "UPDATE transfers_transfer SET amount = amount / 2 WHERE id = '{a}'",
    "UPDATE funds_reservation SET amount = amount / 2 WHERE {a_is}",
    "UPDATE funds_allocation AS a SET confirmed = "
    "(SELECT coalesce(sum(amount), 0) FROM funds_reservation AS r WHERE r.allocation_id = a.id)",
    "UPDATE funds_fundcapacity AS c SET confirmed = "
    "(SELECT coalesce(sum(confirmed), 0) FROM funds_allocation AS a WHERE a.fund_id = c.fund_id)",
    "UPDATE accounts_investoraccount SET withdrawals_begun = withdrawals_begun / 2, "
    "withdrawals_acknowledged = withdrawals_acknowledged / 2 WHERE id = '{a_account}'",
)
BETWEEN = "00000000-0000-0000-0000-000000000001"
SWAPPED = [
    f"UPDATE ledger_ledgeraccount SET owner_id = '{new}' WHERE kind = 'cash' AND owner_id = '{old}'"
    for old, new in (("{a_account}", BETWEEN), ("{b_account}", "{a_account}"), (BETWEEN, "{b_account}"))
]

CASES = {
    "a transfer is gone": ("I7 kept", ["DELETE FROM transfers_transfer WHERE id = '{a}'"]),
    "a transfer is gone with all but the log": (
        "I7 kept",
        [
            "DELETE FROM ledger_entry WHERE transfer_id = '{a}'",
            "DELETE FROM ledger_posting WHERE transfer_id = '{a}'",
            HALF[1],
            *(f"DELETE FROM {table} WHERE {{a_is}}" for table in ("transfers_bankinstruction", "funds_reservation")),
            *(EVERYWHERE[-3], EVERYWHERE[-2]),
            "DELETE FROM transfers_transfer WHERE id = '{a}'",
        ],
    ),
    "its orders are gone": ("I7 kept", ["DELETE FROM transfers_bankinstruction WHERE {a_is}"]),
    "half of its money, in the ledger": ("I4 legs", HALF),
    "half of its money, in the ledger and its orders": ("I5 begun", [*HALF, ORDERS]),
    "half of its money, everywhere": ("I7 terms", EVERYWHERE),
    "another order's state": (
        "I4 legs",
        ["UPDATE transfers_bankinstruction SET settled_amount = 0, state = 'rejected', settled_at = NULL WHERE {a_is}"],
    ),
    "another currency": ("I7 terms", ["UPDATE transfers_transfer SET currency = 'EUR' WHERE id = '{a}'"]),
    "the other's account": (
        "I7 terms",
        ["UPDATE transfers_transfer SET source_account_id = '{b_account}', account_seq = 9 WHERE id = '{a}'"],
    ),
    "the other's family": (
        "I3 owners",
        ["UPDATE transfers_transfer SET split_from_id = '{b}', family_id = '{b}' WHERE id = '{a}'"],
    ),
    "the other's money": ("I3 owners", SWAPPED),
    "an account in another currency": (
        "I3 owners",
        ["UPDATE ledger_ledgeraccount SET currency = 'EUR' WHERE owner_id = '{a_account}'"],
    ),
    "places that were swapped": (
        "I6 transfers",
        [
            "UPDATE funds_reservation AS r SET allocation_id = o.allocation_id FROM funds_reservation AS o "
            "WHERE r.id <> o.id AND r.transfer_id IN ('{a}', '{b}') AND o.transfer_id IN ('{a}', '{b}')"
        ],
    ),
    "no counters of a fund": ("I6 capacity", ["DELETE FROM funds_fundcapacity WHERE fund_id = '{fund}'"]),
    "an order to the other's account": (
        "I8 terms",
        ["UPDATE transfers_bankinstruction SET account_id = '{b_account}' WHERE kind = 'withdrawal' AND {a_is}"],
    ),
    "a posting of an unknown row": (
        "I1 rows",
        ["UPDATE ledger_posting SET row = 'Q9' WHERE row = 'W2' AND {a_is}"],
    ),
    "a posting that claims to reverse": (
        "I1 rows",
        [
            "UPDATE ledger_posting SET row = 'X2', reverses_id = "
            "(SELECT id FROM ledger_posting WHERE row = 'W1' AND {a_is}) WHERE row = 'D2' AND {a_is}"
        ],
    ),
    "the asker of an approval": ("I7 approvals people", ["UPDATE approvals_approval SET maker = 'somebody'"]),
    "the checker of an approval": ("I7 approvals people", ["UPDATE approvals_approval SET checker = 'somebody'"]),
    "what was approved": ("I7 approvals bound", ['UPDATE approvals_approval SET payload = \'{{"why": "x"}}\'']),
    "the hash of what was approved": ("I7 approvals", ["UPDATE approvals_approval SET bound_hash = repeat('0', 64)"]),
    "no approval": ("I7 approvals", ["DELETE FROM approvals_approval"]),
    "a stop that was not lifted": (
        "I7 stops",
        ["UPDATE transfers_stop SET lifted_at = NULL, lifted_by = '', lift_asked_by = ''"],
    ),
    "no stop": ("I7 stops", ["DELETE FROM transfers_stop"]),
    "values of a rule": ("I7 rules", ["UPDATE funds_ruleparameters SET values = '{{\"required\": false}}'"]),
    "a rule that is not in force": ("I7 rules", ["UPDATE funds_ruleparameters SET state = 'discarded'"]),
}


@pytest.fixture
def names(bridge: World) -> Iterator[dict[str, str]]:
    """Two transfers of two investors at one fund, a stop that two people lifted, a rule that two people set."""
    fund = bridge.fund()
    accounts = [bridge.account(), bridge.account()]
    a, b = (bridge.request(account, fund, 1_000_000) for account in accounts)
    bridge.run()
    assert {bridge.fresh(row).state for row in (a, b)} == {"completed"}
    (stop,) = set_stops(stops=[NewStop("all", "The bank reports fraud.")], actor=MAKER)
    assert isinstance(stop, Done)
    decided(LIFT, stop.id, {"why": "It was a false alarm."})
    draft = Draft(rule="kyc", values={"required": True})
    rule = rulebook.draft_parameters(draft=draft, actor=MAKER)
    decided(rulebook.ACTIVATE, rule.id, {})
    sid = transaction.savepoint()
    yield {
        "a": str(a.id),
        "b": str(b.id),
        "a_is": f"transfer_id = '{a.id}'",
        "a_account": str(a.source_account_id),
        "b_account": str(b.source_account_id),
        "fund": str(fund.id),
    }
    transaction.savepoint_rollback(sid)


def decided(kind: str, subject: object, payload: dict[str, str]) -> None:
    asked = approvals.propose(proposal=Proposal(kind, subject, payload), actor=MAKER)
    (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
    assert isinstance(result, Done), result


class _Undo(Exception):
    """Take the damage back."""


def noticed(statements: list[str], names: dict[str, str]) -> set[str]:
    found: set[str] = set()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement.format(**names))
                assert cursor.rowcount > 0, statement
            cursor.execute("SET LOCAL session_replication_role = origin")
            found = set(broken())
            raise _Undo
    except _Undo:
        return found


def test_every_damage_is_noticed_by_its_invariant(names: dict[str, str]) -> None:
    assert broken() == {}
    missed = {}
    for damage, (invariant, statements) in CASES.items():
        found = noticed(list(statements), names)
        if invariant not in found:
            missed[damage] = found
    assert missed == {}


def test_what_nobody_agreed_to_is_noticed(names: dict[str, str]) -> None:
    """Rows that say that two people agreed, as the application's role may write them."""
    moment = clock.now()
    people = {"made_by": "mara", "approved_by": "chen", "approval_id": ids.new_id()}
    Parameters.objects.create(
        **people, scope_id=ids.new_id(), effective_from=moment, created_at=moment, why="So", values={}
    )
    assert set(broken()) == {"I7 parameters"}
    transfer = Transfer.objects.get(pk=names["a"])
    roles = {"maker_role": Role.MAKER, "checker_role": Role.CHECKER, "at": moment}
    RuleOverride.objects.create(
        **people, **roles, transfer_id=transfer.id, rule="kyc", lifts="hold", why="So", until=moment + timedelta(days=1)
    )
    Closing.objects.create(
        **people, fund=Fund.objects.get(pk=names["fund"]), kind="settle", plan_hash="0", created_at=moment
    )
    assert set(broken()) == {"I7 parameters", "I7 agreed"}
    assert len(broken()["I7 agreed"]) == 2


def test_a_difference_that_nobody_found_is_noticed(names: dict[str, str]) -> None:
    moment = clock.now()
    found = {"kind": "amount", "institution": "harbor", "reference": "k", "currency": "USD", "date": moment.date()}
    Break.objects.create(**found, first_seen_at=moment, last_seen_at=moment, explanation="So")
    assert set(broken()) == {"I7 breaks"}
