"""History by the million: real transfers, cast again and again by one INSERT … SELECT per table.

The moulds are transfers that the engine completed, with all their rows. A cast is the same transfer some hours earlier:
its uuids (version 7) have an earlier time and the same random part, so that keys keep their order; its moments are
earlier, its texts that must be unique are made so, all else is as the engine wrote it, whatever columns there are. At
the end the balances, places and counters count every cast, so that `check_ledger` holds. Two things are not real: the
hashes of events are those of their moulds (`verify_audit` would say so), and casts have no triggers fired.

`thin` casts have no events, verifications and notifications: the tables that nobody sums, and three quarters of the
bytes; `bare` ones are a transfer and nothing else, without the room that its updates were given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

# Per table the uuids that are a transfer's own, where it has them; those of people and funds stay.
OWN = {
    "transfers_transfer": ("id", "family_id"),
    "funds_reservation": ("id", "transfer_id"),
    "transfers_bankinstruction": ("id", "transfer_id"),
    "ledger_posting": ("id", "transfer_id", "instruction_id"),
    "ledger_entry": ("posting_id", "transfer_id"),
    "events_event": ("id", "subject_id"),
    "funds_verification": ("id", "transfer_id"),
    "notifications_notification": ("id", "event_id", "transfer_id"),
}
BARE = ("transfers_transfer",)
THIN = (*BARE, "funds_reservation", "transfers_bankinstruction", "ledger_posting", "ledger_entry")
FIRST = """
    SELECT min(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint) AS first FROM transfers_transfer
"""
OF_TRANSFERS = {"events_event": "WHERE subject_type = 'transfer'"}
UNIQUE_TEXTS = {"key", "reference", "institution_reference"}
AT_ONCE = 100_000  # transfers per statement
TURN = 1 << 24  # milliseconds, 4.7 hours: casts are whole turns apart, so that one text serves all uuids of a cast
COUNTED = """
    UPDATE ledger_ledgeraccount SET balance = balance * (1 + {posted}), version = version * (1 + {posted});
    UPDATE funds_allocation SET confirmed = confirmed * (1 + {casts});
    UPDATE funds_fundcapacity SET confirmed = confirmed * (1 + {casts});
    UPDATE accounts_investoraccount SET withdrawals_begun = withdrawals_begun * (1 + {posted}),
        withdrawals_acknowledged = withdrawals_acknowledged * (1 + {posted}), last_seq = last_seq + {casts}
"""


def cast(
    connection: psycopg.Connection,
    *,
    casts: int,
    whole: int,
    rest: tuple[str, ...] = THIN,
    days: int = 365,
    told: Callable[[int], None] = lambda transfers: None,
) -> int:
    """Cast every transfer of this database `casts` times over so many days: the newest `whole` times with everything,
    before that only the tables of `rest`.

    All transfers must be completed. The connection is a superuser's. One transaction, whose tables are new: with
    `wal_level` minimal it writes no log. Returns the transfers made.
    """
    turns = max(1, round(days * 86_400_000 / TURN / max(casts, 1)))
    transfers = {table: _melt(connection, table) for table in OWN}["transfers_transfer"]
    connection.execute("ANALYZE")
    at_once = max(1, AT_ONCE // transfers)
    with _bare(connection, tuple(OWN)):
        if rest == BARE:
            connection.execute("ALTER TABLE transfers_transfer SET (fillfactor = 100)")
        for first in range(casts, 0, -at_once):  # the oldest first, as they would have been written
            last = max(first - at_once + 1, 1)
            for table in OWN:
                high = first if table in rest else min(first, whole)
                if last <= high:
                    connection.execute(_casting(connection, table, (high, last), turns, casts))
            told((first - last + 1) * transfers)
        counted = COUNTED.format(casts=casts, posted=casts if "ledger_entry" in rest else whole)
        for statement in counted.split(";"):
            connection.execute(statement.encode())
        # The moulds' own numbers follow those of their casts.
        connection.execute(f"UPDATE kept_transfers_transfer SET account_seq = account_seq + {casts}".encode())
    for table in OWN:
        for what in ("mould", "kept"):
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"{what}_{table}")))
    for table in OWN:  # a first visit to all of it, hours of writing on a small machine, would stand in every sample
        connection.execute(sql.SQL("ALTER TABLE {} SET (autovacuum_enabled = off)").format(sql.Identifier(table)))
    connection.execute("ANALYZE")
    return casts * transfers


@contextmanager
def _bare(connection: psycopg.Connection, tables: tuple[str, ...]) -> Iterator[None]:
    """Emptied, without triggers and without upkeep of indexes; what was kept comes back and the indexes are built at
    the end.

    An index that is not ready is left alone by INSERT; REINDEX makes it ready. Only a superuser may do that.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, tables))
    with connection.transaction():
        for setting, value in (
            ("session_replication_role", "replica"),
            ("jit", "off"),
            ("maintenance_work_mem", "1GB"),
        ):
            connection.execute(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
        connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
        connection.execute(
            "UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY(%s::regclass[]::oid[])",
            [list(tables)],
        )
        yield
        for table in tables:
            name, kept = sql.Identifier(table), sql.Identifier(f"kept_{table}")
            connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(name, kept))
            connection.execute(sql.SQL("REINDEX TABLE {}").format(name))


def _columns(connection: psycopg.Connection, table: str) -> dict[str, str]:
    """Name and type of every column that we must fill: not the transaction's number, nor what a sequence gives."""
    found = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute AS a WHERE a.attrelid = %s::regclass "
        "AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = '' "
        "AND a.atttypid <> 'xid8'::regtype ORDER BY a.attnum",
        [table],
    )
    return dict(found.fetchall())


def _melt(connection: psycopg.Connection, table: str) -> int:
    """Two tables: the rows as they are, and the moulds, with of each own uuid all but its turn. How many moulds."""
    own = [column for column in OWN[table] if column in _columns(connection, table)]
    parts: list[sql.Composable] = [sql.SQL("t.*")]
    for column in own:
        # The time that is less than a turn, counted from the first transfer, and the random part.
        parts.append(
            sql.SQL(
                "lpad(to_hex(('x' || substr(h.{c}, 1, 12))::bit(48)::bigint - s.first), 6, '0') "
                "|| substr(h.{c}, 13) AS {r}"
            ).format(c=sql.Identifier(column), r=sql.Identifier(f"{column}_rest"))
        )
    texts = [sql.SQL("replace(t.{c}::text, '-', '') AS {c}").format(c=sql.Identifier(column)) for column in own]
    names = {what: sql.Identifier(f"{what}_{table}") for what in ("kept", "mould")}
    connection.execute(
        sql.SQL("CREATE UNLOGGED TABLE {} AS SELECT * FROM {}").format(names["kept"], sql.Identifier(table))
    )
    made = connection.execute(
        sql.SQL(
            "CREATE UNLOGGED TABLE {} AS SELECT {} FROM {} AS t "
            "CROSS JOIN LATERAL (SELECT {}) AS h CROSS JOIN ({}) AS s {}"
        ).format(
            names["mould"],
            sql.SQL(", ").join(parts),
            sql.Identifier(table),
            sql.SQL(", ").join(texts),
            sql.SQL(FIRST),
            sql.SQL(OF_TRANSFERS.get(table, "")),
        )
    )
    return made.rowcount


def _casting(
    connection: psycopg.Connection, table: str, numbers: tuple[int, int], turns: int, casts: int
) -> sql.Composed:
    columns = _columns(connection, table)
    values = [_value(table, name, kind, turns, casts) for name, kind in columns.items()]
    return sql.SQL(
        "WITH s AS ({first}), c AS MATERIALIZED ("
        "SELECT n, lpad(to_hex(s.first / {turn} - n * {turns}), 6, '0') AS turn "
        "FROM s, generate_series({high}, {low}, -1) AS n) "
        "INSERT INTO {table} ({names}) SELECT {values} FROM c CROSS JOIN {mould} AS t"
    ).format(
        first=sql.SQL(FIRST.replace("transfers_transfer", "kept_transfers_transfer")),
        turn=sql.Literal(TURN),
        turns=sql.Literal(turns),
        table=sql.Identifier(table),
        names=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(values),
        high=sql.Literal(numbers[0]),
        low=sql.Literal(numbers[1]),
        mould=sql.Identifier(f"mould_{table}"),
    )


def _value(table: str, name: str, kind: str, turns: int, casts: int) -> sql.Composable:
    column = sql.SQL("t.{}").format(sql.Identifier(name))
    if name in OWN[table]:
        return sql.SQL("(c.turn || t.{})::uuid").format(sql.Identifier(f"{name}_rest"))
    if kind == "timestamp with time zone":
        return sql.SQL("{} - c.n * interval {}").format(column, sql.Literal(f"{turns * TURN} milliseconds"))
    if name in UNIQUE_TEXTS:  # ordered by time, and as long as it was
        moved = "CASE {c} WHEN '' THEN '' ELSE overlay({c} placing lpad(to_hex(16777215 - c.n), 6, '0') from 5) END"
        return sql.SQL(moved).format(c=column)
    if name == "account_seq":  # the oldest has the lowest
        return sql.SQL("{} + {} - c.n").format(column, sql.Literal(casts))
    return column
