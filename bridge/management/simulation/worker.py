"""One process of a simulation: a seed per line comes in, a line of JSON goes out. Started by `runner`."""

from __future__ import annotations

import json
import os
import sys
import traceback

import django


def main() -> None:
    """Answers on the descriptor that was standard output; whatever else prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    django.setup()
    from bridge.management.simulation.emptying import Emptier  # noqa: PLC0415  needs the apps
    from bridge.management.simulation.play import play  # noqa: PLC0415

    emptier = Emptier()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            outcome = play(asked["seed"], aloud=asked["aloud"])
            answer = outcome.as_json() | ({"story": outcome.story} if asked["aloud"] else {})
        except Exception:
            answer = {"seed": asked["seed"], "error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)
        emptier.empty()


if __name__ == "__main__":
    main()
