"""Do we know who the investor is, and may we deal with them at all?

Sources: customer identification, 31 CFR § 1020.220 and the firm's own programme; blocked property must be held, not
sent back, 31 CFR § 501.603.
"""

from __future__ import annotations

from datetime import timedelta

from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule

FREEZE = {"freeze": True}
MUST_FREEZE = "The investor is on a sanctions list; the money must be frozen."


@rule(
    id="kyc",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Is the investor's identity verified, and recently enough?",
    parameters={"max_age_days": Parameter(730, int, "Days for which a verification counts.")},
    needs=("kyc",),
    source="31 CFR § 1020.220",
)
def kyc(facts: Facts, values: Values) -> Finding:
    """Refused fails while the money is with the investor; once we have it, a person decides what becomes of it."""
    known = facts.kyc
    assert known is not None
    inputs = {"status": known.status, "verified_at": known.verified_at}
    if known.status == "refused":
        outcome = Outcome.HOLD if facts.request.stage == DEPOSIT else Outcome.FAIL
        return outcome, "The investor's identity could not be verified.", inputs
    if known.status == "pending":
        return Outcome.HOLD, "The investor's identity is being verified.", inputs
    if known.status == "" or known.verified_at is None:
        return Outcome.HOLD, "The investor's identity has not been verified.", inputs
    if known.status != "verified":
        raise ValueError(f"KYC status {known.status!r}")
    if facts.request.now - known.verified_at > timedelta(days=values["max_age_days"]):
        return (
            Outcome.HOLD,
            f"The investor's identity was verified more than {values['max_age_days']} days ago.",
            inputs,
        )
    return Outcome.PASS, "The investor's identity is verified.", inputs


@rule(
    id="sanctions",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Is the investor clear of sanctions lists, by a screening that is fresh enough?",
    parameters={"max_age_hours": Parameter(24, int, "Hours for which a screening counts.")},
    needs=("sanctions",),
    source="31 CFR § 501.603, § 501.604",
    overridable=Outcome.PASS,
)
def sanctions(facts: Facts, values: Values) -> Finding:
    """A true hit ends what has not begun. Once the money is with us it must be frozen: never *fail*, which would send
    it back; `Verdict.must_freeze` says so and goes before every other outcome."""
    known, deposit = facts.sanctions, facts.request.stage == DEPOSIT
    assert known is not None
    inputs = {"status": known.status, "screened_at": known.screened_at}
    if known.status == "true_hit":
        if deposit:
            return Outcome.HOLD, MUST_FREEZE, inputs | FREEZE
        return Outcome.FAIL, "The investor is on a sanctions list.", inputs
    if known.status == "possible_hit":
        return Outcome.HOLD, "The investor may be on a sanctions list; compliance must look.", inputs
    if known.status == "" or known.screened_at is None:
        return Outcome.HOLD, "The investor has not been screened against sanctions lists.", inputs
    if known.status != "clear":
        raise ValueError(f"sanctions status {known.status!r}")
    if facts.request.now - known.screened_at > timedelta(hours=values["max_age_hours"]):
        return Outcome.HOLD, f"The sanctions screening is older than {values['max_age_hours']} hours.", inputs
    return Outcome.PASS, "Clear of sanctions lists.", inputs
