"""How many Python calls one transfer costs: counts where clocks say little, as on a busy machine.

    python -m benchmarks.calls [--transfers 1000] [--batch 500] [--top 40]

One worker drains, under cProfile, a database of its own on the benchmark's servers. Calls of Django's, the driver's and
the standard library's functions are counted to the function of ours that led to them. CPU seconds are this process's,
of a drain without the profiler before.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections import Counter
from typing import Any

from benchmarks.options import positive
from benchmarks.servers import running
from bridge.embedded.paths import CHECKOUT

DATABASE = "bridge"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.calls", description="Python calls per completed transfer")
    parser.add_argument("--transfers", type=positive, default=1_000)
    parser.add_argument("--batch", type=positive, default=500)
    parser.add_argument("--top", type=positive, default=40, help="how many functions are listed")
    wanted = parser.parse_args()
    with running() as servers:
        servers.make_database(DATABASE, fresh=True)
        calls, cpu, statements = measure(transfers=wanted.transfers, batch=wanted.batch)
    total = sum(calls.values()) / wanted.transfers
    print(f"{total:,.0f} calls, {cpu * 1e6:,.0f} µs of CPU and {statements:.2f} statements per transfer")
    for name, count in calls.most_common(wanted.top):
        print(f"{count / wanted.transfers:8.1f}  {name}")


def measure(*, transfers: int, batch: int) -> tuple[Counter[str], float, float]:
    """Calls by function of ours, in all; CPU seconds and statements per transfer."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.people import fill, settle_in
    from transfers.engine import drain

    call_command("migrate", verbosity=0, interactive=False)
    people = settle_in(accounts=transfers, funds=200)
    for _ in range(2):  # once to compile and prepare, once to measure
        fill(people, people.funds, transfers)
        began = time.process_time()
        drain(batch=batch)
        cpu = (time.process_time() - began) / transfers
    seen: Counter[str] = Counter()

    def count(execute: Any, *arguments: Any) -> Any:
        seen["statements"] += 1
        return execute(*arguments)

    fill(people, people.funds, transfers)
    profile = cProfile.Profile()
    with connection.execute_wrapper(count):
        profile.runcall(drain, batch=batch)
    return attributed(pstats.Stats(profile)), cpu, seen["statements"] / transfers


def attributed(stats: Any) -> Counter[str]:
    """Calls by the nearest function of this checkout, the other libraries' counted to who called them."""
    table: dict[tuple[str, int, str], Any] = stats.stats
    found: Counter[str] = Counter()
    waiting: dict[tuple[str, int, str], float] = {key: row[1] for key, row in table.items()}
    for _ in range(100):
        passed: dict[tuple[str, int, str], float] = {}
        for key, count in waiting.items():
            callers = {caller: row[1] for caller, row in table[key][4].items() if caller != key}
            total = sum(callers.values())
            if key[0].startswith(str(CHECKOUT)) or not total:
                found[f"{key[0].removeprefix(f'{CHECKOUT}/')}:{key[1]} {key[2]}"] += round(count)
                continue
            for caller, times in callers.items():
                passed[caller] = passed.get(caller, 0) + count * times / total
        waiting = passed
    return found


if __name__ == "__main__":
    main()
