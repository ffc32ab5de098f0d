"""`python -m benchmarks.lists`: reading the API's lists when there is much to leave out.

The databases are those of `benchmarks.history` (`--rows` are their sizes; those that are not there are made). Each
request goes through the API's own URL, view and renderer in this process, without a network; between any two stands
the reference, one row of pgbench's by its key on the same server. `blocks` are those that PostgreSQL touched per
request: unlike times they are the same on every machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rich.console import Console

from benchmarks import history, pgbench
from benchmarks.options import new_file, positive
from benchmarks.samples import percentile
from benchmarks.servers import Servers, running
from bridge.embedded.paths import CHECKOUT

REQUESTS = 200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rows", type=positive, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--whole", type=int, default=history.WHOLE, help="up to this size all rows are made")
    parser.add_argument("--bare", action="store_true", help="beyond it only transfers, 0.5 KB each")
    parser.add_argument("--requests", type=positive, default=REQUESTS, help="per list")
    parser.add_argument("--keep", action="store_true", help="leave the databases")
    parser.add_argument("--output", type=new_file)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.worker:
        print(json.dumps(read(wanted.worker, wanted.requests)))
        return
    console = Console(stderr=True)
    with running() as servers, ExitStack() as stack:
        pgbench.Pgbench(servers).prepare()
        figures: dict[str, Any] = {"settings": servers.settings(), "rows": {}}
        for size in sorted(wanted.rows):
            name = history.name_of(size)
            if not wanted.keep:
                stack.callback(history.drop, servers, [name, history.BASE])
            history.prepare(servers, size, thin=size > wanted.whole, bare=wanted.bare, console=console)
            figures["rows"][str(size)] = found = _in_its_own_process(servers, name, wanted.requests)
            for what, row in found.items():
                console.print(
                    f"{size:>12,} {what:<28} p50 {row['p50_ms']:>8.2f} ms, p99 {row['p99_ms']:>8.2f} ms, "
                    f"{row['blocks']:>8,.0f} blocks, {row['ratio']:.0f} times one row of pgbench's",
                    soft_wrap=True,
                )
    if wanted.output:
        wanted.output.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


def _in_its_own_process(servers: Servers, name: str, requests: int) -> dict[str, Any]:
    """Django is set up once per process, for one database."""
    done = subprocess.run(  # noqa: S603 our own command
        [
            *(sys.executable, "-m", "benchmarks.lists", "--worker", servers.url(pgbench.DATABASE)),
            *("--requests", str(requests)),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": servers.url(name)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def read(reference_url: str, requests: int) -> dict[str, Any]:
    """Every list so often, taken in turn with the reference."""
    import django

    django.setup()
    import psycopg

    get = _client()
    found: dict[str, Any] = {}
    with psycopg.connect(reference_url, autocommit=True) as other:
        query = "SELECT abalance FROM pgbench_accounts WHERE aid = %s"

        def one_row(number: int) -> None:
            other.execute(query, [1 + number * 7919 % (pgbench.SCALE * 100_000)], prepare=True).fetchone()

        for what, path, login in _lists():
            for _ in range(3):
                get(path, login)
            took: list[float] = []
            theirs: list[float] = []
            before = _blocks()
            for number in range(requests):
                took.append(_timed(lambda path=path, login=login: get(path, login)))  # type: ignore[misc]
                theirs.append(_timed(lambda number=number: one_row(number)))  # type: ignore[misc]
                if sum(took) > 20_000:
                    break  # a list this slow needs no more samples
            found[what] = {
                "p50_ms": round(percentile(took, 0.5), 3),
                "p99_ms": round(percentile(took, 0.99), 3),
                "reference_p50_ms": round(percentile(theirs, 0.5), 3),
                "reference_p99_ms": round(percentile(theirs, 0.99), 3),
                "ratio": round(percentile(took, 0.5) / percentile(theirs, 0.5), 1),
                "blocks": round((_blocks() - before) / len(took), 1),
                "requests": len(took),
            }
    return found


def _client() -> Callable[[str, str], None]:
    """GET as a service or as the investor of one account; raises for anything but 200."""
    from django.contrib.auth.models import Group, User
    from rest_framework.test import APIClient

    from accounts.models import Investor, InvestorAccount
    from bridge.kernel.results import Role

    clients = {}
    for login, role in (("service", Role.SERVICE), ("investor", Role.INVESTOR)):
        user, _ = User.objects.get_or_create(username=f"benchmark-{login}")
        user.groups.set([Group.objects.get_or_create(name=str(role))[0]])
        clients[login] = APIClient(SERVER_NAME="localhost")
        clients[login].force_authenticate(user)
        if login == "investor":
            owner = InvestorAccount.objects.order_by("pk")[0].investor_id
            Investor.objects.filter(pk=owner).update(user=user)

    def get(path: str, login: str) -> None:
        answer = clients[login].get(path)
        if answer.status_code != 200:
            raise RuntimeError(f"GET {path} answered {answer.status_code}: {answer.content[:300]!r}")

    return get


def _lists() -> list[tuple[str, str, str]]:
    from accounts.models import InvestorAccount
    from bridge.kernel import ids
    from funds.models import Fund
    from transfers.models import Transfer

    account = InvestorAccount.objects.order_by("pk")[0]
    fund = Fund.objects.order_by("pk")[0]
    newest, oldest = Transfer.objects.order_by("-pk")[0], Transfer.objects.order_by("pk")[0]
    middle = oldest.created_at + (newest.created_at - oldest.created_at) / 2
    half = ids.uuid.UUID(int=(newest.pk.int + oldest.pk.int) // 2)
    of_fund, of_account = f"fund={ids.encode('fund', fund.pk)}", f"source_account={ids.encode('account', account.pk)}"
    number = ids.encode("account", account.pk)
    lists = "/api/v1/transfers?"
    return [
        ("first page", lists, "service"),
        ("deep page", _from(half, lists), "service"),
        ("of a fund", lists + of_fund, "service"),
        ("of a fund, deep", _from(half, lists + of_fund), "service"),
        ("of an account", lists + of_account, "service"),
        ("completed", f"{lists}state=completed", "service"),
        ("in review (none)", f"{lists}state=in_review", "service"),
        ("in review, of a fund (none)", f"{lists}state=in_review&{of_fund}", "service"),
        ("a day long ago", f"{lists}created_after={_day(middle, 0)}&created_before={_day(middle, 1)}", "service"),
        ("an investor's first page", lists, "investor"),
        ("an investor's deep page", _from(half, lists), "investor"),
        ("one transfer", f"/api/v1/transfers/{ids.encode('transfer', newest.pk)}", "service"),
        ("its events", f"/api/v1/transfers/{ids.encode('transfer', newest.pk)}/events", "service"),
        ("an investor's places", "/api/v1/allocations", "investor"),
        ("a balance", f"/api/v1/accounts/{number}/balance", "investor"),
    ]


def _from(key: Any, path: str) -> str:
    """The same list from this key on, with the cursor that the API itself would have given."""
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory

    from bridge.kernel.api.fields import read_query
    from bridge.kernel.api.paging import _AFTER, _encode, _scope
    from transfers.api.serializers import TransferQuery

    request = Request(APIRequestFactory().get(path))
    return f"{path}&cursor={_encode(_AFTER, key, _scope(request, read_query(TransferQuery, request)))}"


def _day(moment: Any, days: int) -> str:
    from datetime import timedelta

    return (moment + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _blocks() -> int:
    """Blocks touched in this database so far, ours included."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
