"""`manage.py simulate`: the same seed is the same run, in whatever process and in whatever order."""

from __future__ import annotations

import json
import subprocess
import sys

from bridge.embedded.paths import CHECKOUT


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "simulate", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )


def told(*arguments: str) -> dict:
    done = simulate(*arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout.splitlines()[-1])


class TestSameSeedSameRun:
    def test_one_process_and_two_come_to_the_same_digest(self) -> None:
        alone, together = told("--seeds", "3-5", "--jobs", "1"), told("--seeds", "3-5", "--jobs", "2")
        assert alone["runs"] == together["runs"] == 3
        assert alone["digest"] == together["digest"]
        assert alone["crash_points_hit"] == together["crash_points_hit"]

    def test_another_seed_comes_to_another(self) -> None:
        assert told("--seeds", "3")["digest"] != told("--seeds", "4")["digest"]

    def test_a_trace_ends_with_the_digest_of_its_seed(self) -> None:
        story = simulate("--trace", "3").stdout
        assert "Everything may fail" in story
        assert "Nothing fails any more" in story
        one = simulate("--trace", "3").stdout
        assert one == story


class TestBadInput:
    def test_a_range_that_is_none_is_named(self) -> None:
        for text in ("x", "5-3", "-", "1-9999999999"):
            done = simulate(f"--seeds={text}")
            assert done.returncode == 1
            assert "--seeds" in done.stderr
            assert "Traceback" not in done.stderr
