"""One worker process of the engine: drains what is due each time it is told, and says what that took.

Reads one JSON object per line, `{"batch": 500, "phases": false}` to drain or `{"fill": 500, "hot": false}` to request;
answers with one. Ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import nullcontext


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    from benchmarks import core, people
    from benchmarks.phases import Meter
    from benchmarks.servers import resident
    from transfers.engine import drain

    connection.ensure_connection()
    backend = connection.connection.info.backend_pid
    known: people.People | None = None
    meter: Meter | None = None
    print(json.dumps({"ready": os.getpid(), "backend": backend}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("phases") and meter is None:
            meter = Meter()
            meter.watch()
        wall, cpu = time.perf_counter(), time.process_time()
        with meter.counting() if meter else nullcontext():
            if job.get("fill"):
                known = known or people.known()
                people.fill(known, known.hot if job.get("hot") else known.funds, job["fill"])
                moved = job["fill"]
            else:
                moved = (core.drain if job.get("core") else drain)(batch=job["batch"])
        taken = time.perf_counter() - wall, time.process_time() - cpu
        with connection.cursor() as cursor:  # what the server counts of us is told when this statement has ended
            cursor.execute("SELECT pg_stat_force_next_flush()")
        answer = {
            "moved": moved,
            "wall": taken[0],
            "cpu": taken[1],
            "phases": meter.take() if meter else {},
            "memory": resident(os.getpid()),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
