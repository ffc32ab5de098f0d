"""The clock of money in the bridge, for the first page: how much of each age, and the oldest of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from bridge.console.display import amount, badge, link_to, when
from bridge.console.pages import Table
from transfers import bridge_clock, desk
from transfers.bridge_clock import BUCKETS, Line
from transfers.models import Transfer

OLDEST = 8
COLOURS = ("green", "blue", "amber", "red")


def context(moment: datetime) -> dict[str, Any]:
    """Two queries, of open transfers only."""
    return {
        "buckets": BUCKETS,
        "lines": [_line(line) for line in bridge_clock.ages(at=moment)],
        "oldest": _oldest(moment),
    }


def _line(line: Line) -> dict[str, Any]:
    cells = [
        {"amount": amount(total, line.currency) if count else "", "count": count}
        for total, count in zip(line.amounts, line.counts, strict=True)
    ]
    return {"holder": line.holder, "currency": line.currency, "bar": _bar(line), "cells": cells}


def _bar(line: Line) -> SafeString:
    """One bar of the line's money, cut by age. An SVG, because the page's policy allows no inline styles."""
    total, at, parts = max(1, line.total), 0, []
    for sum_, colour in zip(line.amounts, COLOURS, strict=True):
        width = 1000 * sum_ // total
        parts.append((at, width, colour))
        at += width
    drawn = format_html_join("", '<rect x="{}" width="{}" height="10" class="bridge-fill--{}"/>', parts)
    return format_html(
        '<svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="shares of the ages">{}</svg>',
        drawn,
    )


def _oldest(moment: datetime) -> Table:
    rows = [_row(row, moment) for row in bridge_clock.oldest(limit=OLDEST)]
    return Table(
        title="The oldest money",
        headers=("age", "case", "state", "amount", "who has it", "investor", "fund", "with us since"),
        rows=rows,
        empty="No money is with us.",
        numeric=frozenset({3}),
    )


def _row(row: Transfer, moment: datetime) -> tuple[object, ...]:
    since = row.bridge_since
    assert since is not None
    case = format_html(
        '<a class="bridge-link bridge-id" href="{}">…{}</a>',
        reverse("admin:transfers_transfer_case", args=[row.pk]),
        row.public_id[-6:],
    )
    return (
        badge("age", desk.age(moment - since), COLOURS[bridge_clock.bucket(since, at=moment)]),
        case,
        badge(row.state),
        amount(row.amount, row.currency),
        bridge_clock.holder(row.state, investors_bank=row.source_account.institution, funds_bank=row.fund.institution),
        format_html(
            '{} <span class="bridge-muted">{}</span>',
            link_to(row.investor),
            link_to(row.source_account, f"···{row.source_account.number_last4}"),
        ),
        link_to(row.fund),
        when(since),
    )
