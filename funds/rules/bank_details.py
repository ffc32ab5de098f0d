"""Are the bank details proven, at rest, and free of slips of the pen?

Changed bank details are the commonest way to steal a payment: they wait before money follows them.
"""

from __future__ import annotations

from datetime import timedelta

from bridge.kernel.checksums import routing_number_is_valid
from funds.rules.facts import CREATE, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule
from funds.rules.wording import moment


@rule(
    id="bank_account",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Is the bank account verified, and unchanged for some days?",
    parameters={"quiet_days": Parameter(10, int, "Days that must pass after a change of bank details.")},
    needs=("bank_details",),
)
def bank_account(facts: Facts, values: Values) -> Finding:
    known = facts.bank_details
    assert known is not None
    verified_at, changed_at = known.verified_at, known.changed_at
    inputs = {"verified_at": verified_at, "changed_at": changed_at}
    if verified_at is None:
        return Outcome.HOLD, "The bank account has not been verified.", inputs
    if changed_at is not None:
        if changed_at > verified_at:
            return Outcome.HOLD, f"The bank details changed at {moment(changed_at)}, after they were verified.", inputs
        if facts.request.now - changed_at < timedelta(days=values["quiet_days"]):
            reason = f"The bank details changed at {moment(changed_at)}, less than {values['quiet_days']} days ago."
            return Outcome.HOLD, reason, inputs
    return Outcome.PASS, "The bank account is verified and unchanged.", inputs


@rule(
    id="bank_number",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Do the check digits of the routing number or IBAN agree?",
    needs=("bank_details",),
    source="ABA routing number policy; ISO 13616",
    overridable=Outcome.PASS,
)
def bank_number(facts: Facts, values: Values) -> Finding:
    known = facts.bank_details
    assert known is not None
    inputs = {"routing_number": known.routing_number, "iban_valid": known.iban_valid}
    if known.routing_number and not routing_number_is_valid(known.routing_number):
        return Outcome.FAIL, f"The routing number {known.routing_number} is not valid.", inputs
    if known.iban_valid is False:
        return Outcome.FAIL, "The IBAN is not valid.", inputs
    if not known.routing_number and known.iban_valid is None:
        return Outcome.HOLD, "The bank account has neither a routing number nor an IBAN.", inputs
    return Outcome.PASS, "The check digits agree.", inputs
