"""The core alone: the two steps of a transfer on bare tables, by the same means as the engine, as a ceiling.

Claim with SKIP LOCKED, lock in order, FSM transition in memory, two entries, balances by F-expressions, a seat, an
outbox row; no triggers, events, decisions, notifications, instructions or in-transit postings. What the engine takes
beyond this is what its trail costs.

The models stand beside Bridge's own schema, in tables that only the benchmark makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

TRANSIT = 0  # one account for all money on its way; its balance is not kept
PLENTY = 10**14
TABLES = """
    DROP TABLE IF EXISTS core_outbox, core_entry, core_position, core_transfer, core_fund, core_account;
    CREATE TABLE core_account (id bigint PRIMARY KEY, balance bigint NOT NULL, version bigint NOT NULL DEFAULT 0)
        WITH (fillfactor = 40);
    CREATE TABLE core_fund (id bigint PRIMARY KEY, account_id bigint NOT NULL REFERENCES core_account,
        minimum bigint NOT NULL, seats int NOT NULL, seats_taken int NOT NULL DEFAULT 0) WITH (fillfactor = 40);
    CREATE TABLE core_transfer (id bigint PRIMARY KEY, investor_id bigint NOT NULL REFERENCES core_account,
        fund_id bigint NOT NULL REFERENCES core_fund, amount bigint NOT NULL, state varchar(12) NOT NULL,
        updated_at timestamptz NOT NULL) WITH (fillfactor = 40);
    CREATE TABLE core_position (fund_id bigint NOT NULL, investor_id bigint NOT NULL, amount bigint NOT NULL,
        PRIMARY KEY (fund_id, investor_id)) WITH (fillfactor = 40);
    CREATE TABLE core_entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer_id bigint NOT NULL,
        account_id bigint NOT NULL, amount bigint NOT NULL, created_at timestamptz NOT NULL);
    CREATE TABLE core_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer_id bigint NOT NULL,
        kind text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL);
"""
STEP = """
    WITH done AS MATERIALIZED (
        SELECT t.id, t.investor_id, t.amount, f.account_id
        FROM core_transfer AS t JOIN core_fund AS f ON f.id = t.fund_id
        WHERE t.id = ANY(%s::bigint[]) ORDER BY t.id
    ), told AS (
        INSERT INTO core_outbox (transfer_id, kind, payload, created_at)
        SELECT id, %s, jsonb_build_object('id', id, 'amount', amount), %s FROM done
    )
    INSERT INTO core_entry (transfer_id, account_id, amount, created_at)
    SELECT done.id, line.account_id, line.amount, %s FROM done, LATERAL (VALUES {lines}) AS line (account_id, amount)
"""
WITHDRAWN = STEP.format(lines="(done.investor_id, -done.amount), (0::bigint, done.amount)")
COMPLETED = STEP.format(lines="(0::bigint, -done.amount), (done.account_id, done.amount)")
POSITIONS = """
    INSERT INTO core_position (fund_id, investor_id, amount)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
    ON CONFLICT (fund_id, investor_id) DO UPDATE SET amount = core_position.amount + EXCLUDED.amount
"""
KNOWN = """
    SELECT p.fund_id, p.investor_id FROM unnest(%s::bigint[], %s::bigint[]) AS w (fund_id, investor_id)
    JOIN core_position AS p USING (fund_id, investor_id)
"""


@cache
def models() -> SimpleNamespace:
    """Made when Django is ready."""
    from django.db import models as m
    from django_fsm import FSMField, transition

    class Account(m.Model):
        id = m.BigIntegerField(primary_key=True)
        balance = m.BigIntegerField()
        version = m.BigIntegerField(default=0)

        class Meta:
            app_label, db_table, managed = "core", "core_account", False

    class Fund(m.Model):
        id = m.BigIntegerField(primary_key=True)
        account_id = m.BigIntegerField()
        minimum = m.BigIntegerField()
        seats = m.IntegerField()
        seats_taken = m.IntegerField(default=0)

        class Meta:
            app_label, db_table, managed = "core", "core_fund", False

    class Transfer(m.Model):
        id = m.BigIntegerField(primary_key=True)
        investor_id = m.BigIntegerField()
        fund_id = m.BigIntegerField()
        amount = m.BigIntegerField()
        state = FSMField(default="created", protected=True, db_index=False)
        updated_at = m.DateTimeField()

        class Meta:
            app_label, db_table, managed = "core", "core_transfer", False

        @transition(field=state, source="created", target="withdrawn")
        def withdraw(self) -> None: ...

        @transition(field=state, source="withdrawn", target="completed")
        def deposit(self) -> None: ...

        @transition(field=state, source="created", target="rejected")
        def reject(self) -> None: ...

        @transition(field=state, source="withdrawn", target="bounced")
        def bounce(self) -> None: ...

    return SimpleNamespace(Account=Account, Fund=Fund, Transfer=Transfer)


def prepare(*, accounts: int, funds: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute(
            "INSERT INTO core_account (id, balance) SELECT n, %s FROM generate_series(0, %s) AS n",
            [PLENTY, accounts + funds],
        )
        cursor.execute(
            "INSERT INTO core_fund (id, account_id, minimum, seats) SELECT n, %s + n, 1, 1000000 "
            "FROM generate_series(1, %s) AS n",
            [accounts, funds],
        )


def fill(*, count: int, accounts: int, funds: int) -> None:
    """`count` transfers, over accounts and funds in turn."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_transfer (id, investor_id, fund_id, amount, state, updated_at) "
            "SELECT b.last + n, 1 + (b.last + n) %% %s, 1 + (b.last + n) %% %s, 100000 + n, 'created', now() "
            "FROM (SELECT coalesce(max(id), 0) AS last FROM core_transfer) AS b, generate_series(1, %s) AS n",
            [accounts, funds, count],
        )


def completed() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_transfer WHERE state = 'completed'")
        return cursor.fetchone()[0]


def drain(*, batch: int) -> int:
    """Withdraw and deposit until nothing is left; how many steps were taken."""
    moved = 0
    while done := _withdraw(batch) + _deposit(batch):
        moved += done
    return moved


def _claim(state: str, batch: int) -> list[Any]:
    from bridge.kernel import rows

    found = models().Transfer.objects.select_for_update(skip_locked=True, no_key=True).filter(state=state)
    return rows.read(found.order_by("id")[:batch])


def _lock(model: Any, keys: set[int]) -> list[Any]:
    from bridge.kernel import bulk, rows

    return rows.read(model.objects.select_for_update(no_key=True).filter(bulk.Among("pk", keys)).order_by("pk"))


def _withdraw(batch: int) -> int:
    from django.db import transaction

    from bridge.kernel import binary, bulk, clock

    core = models()
    with transaction.atomic():
        claimed, now = _claim("created", batch), clock.now()
        if not claimed:
            return 0
        left = {row.id: row.balance for row in _lock(core.Account, {row.investor_id for row in claimed})}
        taken: dict[int, int] = {}
        for row in claimed:
            if left[row.investor_id] < row.amount:
                row.reject()
                continue
            left[row.investor_id] -= row.amount
            taken[row.investor_id] = taken.get(row.investor_id, 0) - row.amount
            row.withdraw()
        went = [row.id for row in claimed if row.state == "withdrawn"]
        bulk.execute(WITHDRAWN, [binary.any_of(went), "withdrawn", now, now])
        _move(core.Account, taken)
        _save(core.Transfer, claimed, now)
    return len(claimed)


def _deposit(batch: int) -> int:
    from django.db import transaction
    from django.db.models import F

    from bridge.kernel import binary, bulk, clock

    core = models()
    with transaction.atomic():
        claimed, now = _claim("withdrawn", batch), clock.now()
        if not claimed:
            return 0
        funds = {fund.id: fund for fund in _lock(core.Fund, {row.fund_id for row in claimed})}
        _lock(core.Account, {fund.account_id for fund in funds.values()})
        pairs = [binary.any_of([row.fund_id for row in claimed]), binary.any_of([row.investor_id for row in claimed])]
        seated = set(bulk.execute(KNOWN, pairs).fetchall())
        added: dict[tuple[int, int], int] = {}
        credit: dict[int, int] = {}
        seats: dict[int, int] = {}
        for row in claimed:
            fund, pair = funds[row.fund_id], (row.fund_id, row.investor_id)
            if row.amount < fund.minimum:
                row.bounce()
                continue
            if pair not in seated:
                if fund.seats_taken + seats.get(fund.id, 0) >= fund.seats:
                    row.bounce()
                    continue
                seated.add(pair)
                seats[fund.id] = seats.get(fund.id, 0) + 1
            added[pair] = added.get(pair, 0) + row.amount
            credit[fund.account_id] = credit.get(fund.account_id, 0) + row.amount
            row.deposit()
        arrived = [row.id for row in claimed if row.state == "completed"]
        pairs = [binary.any_of([pair[0] for pair in added]), binary.any_of([pair[1] for pair in added])]
        bulk.execute(POSITIONS, [*pairs, binary.any_of(list(added.values()))])
        bulk.execute(COMPLETED, [binary.any_of(arrived), "completed", now, now])
        if seats:
            core.Fund.objects.filter(bulk.Among("pk", seats)).update(
                seats_taken=F("seats_taken") + bulk.ByKey("id", seats)
            )
        _move(core.Account, credit)
        _save(core.Transfer, claimed, now)
    return len(claimed)


def _move(model: Any, deltas: dict[int, int]) -> None:
    from django.db.models import F

    from bridge.kernel import bulk

    model.objects.filter(bulk.Among("pk", deltas)).update(
        balance=F("balance") + bulk.ByKey("id", deltas), version=F("version") + 1
    )


def _save(model: Any, rows: Sequence[Any], now: Any) -> None:
    from bridge.kernel import bulk

    for row in rows:
        row.updated_at = now
    bulk.update(model, rows, fields=["state", "updated_at"])
