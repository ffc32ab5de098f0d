"""The account that pays: is it open, does it hold enough, and was the same not asked a moment ago?"""

from __future__ import annotations

from datetime import timedelta

from bridge.kernel.money import display
from funds.rules.facts import CREATE, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule


@rule(
    id="account_open",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Are the investor and the investor account active?",
    overridable=Outcome.PASS,
)
def account_open(facts: Facts, values: Values) -> Finding:
    account, investor = facts.account.status, facts.account.investor_status
    inputs = {"account": account, "investor": investor}
    if account == "open" and investor == "active":
        return Outcome.PASS, "Account and investor are active.", inputs
    if account != "open":
        return Outcome.FAIL, f"The investor account is {account}.", inputs
    return Outcome.FAIL, f"The investor is {investor}.", inputs


@rule(
    id="source_balance",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Does the account hold the amount, by an answer of its institution that is fresh enough?",
    parameters={
        "max_age_seconds_at_create": Parameter(900, int, "How old the observed balance may be at the request."),
        "max_age_seconds_at_withdrawal": Parameter(300, int, "How old it may be before the withdrawal."),
    },
    overridable=Outcome.PASS,
)
def source_balance(facts: Facts, values: Values) -> Finding:
    """A balance that is missing or too old decides nothing: *hold*. Only a fresh one can say *insufficient*."""
    amount, balance = facts.request.amount, facts.balance
    available, observed_at = balance.available, balance.observed_at
    inputs = {"amount": amount, "available": available, "observed_at": observed_at}
    if available is None or observed_at is None:
        return Outcome.HOLD, "The institution has not told the balance of the account.", inputs
    oldest = values[f"max_age_seconds_at_{facts.request.stage}"]
    if facts.request.now - observed_at > timedelta(seconds=oldest):
        return Outcome.HOLD, f"The balance is older than {oldest} seconds.", inputs
    if available >= amount:
        return Outcome.PASS, "The balance suffices.", inputs
    currency = facts.account.currency
    reason = f"Insufficient funds: {display(available, currency)} is available, {display(amount, currency)} is asked."
    return Outcome.FAIL, reason, inputs


@rule(
    id="duplicate",
    version=1,
    stages=(CREATE,),
    asks="Has the same account asked for the same amount to the same fund in the last 24 hours?",
    overridable=Outcome.HOLD,
)
def duplicate(facts: Facts, values: Values) -> Finding:
    """Only at the request: who has released it once is not asked again."""
    same = facts.duplicate
    inputs = {"count": same.count, "latest": same.latest}
    if not same.count:
        return Outcome.PASS, "Nothing like it in 24 hours.", inputs
    more = f" and {same.count - 1:,} more" if same.count > 1 else ""
    return Outcome.HOLD, f"The same was asked in the last 24 hours: {same.latest}{more}.", inputs
