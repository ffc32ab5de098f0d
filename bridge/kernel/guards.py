"""Triggers that several apps put on their tables."""

from __future__ import annotations

import pgtrigger


def append_only() -> pgtrigger.Trigger:
    """Refuse UPDATE, DELETE and TRUNCATE, also from raw SQL and from a superuser's admin."""
    return pgtrigger.Trigger(
        name="append_only",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
        func="RAISE EXCEPTION 'append_only: % of % is refused, its rows are permanent', TG_OP, TG_TABLE_NAME;",
    )
