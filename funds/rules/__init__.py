"""The verification engine: facts in, decision out. Pure: it knows no database, no clock and no other app.

verdict = verify(facts=facts)
verdict.outcome, verdict.reasons(), verdict.as_json()
"""

from funds.rules.engine import Decision, Override, Verdict, rules_of, verify
from funds.rules.facts import (
    CREATE,
    DEPOSIT,
    WITHDRAWAL,
    AccountFacts,
    BalanceFacts,
    DuplicateFacts,
    Facts,
    FundFacts,
    PlaceFacts,
    RequestFacts,
)
from funds.rules.outcomes import Outcome, worst

__all__ = [
    "CREATE",
    "DEPOSIT",
    "WITHDRAWAL",
    "AccountFacts",
    "BalanceFacts",
    "Decision",
    "DuplicateFacts",
    "Facts",
    "FundFacts",
    "Outcome",
    "Override",
    "PlaceFacts",
    "RequestFacts",
    "Verdict",
    "rules_of",
    "verify",
    "worst",
]
