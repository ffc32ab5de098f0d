"""Nothing is blocked, offered or refused beside the registry of blockers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bridge.kernel.results import Role
from tests.architecture.sources import name_of, python_files, tree_of
from transfers import states
from transfers.admin.transfer import TransferAdmin
from transfers.api import changes
from transfers.blockers import BLOCKERS, DEEDS, Deed
from transfers.models import Transfer
from transfers.services import deciding, depositing

BLOCKING = {"block": 0, "wait_for_people": 2, "_wait": 2, "hold": None, "block_transfers": None}  # place of the code
REGISTRY = "transfers/blockers.py"
ROUTES = {
    Deed.APPROVE: changes.ApproveView,
    Deed.REJECT: changes.RejectView,
    Deed.CANCEL: changes.CancelView,
    Deed.HOLD: changes.HoldView,
    Deed.RETRY: changes.RetryView,
    Deed.REFUND: changes.RefundView,
    Deed.FREEZE: changes.FreezeView,
    Deed.ASIDE: changes.OverrideView,
}


def codes_written() -> Iterator[tuple[str, str]]:
    """Where a literal code is given to what blocks a transfer, and the code."""
    constants = {name: value for name, value in vars(states).items() if isinstance(value, str)}
    constants |= {"HELD_BY_OPERATIONS": deciding.HELD_BY_OPERATIONS}
    for path in python_files("transfers"):
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name not in BLOCKING:
                continue
            place = BLOCKING[name]
            given = [word.value for word in node.keywords if word.arg == "code"]
            if place is not None and len(node.args) > place:
                given.append(node.args[place])
            for value in given:
                if isinstance(value, ast.Constant):
                    yield f"{name_of(path)}:{node.lineno}", str(value.value)
                elif isinstance(value, ast.Name) and value.id in constants:
                    yield f"{name_of(path)}:{node.lineno}", constants[value.id]


def test_every_code_that_is_written_is_in_the_registry() -> None:
    written = dict(codes_written())
    assert len(written) >= 12
    assert {where: code for where, code in written.items() if code not in BLOCKERS} == {}
    assert set(depositing.WAITS.values()) <= set(BLOCKERS)


def test_the_database_knows_the_codes_of_the_registry_and_no_other() -> None:
    (check,) = [each for each in Transfer._meta.constraints if each.name == "transfer_known_blocker"]
    ((_, known),) = check.condition.children  # type: ignore[attr-defined]
    assert known == ["", *BLOCKERS]


def test_the_console_has_one_button_for_each_deed_and_no_other() -> None:
    verbs = {verb.name: verb for verb in TransferAdmin.verbs}
    assert set(verbs) == set(DEEDS)
    for deed, rule in DEEDS.items():
        assert (verbs[deed].label, verbs[deed].roles) == (rule.label, rule.roles)


def test_a_route_is_open_to_the_roles_of_its_deed() -> None:
    for deed, view in ROUTES.items():
        assert set(view.allowed["POST"]) == set(DEEDS[deed].roles), deed
    assert set(changes.ReleaseView.allowed["POST"]) == {Role.CHECKER, Role.COMPLIANCE}
