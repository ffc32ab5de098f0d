"""What a changed rule would have decided about past transfers, before anybody activates it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bridge.kernel import clock
from tests.world import World


def replay(tmp_path: Path, values: object, *options: str, rule: str = "fund_open") -> list[dict[str, object]]:
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(values))
    today = clock.now().date().isoformat()
    out = StringIO()
    call_command(
        "replay_rules", "--rule", rule, "--params", str(file), "--from", today, "--to", today, "--json", *options,
        stdout=out,
    )  # fmt: skip
    return [json.loads(line) for line in out.getvalue().splitlines()]


class TestReplay:
    def test_names_each_transfer_that_would_be_decided_otherwise(self, bridge: World, tmp_path: Path) -> None:
        fund = bridge.fund(rail="fedwire")
        small = bridge.request(bridge.account(), fund, 1_000_000)
        large = bridge.request(bridge.account(), fund, 2_000_000)
        assert (small.state, large.state) == ("approved", "approved")
        *rows, totals = replay(tmp_path, {"limit_fedwire": 1_500_000}, rule="rail_limit")
        assert [row["transfer"] for row in rows] == [large.public_id]
        assert (rows[0]["rule_before"], rows[0]["rule_after"]) == ("pass", "fail")
        assert (rows[0]["verdict_before"], rows[0]["verdict_after"]) == ("pass", "fail")
        assert totals["seen"] == 2
        assert totals["moves"] == {"pass → fail": 1}
        assert bridge.fresh(large).state == "approved"

    def test_ids_stay_whole_in_a_pipe(self, bridge: World, tmp_path: Path) -> None:
        large = bridge.request(bridge.account(), bridge.fund(rail="fedwire"), 2_000_000)
        file, out, today = tmp_path / "draft.json", StringIO(), clock.now().date().isoformat()
        file.write_text('{"limit_fedwire": 1500000}')
        call_command(
            "replay_rules", "--rule", "rail_limit", "--params", str(file), "--from", today, "--to", today, stdout=out
        )
        assert large.public_id in out.getvalue()

    def test_runs_without_the_facts_are_counted_apart(self, bridge: World, tmp_path: Path) -> None:
        """While no limit is in force nobody counts an investor's transfers: only their own amount can be judged."""
        account, fund = bridge.account(), bridge.fund()
        bridge.request(account, fund, 1_000_000)
        large = bridge.request(account, fund, 2_000_000)
        values = {"max_count_day": 1, "max_sum_day": 1_500_000}
        *rows, totals = replay(tmp_path, values, rule="velocity")
        assert [row["transfer"] for row in rows] == [large.public_id]
        assert (rows[0]["rule_before"], rows[0]["rule_after"]) == (None, "hold")
        assert (totals["seen"], totals["changed"], totals["unplayed"]) == (2, 1, 1)
        *rows, totals = replay(tmp_path, values, "--all", rule="velocity")
        assert [row["played"] for row in rows] == [False, True]

    def test_the_command_says_what_it_could_not_play(self, bridge: World, tmp_path: Path) -> None:
        bridge.request(bridge.account(), bridge.fund(), 1_000_000)
        file, out, today = tmp_path / "draft.json", StringIO(), clock.now().date().isoformat()
        file.write_text("{}")
        call_command("replay_rules", "--rule", "kyc", "--params", str(file), "--from", today, "--to", today, stdout=out)
        assert "0 of 1 runs replayed" in out.getvalue()
        assert "Could not be played: 1, the facts were not recorded." in out.getvalue()

    def test_all_shows_what_stays_too(self, bridge: World, tmp_path: Path) -> None:
        bridge.request(bridge.account(), bridge.fund(rail="fedwire"), 1_000_000)
        *rows, totals = replay(tmp_path, {}, "--all", rule="rail_limit")
        assert len(rows) == 1
        assert totals["changed"] == 0

    @pytest.mark.parametrize(
        ("rule", "values", "message"),
        [
            ("no_such_rule", {}, "is no rule"),
            ("rail_limit", {"limit_pigeon": 1}, "limit_pigeon"),
            ("rail_limit", {"limit_fedwire": "much"}, "limit_fedwire"),
            ("rail_limit", [1], "one JSON object"),
        ],
    )
    def test_bad_drafts_are_refused_in_plain_words(
        self, bridge: World, tmp_path: Path, rule: str, values: object, message: str
    ) -> None:
        with pytest.raises(CommandError, match=message):
            replay(tmp_path, values, rule=rule)

    def test_bad_dates_and_files_are_refused_in_plain_words(self, bridge: World, tmp_path: Path) -> None:
        file = tmp_path / "draft.json"
        file.write_text("{}")
        given = ["replay_rules", "--rule", "rail_limit", "--params", str(file)]
        with pytest.raises(CommandError, match="YYYY-MM-DD"):
            call_command(*given, "--from", "yesterday", "--to", "2026-01-01")
        with pytest.raises(CommandError, match="ends before it begins"):
            call_command(*given, "--from", "2026-01-02", "--to", "2026-01-01")
        with pytest.raises(CommandError, match=r"gone cannot be read: No such file or directory\.$"):
            call_command(
                "replay_rules", "--rule", "rail_limit", "--params", str(tmp_path / "gone"), "--from", "2026-01-01",
                "--to", "2026-01-01",
            )  # fmt: skip
        file.write_bytes(b"\xff")
        with pytest.raises(CommandError, match="is no JSON file"):
            call_command(*given, "--from", "2026-01-01", "--to", "2026-01-01")
