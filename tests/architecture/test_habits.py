"""Habits of the code that a reader relies on, checked on its syntax."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import APPS, PACKAGES, ROOT, name_of, python_files, tree_of

MAX_LINES = 200  # of code; blank lines, comments, docstrings and imports are free
MAX_TEST_LINES = 500
EXCUSE = "Longer than most modules: "

CLOCKS = ("timezone.now", "datetime.now", "datetime.today", "datetime.utcnow", "date.today", "time.time")
# The bank has a clock of its own, in its own process; the others measure how long something takes on this machine.
OTHER_CLOCKS = (
    "bridge/sandbox/",
    "bridge/embedded/",
    "bridge/management/",
    "bridge/kernel/http.py",
    "bridge/kernel/api/throttling.py",
)

MONEY = (
    "accounts/ledger/rows.py",
    "accounts/ledger/services.py",
    "accounts/ledger/queries.py",
    "accounts/holds.py",
    "accounts/queries.py",
    "accounts/services.py",
    "funds/places.py",
    "funds/services.py",
    "bridge/kernel/money.py",
    "transfers/facts.py",
    "transfers/services/",
    "transfers/engine/",
    "transfers/reconciliation/",
)
SERVICES = (
    "accounts/services.py",
    "accounts/ledger/services.py",
    "bridge/events/services.py",
    "funds/services.py",
    "funds/rulebook.py",
    "transfers/reconciliation/services.py",
)


def docstring_lines(tree: ast.Module) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def lines_of_code(path: Path) -> int:
    free = docstring_lines(tree_of(path))
    lines = enumerate(path.read_text().splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and line.strip()[0] != "#" and number not in free)


def test_modules_are_short_or_say_why_not() -> None:
    long = {
        name_of(path): lines_of_code(path)
        for path in python_files(*PACKAGES)
        if lines_of_code(path) > MAX_LINES and EXCUSE not in (ast.get_docstring(tree_of(path)) or "")
    }
    assert long == {}


def test_modules_of_tests_are_short_too() -> None:
    assert {name_of(p): lines_of_code(p) for p in python_files("tests") if lines_of_code(p) > MAX_TEST_LINES} == {}


def test_time_is_read_in_one_module() -> None:
    readers = []
    for path in python_files(*PACKAGES):
        if name_of(path).startswith(OTHER_CLOCKS):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(CLOCKS):
                readers.append(f"{name_of(path)}:{node.lineno}")
    assert readers == []


def test_sql_of_the_project_gets_time_as_a_parameter() -> None:
    clocks = []
    for path in python_files(*APPS, "bridge/events", "bridge/approvals", "bridge/kernel"):
        free = docstring_lines(tree_of(path))
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno not in free:
                text = node.value.lower()
                if any(word in text for word in (" now()", "current_timestamp", "clock_timestamp()")):
                    clocks.append(name_of(path))
    assert set(clocks) <= {"bridge/kernel/clock.py"}


@pytest.mark.parametrize("where", MONEY)
def test_no_floats_where_money_is(where: str) -> None:
    paths = python_files(where) if where.endswith("/") else [ROOT / where]
    floats = []
    for path in paths:
        for node in ast.walk(tree_of(path)):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            call = isinstance(node, ast.Call) and ast.unparse(node.func) in ("float", "round")
            if literal or call:
                floats.append(f"{name_of(path)}:{node.lineno}")
    assert paths
    assert floats == []


@pytest.mark.parametrize("where", [path for path in MONEY[:9] if not path.endswith("/")])
def test_amounts_are_never_divided(where: str) -> None:
    divisions = [
        node.lineno
        for node in ast.walk(tree_of(ROOT / where))
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
    ]
    assert divisions == []


def test_no_model_has_a_float_or_decimal_column() -> None:
    from django.apps import apps
    from django.db.models import DecimalField, FloatField

    columns = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model.__module__.split(".")[0] in PACKAGES
        for field in model._meta.concrete_fields
        if isinstance(field, FloatField | DecimalField)
    ]
    assert columns == []


def public_functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in tree_of(path).body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"]


def exported() -> list[ast.FunctionDef]:
    """What `transfers.services` offers to others."""
    from transfers import services

    found = [
        function for path in python_files("transfers/services") for function in public_functions(path)
        if function.name in services.__all__
    ]  # fmt: skip
    assert {function.name for function in found} == {name for name in services.__all__ if name.islower()}
    return found


@pytest.mark.parametrize("where", ["transfers/services", *SERVICES])
def test_services_take_keywords_are_typed_and_say_what_they_promise(where: str) -> None:
    functions = exported() if where == "transfers/services" else public_functions(ROOT / where)
    assert functions
    wrong = []
    for function in functions:
        every = [*function.args.args, *function.args.kwonlyargs]
        if function.args.args or function.args.vararg or function.args.kwarg:
            wrong.append(f"{function.name}: positional arguments")
        if not ast.get_docstring(function):
            wrong.append(f"{function.name}: no docstring")
        if function.returns is None or any(argument.annotation is None for argument in every):
            wrong.append(f"{function.name}: not typed")
    assert wrong == []


def test_every_unit_of_work_begins_again_when_the_database_undoes_it() -> None:
    bare = [
        f"{name_of(path)}: {node.name}"
        for path in python_files(*PACKAGES)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
        and any(_opens_a_unit(inner) for inner in ast.walk(node))
        and "retried" not in [ast.unparse(decorator) for decorator in node.decorator_list]
    ]
    assert bare == []


def _opens_a_unit(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any(
        ast.unparse(item.context_expr).startswith("unit_of_work(") for item in node.items
    )


def test_no_exception_is_caught_bare() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files(*PACKAGES)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []


def test_what_is_written_for_people_names_no_unfinished_work() -> None:
    marks = ("TODO", "FIXME", "XXX", "HACK")
    files = [*python_files(*PACKAGES), *sorted((ROOT / "docs").rglob("*.md"))]
    assert [f"{name_of(path)}: {mark}" for path in files for mark in marks if mark in path.read_text()] == []
