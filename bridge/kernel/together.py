"""Several writes as one statement. A unit of work over one transfer writes a dozen tables with a row each, and every
exchange with the server costs both sides more than the row does.

    with together():
        bulk.insert(Event, events)
        bulk.insert(Transfer, transfers)
    # WITH w0 AS (INSERT …), w1 AS (INSERT …) SELECT …

What carries more than `FEW` rows goes at once, after what waits; so does a second write to a table, since PostgreSQL
lets no statement change a row twice. Triggers per statement and deferred constraints see what they would have seen: all
of it. Only who reads inside the block must not look for what the block wrote: `send` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

FEW = 10  # rows up to which arrays are quicker than COPY, which is no statement to prepare and takes three exchanges
Check = Callable[[int], None]  # is told how many rows were written, and raises where they are too few


class _Write(NamedTuple):
    sql: str
    parameters: Sequence[Any]
    check: Check | None


_waiting: ContextVar[dict[str, _Write] | None] = ContextVar("writes_waiting", default=None)  # by table


@contextmanager
def together() -> Iterator[None]:
    """Writes of few rows wait until this block ends, or the one that it stands in. Needs a transaction."""
    if _waiting.get() is not None:
        yield
        return
    token = _waiting.set({})
    try:
        yield
        send()
    finally:
        _waiting.reset(token)


def write(sql: str, parameters: Sequence[Any], *, table: str, rows: int, check: Check | None = None) -> int | None:
    """Carry out a write to one table, or let it wait. How many rows it wrote; None while it waits."""
    waiting = _waiting.get()
    if waiting is None or rows > FEW:
        send()
        count: int = _run(connection.prepared_cursor(), sql, parameters).rowcount  # type: ignore[attr-defined]
        if check is not None:
            check(count)
        return count
    if table in waiting:
        send()
    waiting[table] = _Write(sql, parameters, check)
    return None


def send() -> None:
    """Carry out what waits, in one statement. Whoever writes in another way, or reads what may wait, sends first."""
    waiting = _waiting.get()
    if not waiting:
        return
    writes = list(waiting.values())
    waiting.clear()  # first: an error must not leave it there
    if len(writes) == 1:
        ((sql, parameters, check),) = writes
        counts = [_run(connection.prepared_cursor(), sql, parameters).rowcount]  # type: ignore[attr-defined]
        checks = [check]
    else:
        checks = [one.check for one in writes]
        text = _combined(tuple(one.sql for one in writes), tuple(check is not None for check in checks))
        every = [value for one in writes for value in one.parameters]
        counts = list(_run(connection.numbered_cursor(), text, every).fetchone())  # type: ignore[attr-defined]
        checks = [check for check in checks if check is not None]
    for check, count in zip(checks, counts, strict=False):
        if check is not None:
            check(count)


def _run(cursor: Any, sql: str, parameters: Sequence[Any]) -> Any:
    cursor.execute(sql, parameters)
    return cursor


@lru_cache(maxsize=256)
def _combined(texts: tuple[str, ...], counted: tuple[bool, ...]) -> str:
    """The text of all, its parameters numbered, with the numbers of rows that somebody wants to know."""
    parts, seen = [], 0
    for number, (text, wanted) in enumerate(zip(texts, counted, strict=True)):
        pieces = text.split("%s")
        numbered = pieces[0]
        for piece in pieces[1:]:
            seen += 1
            numbered += f"${seen}{piece}"
        parts.append(f"w{number} AS ({numbered.replace('%%', '%')}{' RETURNING 1' if wanted else ''})")
    counts = ", ".join(f"(SELECT count(*) FROM w{number})" for number, wanted in enumerate(counted) if wanted)  # noqa: S608
    return f"WITH {', '.join(parts)} SELECT {counts or '1'}"
