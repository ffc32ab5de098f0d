"""The house stands as it was drawn: what is at the top, who knows whom, through which doors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.sources import APPS, ROOT, imports_of, name_of, names_at_the_top, python_files

FIXED = {"bridge", "accounts", "funds", "transfers", "notifications", "manage.py", "requirements.txt", "tests"}
TOOLS = {
    "README.md",
    "CHANGELOG.md",
    "Makefile",
    "pyproject.toml",
    "requirements-dev.txt",
    ".ci",
    ".pre-commit-config.yaml",
    "compose.yaml",
    ".dockerignore",
    "LICENSE",
}
BESIDE = {"docs", "deploy", "benchmarks"}

# What one app may use of another. `services` change, `queries` ask, `signals` are heard; `models` carry foreign keys.
# The others are parts of one unit of work that runs through several apps under one order of locks, and adapters that
# only the engine and reconciliation reach for.
DOORS = {
    "accounts": {"services", "queries", "models", "ledger", "holds", "observing", "cache", "compliance", "gateway"},
    "funds": {"services", "queries", "models", "places", "criteria", "rules", "rulebook", "gateway"},
    "transfers": {"services", "queries", "signals", "models", "states", "facts", "event_types", "disclosure", "policy"},
    "notifications": {"services", "queries"},
}
# Who may call an institution: services never.
CALLERS = (
    "accounts/observing.py",
    "transfers/engine/",
    "transfers/reconciliation/",
    "transfers/receiving.py",
    "transfers/api/",
)
LEVEL = {app: level for level, app in enumerate(APPS)}


def test_the_top_holds_what_the_design_names_and_nothing_else() -> None:
    found = names_at_the_top()
    assert found - FIXED - TOOLS - BESIDE == set()
    assert FIXED - found == set()


def test_import_linter_keeps_every_contract() -> None:
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("app", APPS)
def test_apps_know_only_apps_below_them(app: str) -> None:
    upward = [
        (name_of(path), name)
        for path in python_files(app)
        for name in imports_of(path)
        if LEVEL.get(name.split(".")[0], -1) > LEVEL[app]
    ]
    assert upward == []


@pytest.mark.parametrize("app", APPS)
def test_an_app_is_entered_through_its_doors(app: str) -> None:
    entered = [
        (name_of(path), name)
        for other in APPS
        if other != app
        for path in python_files(other)
        for name in imports_of(path)
        if name.split(".")[0] == app
        and name.split(".")[1] not in DOORS[app]
        # pages of the console may build on pages below them
        and not ("admin" in name.split(".") and "admin" in name_of(path).replace(".py", "").split("/"))
    ]
    assert entered == []


@pytest.mark.parametrize("app", ["accounts", "funds", "transfers"])
def test_an_app_whose_rows_others_change_has_services(app: str) -> None:
    assert (ROOT / app / "services.py").exists() or (ROOT / app / "services" / "__init__.py").exists()


def test_transfers_are_heard_through_signals() -> None:
    assert (ROOT / "transfers" / "signals.py").exists()
    heard = [name for path in python_files("notifications") for name in imports_of(path)]
    assert any(name.startswith("transfers.signals.") for name in heard)


def test_only_who_may_talk_to_the_network_reaches_for_gateways() -> None:
    reached = {
        name_of(path)
        for app in ("accounts", "funds", "transfers", "notifications")
        for path in python_files(app)
        for name in imports_of(path)
        if ".gateway." in name and not name.startswith("bridge.") and "/gateway/" not in name_of(path)
    }
    assert {path for path in reached if not path.startswith(CALLERS)} == set()


@pytest.mark.parametrize("package", ["transfers/services", "accounts/services.py", "funds/services.py"])
def test_services_import_no_gateway_and_no_http(package: str) -> None:
    """Also not through a lazy import inside a function."""
    paths = python_files(package) if (ROOT / package).is_dir() else [ROOT / package]
    names = {name for path in paths for name in imports_of(path)}
    wrong = {
        name
        for name in names
        if name.split(".")[0] in ("httpx", "requests", "celery")
        or name.startswith(("accounts.gateway", "funds.gateway", "transfers.engine"))
    }
    assert wrong == set()


def test_the_ledger_alone_makes_entries() -> None:
    makers = [
        name_of(path)
        for path in python_files("bridge", *APPS)
        if "Entry(" in path.read_text() and "ledger" not in name_of(path)
    ]
    assert makers == []
