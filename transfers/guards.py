"""The trigger that keeps the lifecycle: once per statement, whoever writes.

Each check counts what is wrong instead of asking whether anything is: for EXISTS the planner hopes to find something
early, and compares every row with every other one (measured: 60 ms for 500 transfers, 4 ms by counting).
"""

from __future__ import annotations

import pgtrigger

from transfers.states import EDGES, State

_EDGES = ", ".join(f"('{source}', '{target}')" for source, targets in EDGES.items() for target in targets)


def lifecycle_kept() -> pgtrigger.Trigger:
    """A changed state needs a legal edge, the next version, and the event that says so, in this transaction.

    An id never changes: with another one, a row would not be compared with what it was.
    """
    return pgtrigger.Trigger(
        name="lifecycle_kept",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        referencing=pgtrigger.Referencing(old="before", new="after"),
        func=f"""
            IF (SELECT count(*) FROM before LEFT JOIN after USING (id) WHERE after.id IS NULL) > 0 THEN
                RAISE EXCEPTION 'illegal_transition: a transfer keeps its id';
            END IF;
            IF (
                SELECT count(*) FROM after JOIN before USING (id)
                WHERE after.state <> before.state
                AND ((before.state, after.state) NOT IN (VALUES {_EDGES})
                     OR after.version <> before.version + 1)
            ) > 0 THEN
                RAISE EXCEPTION 'illegal_transition: no such edge in the lifecycle, or not the next version';
            END IF;
            IF (
                SELECT count(*) FROM after JOIN before USING (id)
                LEFT JOIN events_event AS e ON e.subject_type = 'transfer' AND e.subject_id = after.id
                    AND e.seq = after.version
                WHERE (after.version <> before.version OR after.state <> before.state)
                AND (e.version, e.state, e.tx) IS DISTINCT FROM (after.version, after.state, pg_current_xact_id())
            ) > 0 THEN
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
                LEFT JOIN events_event AS e ON e.subject_type = 'transfer' AND e.subject_id = fresh.id
                    AND e.seq = fresh.version
                WHERE (e.version, e.state, e.tx) IS DISTINCT FROM (fresh.version, fresh.state, pg_current_xact_id())
                OR NOT (fresh.state IN ({first})
                        OR fresh.split_from_id IS NOT NULL AND fresh.state IN ('withdrawn', 'completed'))
            ) > 0 THEN
                RAISE EXCEPTION 'illegal_birth: a transfer begins where its verification put it, with its event';
            END IF;
            RETURN NULL;
        """,
    )


def never_deleted() -> pgtrigger.Trigger:
    """A transfer stays for ever: sums over those that are left would never tell that one is gone."""
    return pgtrigger.Trigger(
        name="never_deleted",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Delete | pgtrigger.Truncate,
        func="RAISE EXCEPTION 'never_deleted: % of % is refused', TG_OP, TG_TABLE_NAME;",
    )
