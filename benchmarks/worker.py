"""One worker process of the engine: drains what is due each time it is told, and says what that took.

Reads one JSON object per line: `{"batch": 500, "phases": false}`; answers with one. Ends with its input.
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

    from benchmarks import core
    from benchmarks.phases import Meter
    from benchmarks.servers import resident
    from transfers.engine import drain

    connection.ensure_connection()
    meter: Meter | None = None
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("phases") and meter is None:
            meter = Meter()
            meter.watch()
        wall, cpu = time.perf_counter(), time.process_time()
        with meter.counting() if meter else nullcontext():
            moved = (core.drain if job.get("core") else drain)(batch=job["batch"])
        answer = {
            "moved": moved,
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "phases": meter.take() if meter else {},
            "memory": resident(os.getpid()),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
