"""All rules, in the one order in which they run and are shown. A rule that is not listed here does not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from funds.rules import (
    amounts,
    bank_details,
    eligibility,
    escrow,
    fund,
    paperwork,
    places,
    rails,
    regime,
    screening,
    source,
    velocity,
)
from funds.rules.registry import REGISTRY, Rule

MODULES: Final = (
    fund,
    amounts,
    places,
    source,
    regime,
    eligibility,
    screening,
    paperwork,
    bank_details,
    velocity,
    rails,
    escrow,
)

ORDER: Final = (
    "fund_open",
    "account_open",
    "currency",
    "minimum",
    "minimum_reached",
    "maximum",
    "second_person",
    "seats",
    "hard_cap",
    "source_balance",
    "duplicate",
    "legal_regime",
    "eligibility",
    "kyc",
    "sanctions",
    "documents",
    "account_owner",
    "bank_account",
    "bank_number",
    "velocity",
    "rail_limit",
    "rail_cut_off",
    "escrow_minimum",
)

if set(ORDER) != set(REGISTRY):
    raise ImportError(f"the catalogue and the rules differ: {sorted(set(ORDER) ^ set(REGISTRY))}")

RULES: Final[tuple[Rule, ...]] = tuple(REGISTRY[rule] for rule in ORDER)
BY_ID: Final[Mapping[str, Rule]] = {rule.id: rule for rule in RULES}
