"""`python -m benchmarks`: everything against pgbench on one server. `manage.py bench` and `make bench` start it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from benchmarks.options import new_file, positive
from benchmarks.servers import running
from benchmarks.suite import MORE, PARTS, Plan, Suite


def main() -> None:
    wanted = arguments().parse_args()
    plan = Plan.quick() if wanted.quick else Plan()
    plan = replace(plan, parts=[part for part in (*PARTS, *MORE) if part in (wanted.only or PARTS)])
    if wanted.samples:
        plan = replace(plan, samples=wanted.samples)
    if wanted.batches:
        plan = replace(plan, batches=wanted.batches)
    if wanted.workers:
        plan = replace(plan, workers=wanted.workers)

    def say(text: str) -> None:
        if not wanted.json:
            print(text, file=sys.stderr, flush=True)

    with running() as servers:
        figures = Suite(servers, plan, say).run()
    if wanted.output:
        wanted.output.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples, about three minutes")
    parser.add_argument("--only", nargs="+", choices=(*PARTS, *MORE), help="these parts alone")
    parser.add_argument("--samples", type=positive, help="per figure")
    parser.add_argument("--batches", type=positive, nargs="+", help="batch sizes of the engine")
    parser.add_argument("--workers", type=positive, nargs="+", help="numbers of worker processes")
    parser.add_argument("--output", type=new_file, help="also write the figures, indented, to this file")
    parser.add_argument("--json", action="store_true", help="print nothing but the figures on standard output")
    return parser


if __name__ == "__main__":
    main()
