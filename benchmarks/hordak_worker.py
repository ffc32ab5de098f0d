"""One process that moves money with django-hordak; it runs in an environment of its own and knows nothing of Bridge.

`python hordak_worker.py HOST USER NAME --prepare ACCOUNTS` makes tables and accounts; without `--prepare` it reads one
JSON object per line, `{"seconds": 3, "hot": false}`, and answers with the number of transactions it committed.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time


def main() -> None:
    import django
    from django.conf import settings

    host, user, name = sys.argv[1:4]
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": host,
                "USER": user,
                "NAME": name,
                "PORT": "5432",
                "CONN_MAX_AGE": None,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        USE_TZ=True,
        DEFAULT_CURRENCY="USD",
        HORDAK_INTERNAL_CURRENCY="USD",
        HORDAK_CURRENCIES=["USD"],
        CURRENCIES=["USD"],
    )
    django.setup()
    if "--prepare" in sys.argv:
        prepare(int(sys.argv[-1]))
    else:
        work()


def prepare(count: int) -> None:
    """So many accounts of investors and as many of funds."""
    from django.core.management import call_command
    from hordak.models import Account  # type: ignore[import-not-found]

    call_command("migrate", verbosity=0, interactive=False)
    for number in range(2 * count):
        name = f"{'fund' if number % 2 else 'investor'} {number // 2}"
        Account.objects.create(name=name, code=str(number), type=Account.TYPES.liability, currencies=["USD"])


def work() -> None:
    from django.db import connection, transaction
    from hordak.models import Account
    from moneyed import Money

    investors = list(Account.objects.filter(name__startswith="investor").order_by("id"))
    funds = list(Account.objects.filter(name__startswith="fund").order_by("id"))
    turns = itertools.count(os.getpid() * 7)
    amount = Money("1000.00", "USD")
    connection.ensure_connection()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        into = funds[:1] if job["hot"] else funds
        began, cpu, done = time.perf_counter(), time.process_time(), 0
        while (took := time.perf_counter() - began) < job["seconds"]:
            turn = next(turns)
            with transaction.atomic():
                investors[turn % len(investors)].transfer_to(into[turn % len(into)], amount)
            done += 1
        print(json.dumps({"done": done, "wall": took, "cpu": time.process_time() - cpu}), flush=True)


if __name__ == "__main__":
    main()
