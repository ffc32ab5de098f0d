"""What the database refuses about accounts."""

from __future__ import annotations

import pgtrigger

from bridge.kernel.guards import any_changed

DETAILS = ("routing_number", "number_sealed", "number_index", "owner_name", "owner_confirmed")


def details_told() -> pgtrigger.Trigger:
    """Where money goes changes with an event of this transaction, which names the approval of two people.

    Row by row, but only for an UPDATE that names one of these columns: holds and counters do not.
    """
    return pgtrigger.Trigger(
        name="details_told",
        level=pgtrigger.Row,
        when=pgtrigger.After,
        operation=pgtrigger.UpdateOf(*DETAILS),
        condition=any_changed(DETAILS),
        func="""
            IF NOT EXISTS (
                SELECT FROM events_event AS e JOIN approvals_approval AS a ON a.id::text = e.data ->> 'approval'
                WHERE e.subject_type = 'account' AND e.subject_id = NEW.id AND e.version = NEW.version
                AND e.type = 'account.details_changed' AND e.tx = pg_current_xact_id()
                AND a.kind = 'account.change_details' AND a.subject_id = NEW.id AND a.state = 'approved'
            ) THEN
                RAISE EXCEPTION 'details_not_told: bank details change by the approval of two people, with its event';
            END IF;
            RETURN NULL;
        """,
    )
