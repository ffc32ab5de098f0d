"""`python -m tests.crash.nursery DIR`: loads Bridge once, forks it for each case.

Reads one case a line from its standard input (point, kill, answer, bug) and writes one line of JSON for each: what is
wrong afterwards, which is nothing when Bridge has recovered, and the seconds it took.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path

from tests.crash.ground import FINALITY, Ground


def main(state: Path) -> None:
    """Serve until the standard input ends."""
    ground = Ground(state)
    try:
        os.environ.update(ground.environment)
        _load()
        _migrate()
        _serve(ground)
    finally:
        ground.stop()


def _load() -> None:
    import django
    from django.conf import settings

    settings.BRIDGE_POLICY = {"finality": FINALITY}
    django.setup()
    from django.urls import get_resolver

    get_resolver().url_patterns  # noqa: B018  loads every view: a forked Bridge has them all


def _migrate() -> None:
    """In a child: this process never has a connection."""
    from django.core.management import call_command

    from tests import flushing

    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            call_command("migrate", verbosity=0)
            flushing.install()
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    if os.waitpid(pid, 0)[1] != 0:
        raise SystemExit("the database could not be made")


def _serve(ground: Ground) -> None:
    from django.core.wsgi import get_wsgi_application

    from bridge.kernel.crashpoints import Point
    from tests.crash.cases import Answer, Case, Kill
    from tests.crash.journey import Journey

    application = get_wsgi_application()
    print(json.dumps("ready"), flush=True)
    for number, line in enumerate(sys.stdin):
        point, kill, answer, bug = json.loads(line)
        case = Case(next(known for known in Point if known == point), Kill(kill), Answer(answer), bug)
        journey = Journey(ground, application, case, f"{number:05d}")
        began = time.monotonic()
        try:
            wrong = journey.run()
        except Exception:
            wrong = [*journey.said, traceback.format_exc()]
        print(json.dumps({"wrong": wrong, "seconds": round(time.monotonic() - began, 2)}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
