"""What takes an hour: 2,000 seeds with every fault and every crash point often enough, and every planted bug caught.

`make test-full` runs it; `.ci/run` plays 200 seeds and the planted bugs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from bridge.embedded.paths import CHECKOUT
from bridge.kernel.crashpoints import Point
from bridge.sandbox.model import Fault
from tests.simulation.planted import BUGS, tree_with

full = pytest.mark.skipif(not os.environ.get("BRIDGE_TEST_FULL"), reason="takes an hour: make test-full")


def reported(*command: str) -> dict:
    done = subprocess.run(
        [sys.executable, *command, "--json"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(done.stdout.splitlines()[-1])


@full
@pytest.mark.slow
def test_two_thousand_seeds_break_no_promise() -> None:
    found = reported("manage.py", "simulate", "--seeds", "1-2000")
    assert found["violations"] == []
    rare = {fault: found["faults_fired"].get(fault, 0) for fault in Fault}
    assert {fault: number for fault, number in rare.items() if number < 50} == {}
    crashed = {point: found["crash_points_hit"].get(point, 0) for point in Point}
    assert {point: number for point, number in crashed.items() if number < 20} == {}


@full
@pytest.mark.slow
def test_every_planted_bug_is_caught() -> None:
    found = reported("-m", "tests.simulation.planted")
    assert found["bugs"] == len(BUGS) >= 12
    assert found["missed"] == []


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_a_bug_fits_the_tree_as_it_is(bug) -> None:
    """The replaced text stands there exactly once, and what replaces it is Python."""
    with tree_with(bug) as tree:
        for path in {edit.path for edit in bug.edits}:
            compile((tree / path).read_text(), path, "exec")
