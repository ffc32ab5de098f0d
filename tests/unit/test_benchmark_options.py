"""What a benchmark is told is looked at before it measures anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import arguments


@pytest.mark.parametrize("option", ["--samples", "--batches", "--workers"])
@pytest.mark.parametrize("number", ["-1", "0", "x", "1.5", "²"])
def test_a_number_below_one_is_refused(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments().parse_args([f"{option}={number}"])
    assert ended.value.code == 2
    assert f"'{number}' is no whole number from 1 on" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path, tmp_path / "nope" / "figures.json"):
        with pytest.raises(SystemExit):
            arguments().parse_args(["--output", str(path)])
        assert "is a folder, or is in none" in capsys.readouterr().err


def test_what_makes_sense_is_taken(tmp_path: Path) -> None:
    wanted = arguments().parse_args(["--samples", "3", "--batches", "1", "200", "--output", str(tmp_path / "new.json")])
    assert (wanted.samples, wanted.batches, wanted.output) == (3, [1, 200], tmp_path / "new.json")
