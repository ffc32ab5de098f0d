"""The funds' part of the operations console."""

from funds.admin import fund, papers, rules
from funds.admin.fund import FundAdmin, dollars_bar, funds_at, is_late, seats_bar, status_badge

__all__ = ["FundAdmin", "dollars_bar", "fund", "funds_at", "is_late", "papers", "rules", "seats_bar", "status_badge"]
