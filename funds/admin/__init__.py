"""The funds' part of the operations console."""

from funds.admin import fund, papers, rules
from funds.admin.fund import FundAdmin, dollars_bar, seats_bar

__all__ = ["FundAdmin", "dollars_bar", "fund", "papers", "rules", "seats_bar"]
