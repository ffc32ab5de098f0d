"""Are the papers signed, and does the money come from the one who invests?"""

from __future__ import annotations

import unicodedata

from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Values, rule

APOSTROPHES = ".'\N{RIGHT SINGLE QUOTATION MARK}"  # they join a word, as in O'Brien and Inc.


@rule(
    id="documents",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Has the investor signed every subscription document of the fund?",
    needs=("documents",),
)
def documents(facts: Facts, values: Values) -> Finding:
    papers = facts.documents
    assert papers is not None
    missing = [name for name in papers.required if name not in papers.signed]
    inputs = {"missing": missing}
    if not missing:
        return Outcome.PASS, "All documents are signed.", inputs
    return Outcome.HOLD, f"Not signed yet: {', '.join(missing)}.", inputs


@rule(
    id="account_owner",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Does the paying account belong to the investor?",
    needs=("owner",),
)
def account_owner(facts: Facts, values: Values) -> Finding:
    """Names are compared by their words, whatever their order, case, accents and punctuation. Doubt is for people."""
    owner = facts.owner
    assert owner is not None
    inputs = {"investor": owner.investor, "account_owner": owner.account_owner, "confirmed": owner.confirmed}
    if owner.confirmed:
        return Outcome.PASS, "People have confirmed the owner of the account.", inputs
    if not words(owner.account_owner):
        return Outcome.HOLD, "The institution has not named the owner of the account.", inputs
    if words(owner.account_owner) == words(owner.investor):
        return Outcome.PASS, "The account belongs to the investor.", inputs
    return Outcome.HOLD, f"The account belongs to {owner.account_owner}, not to {owner.investor}.", inputs


def words(name: str) -> list[str]:
    """`"Lovelace, Áda"` → `["ada", "lovelace"]`."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    kept = "".join(letter if letter.isalnum() else "" if letter in APOSTROPHES else " " for letter in plain.casefold())
    return sorted(kept.split())
