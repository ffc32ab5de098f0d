"""What the rows of the posting table mean, for whoever reads `W1` on a page."""

from __future__ import annotations

import uuid

from django.utils.html import format_html
from django.utils.safestring import SafeString

from bridge.console.display import link

ROWS = {
    "W1": "withdrawal ordered",
    "W2": "withdrawal settled",
    "W3": "withdrawal rejected, or never received",
    "W4": "withdrawal returned",
    "W5": "withdrawal settled late, or twice",
    "D1": "deposit ordered",
    "D2": "deposit settled",
    "D3": "deposit rejected",
    "D4": "deposit returned, or recalled",
    "D5": "deposit settled late, or twice",
    "R1": "refund ordered",
    "R2": "refund settled",
    "R3": "refund rejected",
    "R4": "refund returned",
    "R5": "refund settled late, or twice",
    "A1": "the firm's advance repaid",
    "A2": "the firm's advance written off",
    "A3": "the firm puts money in",
    "A4": "the firm tops up a short pay",
    "S1": "a receipt that nobody has identified",
    "S2": "a receipt identified",
    "S3": "a receipt sent back",
    "F1": "a bank charge on no payment",
    "Z1": "frozen",
    "Z2": "released",
    "X1": "split",
    "X2": "our own mistake undone",
}


def row_link(posting_id: uuid.UUID, row: str) -> SafeString:
    """A link to a posting by its row, and what that means."""
    return format_html("{} <span>{}</span>", link("ledger.posting", posting_id, row), ROWS.get(row, ""))
