"""May this fund take money now, and in this currency?"""

from __future__ import annotations

from datetime import datetime, timedelta

from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts, FundFacts, Stage
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule
from funds.rules.wording import moment


@rule(
    id="fund_open",
    version=2,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Is the fund open, and is this between its opening and its closing time?",
    parameters={
        "deposit_grace_days": Parameter(
            5, int, "Days after the closing time within which money that was withdrawn before it may still arrive."
        )
    },
    overridable=Outcome.HOLD,
)
def fund_open(facts: Facts, values: Values) -> Finding:
    """At the request only `open` will do. Later, what was accepted goes on while the fund is *closing*; so does what
    holds a place already and is judged again after a review (version 2).

    A pause stops a later stage until a person decides; a fund that closed fails it. The closing time itself is
    exclusive; before the deposit it is moved by the grace, since a withdrawal takes days to settle.
    """
    fund, stage, now = facts.fund, facts.request.stage, facts.request.now
    inputs = {"status": fund.status, "opens_at": fund.opens_at, "closes_at": fund.closes_at}
    closes_at = fund.closes_at
    if stage == DEPOSIT and closes_at is not None:
        closes_at += timedelta(days=values["deposit_grace_days"])
    if fund.status == "open" and fund.opens_at <= now and (closes_at is None or now < closes_at):
        return Outcome.PASS, "The fund is open.", inputs
    accepted = stage != CREATE or facts.place.own_reserved > 0
    outcome, reason = _refusal(fund, stage, now, closes_at, accepted)
    return outcome, reason, inputs


def _refusal(
    fund: FundFacts, stage: Stage, now: datetime, closes_at: datetime | None, accepted: bool
) -> tuple[Outcome, str]:
    later = Outcome.FAIL if stage == CREATE else Outcome.HOLD
    found: tuple[Outcome, str]
    if fund.status == "closed":
        found = Outcome.FAIL, f"{fund.name} is closed."
    elif closes_at is not None and now >= closes_at:
        found = Outcome.FAIL, f"{fund.name} closed at {moment(closes_at)}."
    elif fund.status == "paused":
        found = later, f"{fund.name} is paused."
    elif fund.status == "draft":
        found = later, f"{fund.name} is not open yet."
    elif now < fund.opens_at:
        found = later, f"{fund.name} opens at {moment(fund.opens_at)}."
    elif fund.status != "closing":
        raise ValueError(f"fund status {fund.status!r}")
    elif not accepted:
        found = Outcome.FAIL, f"{fund.name} is closing and takes no new transfers."
    else:
        found = Outcome.PASS, "The fund is closing; what it had accepted goes on."
    return found


@rule(
    id="currency",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Do transfer, investor account and fund share one currency? There is no conversion.",
    overridable=Outcome.PASS,
)
def currency(facts: Facts, values: Values) -> Finding:
    asked, fund, account = facts.request.currency, facts.fund.currency, facts.account.currency
    inputs = {"currency": asked, "fund": fund, "account": account}
    if asked == fund == account:
        return Outcome.PASS, "One currency throughout.", inputs
    other = f"the fund takes {fund}" if asked != fund else f"the account holds {account}"
    return Outcome.FAIL, f"The transfer is in {asked}, but {other}; there is no conversion.", inputs
