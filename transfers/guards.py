"""The trigger that keeps the lifecycle: once per statement, whoever writes.

One pass that counts what is wrong instead of asking whether anything is: for EXISTS the planner hopes to find one
early, and compares every row with every other (measured: 60 ms for 500 transfers, 4 ms by counting). The event is
looked up by a subquery of one row, which uses its index whatever the planner thinks of the log's size.
"""

from __future__ import annotations

import pgtrigger

from transfers.states import EDGES, State

_EDGES = ", ".join(f"('{source}', '{target}')" for source, targets in EDGES.items() for target in targets)


def _event_of(row: str) -> str:
    """Whether the event of this version of a transfer says the same, and was written by this transaction."""
    return (
        f"(SELECT (e.version, e.state, e.tx) = ({row}.version, {row}.state, pg_current_xact_id())"
        " FROM events_event AS e WHERE e.subject_type = 'transfer'"
        f" AND e.subject_id = {row}.id AND e.seq = {row}.version)"
    )


def _worth(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in ("amount", "cut_back", "fund_id", "refund_account_id", "approved_by"))


def lifecycle_kept() -> pgtrigger.Trigger:
    """A changed state needs a legal edge, the next version, and the event that says so, in this transaction. So does
    what the transfer is worth, where it goes and who approved it, but for the edge.

    An id never changes: with another one, a row would not be compared with what it was.
    """
    return pgtrigger.Trigger(
        name="lifecycle_kept",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        referencing=pgtrigger.Referencing(old="before", new="after"),
        declare=[("lost", "bigint"), ("illegal", "bigint"), ("unrecorded", "bigint")],
        func=f"""
            SELECT
                count(*) FILTER (WHERE a.id IS NULL),
                count(*) FILTER (
                    WHERE a.state <> b.state
                    AND ((b.state, a.state) NOT IN (VALUES {_EDGES}) OR a.version <> b.version + 1)
                ),
                count(*) FILTER (
                    WHERE (a.version, a.state, {_worth("a")}) IS DISTINCT FROM (b.version, b.state, {_worth("b")})
                    AND (a.version = b.version OR {_event_of("a")} IS NOT TRUE)
                )
            INTO lost, illegal, unrecorded
            FROM before AS b LEFT JOIN after AS a USING (id);
            IF lost > 0 THEN
                RAISE EXCEPTION 'illegal_transition: a transfer keeps its id';
            END IF;
            IF illegal > 0 THEN
                RAISE EXCEPTION 'illegal_transition: no such edge in the lifecycle, or not the next version';
            END IF;
            IF unrecorded > 0 THEN
                RAISE EXCEPTION 'event_missing: a transfer changes only together with its event';
            END IF;
            RETURN NULL;
        """,
    )


def birth_recorded() -> pgtrigger.Trigger:
    """A new transfer stands where one legal edge leads from `requested` (a split child: in money), with its event."""
    first = ", ".join(f"'{state}'" for state in EDGES[State.REQUESTED])
    return pgtrigger.Trigger(
        name="birth_recorded",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="fresh"),
        func=f"""
            IF (
                SELECT count(*) FROM fresh
                WHERE {_event_of("fresh")} IS NOT TRUE
                OR NOT (fresh.state IN ({first})
                        OR fresh.split_from_id IS NOT NULL AND fresh.state IN ('withdrawn', 'completed'))
            ) > 0 THEN
                RAISE EXCEPTION 'illegal_birth: a transfer begins where its verification put it, with its event';
            END IF;
            RETURN NULL;
        """,
    )
