"""Rows beside the log: what an app's table says of a subject, and what the last event of that subject says."""

from __future__ import annotations


def untold(*, table: str, subject: str, state: str, version: str = "r.version", more: str = "") -> str:
    """SQL for the rows of `table` whose last event says something else, or that have none, and for subjects of the log
    of which no row is left. The log is hashed and sealed: whoever changes a row past the services does not change it.

    `state` and `version` are SQL over `r`, the row; `more` is a condition over `r` and `e`, the event, which holds
    where the two disagree besides.
    """
    also = f"OR {more}" if more else ""
    return f"""
        SELECT r.id AS {subject}, {state} AS state, {version} AS version, e.state AS told_state,
            e.version AS told_version, 'does not say what its last event says' AS wrong
        FROM {table} AS r LEFT JOIN LATERAL (
            SELECT state, version, data FROM events_event
            WHERE subject_type = '{subject}' AND subject_id = r.id ORDER BY seq DESC LIMIT 1
        ) AS e ON true
        WHERE (e.state, e.version) IS DISTINCT FROM ({state}, {version}) {also}
        UNION ALL
        SELECT e.subject_id, e.state, e.version, e.state, e.version, 'is in the log and no longer there'
        FROM events_event AS e
        WHERE e.subject_type = '{subject}' AND e.seq = 1
        AND NOT EXISTS (SELECT FROM {table} AS r WHERE r.id = e.subject_id)
    """  # noqa: S608 names of our own tables
