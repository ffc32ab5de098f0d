"""How long it takes to play changed parameters over recorded verifications, beside only reading them."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bridge.settings.test")

import django

from benchmarks.options import positive

COPIES = """
    INSERT INTO funds_verification (id, transfer_id, fund_id, stage, outcome, facts, decisions, at)
    SELECT gen_random_uuid(), gen_random_uuid(), fund_id, stage, outcome,
        jsonb_set(facts::jsonb, '{request,amount}', to_jsonb(1000000 + n))::json, decisions, at
    FROM funds_verification, generate_series(1, %s) AS n
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=positive, default=10_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wanted = parser.parse_args()

    from bridge.embedded.testing import TestServices, reserve

    services = TestServices(reserve(), postgres=True, valkey=True)
    services.start()
    try:
        django.setup()
        figures = _measure(wanted.rows)
    finally:
        services.stop()
    if wanted.json:
        print(json.dumps(figures))
    else:
        print(
            f"{figures['rows']} runs replayed in {figures['replay_s']:.2f} s, "
            f"{figures['ratio']:.1f} times as long as only reading them ({figures['read_s']:.2f} s)"
        )


def _measure(rows: int) -> dict[str, float]:
    from django.core.management import call_command
    from django.db import connection

    from bridge.kernel import clock
    from funds.models import Verification
    from funds.replaying import Totals, play
    from tests.world import world

    connection.creation.create_test_db(verbosity=0, serialize=False)
    try:
        call_command("check", verbosity=0)
        with world() as bridge:
            bridge.request(bridge.account(), bridge.fund(rail="fedwire"), 1_000_000)
        with connection.cursor() as cursor:
            cursor.execute(COPIES, [rows - 1])
        today = clock.now().date()
        totals = Totals()
        read = _timed(lambda: sum(1 for _ in Verification.objects.values_list("facts", "decisions").iterator(1000)))
        values = {"limit_fedwire": 1_000_500}
        took = _timed(
            lambda: sum(1 for _ in play(rule="rail_limit", values=values, begins=today, ends=today, totals=totals))
        )
    finally:
        connection.creation.destroy_test_db("bridge", verbosity=0)
    return {"rows": totals.seen, "changed": totals.changed, "read_s": read, "replay_s": took, "ratio": took / read}


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
