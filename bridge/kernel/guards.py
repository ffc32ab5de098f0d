"""Triggers that several apps put on their tables."""

from __future__ import annotations

from collections.abc import Iterable

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


def never_deleted() -> pgtrigger.Trigger:
    """A row stays for ever: sums over those that are left would never tell that one is gone."""
    return pgtrigger.Trigger(
        name="never_deleted",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Delete | pgtrigger.Truncate,
        func="RAISE EXCEPTION 'never_deleted: % of % is refused', TG_OP, TG_TABLE_NAME;",
    )


def any_changed(columns: Iterable[str]) -> pgtrigger.Q:
    """The condition of a row's trigger: one of these columns gets another value."""
    changed = pgtrigger.Q()
    for name in columns:
        changed |= pgtrigger.Q(**{f"old__{name}__df": pgtrigger.F(f"new__{name}")})
    return changed


def stays_what_it_is(*columns: str) -> pgtrigger.Trigger:
    """These columns keep their values. Only an UPDATE that names one of them is looked at, so a batch pays nothing."""
    return pgtrigger.Trigger(
        name="stays_what_it_is",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.UpdateOf(*columns),
        condition=any_changed(columns),
        func=f"RAISE EXCEPTION 'stays_what_it_is: of % these never change: {', '.join(columns)}', TG_TABLE_NAME;",
    )


def stays_ended(ended: pgtrigger.Q) -> pgtrigger.Trigger:
    """What has come to its end is never changed again. Row by row: for tables of which few rows change at a time."""
    return pgtrigger.Trigger(
        name="stays_ended",
        level=pgtrigger.Row,
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=ended,
        func="RAISE EXCEPTION 'stays_ended: this row of % is decided and does not change', TG_TABLE_NAME;",
    )
