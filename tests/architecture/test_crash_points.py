"""Each crash point stands once, in the function that it names, and no call names another."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from bridge.kernel import crashpoints
from bridge.kernel.crashpoints import LEGS, Crashed, Moment, Point
from tests.architecture.sources import PACKAGES, ROOT, name_of, python_files, tree_of

REGISTRY = "bridge/kernel/crashpoints.py"
GROUPS = {"submit": 3, "approve": 2, "withdraw": 8, "deposit": 8, "refund": 8, "callback": 5, "outbox": 3,
          "reconcile": 4, "expire": 2}  # fmt: skip


def reaches() -> Iterator[tuple[str, Point]]:
    """Every call of `reach…` in the code: the dotted function around it, and the points it may reach."""
    for path in python_files(*PACKAGES):
        if name_of(path) != REGISTRY:
            yield from _within(tree_of(path), name_of(path).removesuffix(".py").replace("/", "."))


def _within(node: ast.AST, where: str) -> Iterator[tuple[str, Point]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield from _within(child, f"{where}.{child.name}")
            continue
        if isinstance(child, ast.Call):
            yield from ((where, point) for point in _points(child))
        yield from _within(child, where)


def _points(call: ast.Call) -> list[Point]:
    called = ast.unparse(call.func).removeprefix("crashpoints.")
    if called == "reach":
        return [Point[ast.unparse(call.args[0]).rpartition("Point.")[2]]]
    if called in ("reach_leg", "reach_legs"):
        moment = Moment[ast.unparse(call.args[1]).rpartition("Moment.")[2]]
        return [point for (_, at), point in LEGS.items() if at is moment]
    return []


def test_there_are_43_in_nine_groups() -> None:
    assert Counter(point.group for point in Point) == GROUPS
    assert len(Point) == 43
    assert set(LEGS.values()) == {point for point in Point if point.group in ("withdraw", "deposit", "refund")}


def test_each_stands_once_and_where_it_says() -> None:
    found = Counter(point for _, point in reaches())
    assert {point: found[point] for point in Point if found[point] != 1} == {}
    # A function within a function is a part of it: what `_sender` gives out is called where the call is made.
    assert {point: where for where, point in reaches() if not f"{where}.".startswith(f"{point.where}.")} == {}


def test_each_says_what_is_true_there_in_words_of_its_own() -> None:
    assert all(0 < len(point.what) <= 80 for point in Point)


def test_the_page_lists_them_all() -> None:
    page = (ROOT / "docs" / "TRUST.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    listed = {f"{group}.{name}" for groups, names in rows for group in _ticked(groups) for name in _ticked(names)}
    assert {point.value for point in Point} <= listed


def _ticked(cell: str) -> list[str]:
    return cell.split("`")[1::2]


class TestArming:
    def test_disarmed_it_does_nothing(self) -> None:
        crashpoints.reach(Point.SUBMIT_WRITTEN)

    def test_armed_it_hands_over_the_point_and_no_handler_of_errors_keeps_the_crash(self) -> None:
        seen: list[Point] = []

        def crash(point: Point) -> None:
            seen.append(point)
            raise Crashed(point)

        with pytest.raises(Crashed), crashpoints.armed(crash):
            try:
                crashpoints.reach_leg("deposit", Moment.CALLING)
            except Exception:
                pytest.fail("an ordinary handler took it")
        crashpoints.reach_leg("deposit", Moment.CALLING)
        assert seen == [Point.DEPOSIT_CALLING]

    def test_a_recall_has_no_points(self) -> None:
        with crashpoints.armed(pytest.fail):
            crashpoints.reach_leg("recall", Moment.CALLING)

    def test_it_strikes_once_at_the_nth_time(self) -> None:
        struck: list[int] = []
        handler = crashpoints.killing(Point.OUTBOX_WOKEN, nth=2, kill=lambda: struck.append(len(struck)))
        with crashpoints.armed(handler):
            for point in (Point.OUTBOX_WOKEN, Point.OUTBOX_COMMITTED, Point.OUTBOX_WOKEN, Point.OUTBOX_WOKEN):
                crashpoints.reach(point)
        assert struck == [0]

    def test_only_a_sandbox_may_be_armed(self, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.BRIDGE_SANDBOX_MODE = False  # type: ignore[attr-defined]
        with pytest.raises(ImproperlyConfigured), crashpoints.armed(lambda point: None):
            pass
        monkeypatch.setenv("BRIDGE_CRASH_AT", "submit.written")
        with pytest.raises(ImproperlyConfigured, match="unset BRIDGE_CRASH_AT"):
            crashpoints.arm_from_environment()

    @pytest.mark.parametrize("wanted", ["submit", "submit.written:0", "submit.written:x", "SUBMIT_WRITTEN"])
    def test_a_name_that_is_none_stops_the_start(self, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BRIDGE_CRASH_AT", wanted)
        with pytest.raises(ImproperlyConfigured, match=r"name:nth, one of submit\.written, submit\.answer_kept"):
            crashpoints.arm_from_environment()

    def test_the_environment_kills_a_process_there(self, tmp_path: Path) -> None:
        program = """
import django; django.setup()
from bridge.kernel.crashpoints import Point, reach
reach(Point.OUTBOX_WOKEN); print("still here", flush=True); reach(Point.OUTBOX_WOKEN); print("not killed")
"""
        settings = {"DJANGO_SETTINGS_MODULE": "bridge.settings.local", "BRIDGE_STATE_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, **settings, "BRIDGE_CRASH_AT": "outbox.woken:2"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (-9, "still here\n"), done.stderr
