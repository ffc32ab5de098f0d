"""How many owners may a fund have that is not registered as an investment company?

Sources: Investment Company Act of 1940, § 3(c)(1) (15 U.S.C. § 80a-3(c)(1)): 100 beneficial owners, or 250 for a
qualifying venture capital fund below a dollar threshold that is indexed (17 CFR § 270.3c-7: USD 10,000,000,
and 12,000,000 since 2024-09-30, 89 FR 70479); look-through of a fund
that holds 10 % or more (§ 3(c)(1)(A)); § 3(c)(7): no number of its own, but 2,000 holders of record make the fund
register its securities (Securities Exchange Act of 1934, § 12(g)(1)(A)).
"""

from __future__ import annotations

from bridge.kernel.money import display
from funds.rules.facts import CREATE, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule

WORDS = {
    "3c1": "section 3(c)(1)",
    "3c1_venture": "section 3(c)(1) for qualifying venture capital funds",
    "3c7": "section 3(c)(7)",
}


@rule(
    id="legal_regime",
    version=2,
    stages=(CREATE, WITHDRAWAL),
    asks="Would the fund still have few enough owners for its exemption?",
    parameters={
        "limit_3c1": Parameter(100, int, "Owners that a 3(c)(1) fund may have."),
        "limit_venture": Parameter(250, int, "Owners that a qualifying venture capital fund may have."),
        "limit_3c7": Parameter(1999, int, "Holders that a 3(c)(7) fund may have before it must register."),
        "venture_threshold": Parameter(
            12_000_000_00,
            int,
            "Contributions and commitments up to which it qualifies, in the currency that the next value names.",
            "venture_threshold_currency",
        ),
        "venture_threshold_currency": Parameter("USD", str, "Currency of that threshold."),
        "look_through_percent": Parameter(10, int, "Share from which the owners of a fund that invests count."),
        "headroom": Parameter(0, int, "Owners below the limit from where on a person must look."),
    },
    needs=("regime",),
    source="15 U.S.C. § 80a-3(c)(1), (7); 17 CFR § 270.3c-7; 15 U.S.C. § 78l(g)",
)
def legal_regime(facts: Facts, values: Values) -> Finding:
    """Counts owners by weight. What adds no owner passes, unless it takes a venture fund over its threshold.

    A venture fund above the threshold has the limit of any 3(c)(1) fund; with more owners than that, the amount would
    cost the fund its exemption: *fail*. A limit that is reached means the waitlist, since owners can leave. Version 2:
    a fund behind which nobody was found is one owner, not none.
    """
    regime = facts.regime
    assert regime is not None
    if regime.regime == "none":
        return Outcome.PASS, "No limit on owners applies.", {"regime": regime.regime}
    if regime.regime not in WORDS:
        raise ValueError(f"regime {regime.regime!r}")
    weight = weight_of(
        counsel=regime.counsel_weight,
        is_fund=regime.investor_is_fund,
        behind=regime.look_through_owners,
        share=facts.place.already + facts.request.amount,
        contributed=_contributed(facts),
        percent=values["look_through_percent"],
    )
    inputs = {"regime": regime.regime, "owners": regime.owners, "weight": weight, "counted": regime.counted_weight}
    if weight is None:
        return Outcome.HOLD, "The investor is a fund with a large share; who stands behind it is not known.", inputs
    adding = max(weight - regime.counted_weight, 0)
    limit = values["limit_3c7" if regime.regime == "3c7" else "limit_3c1"]
    if regime.regime == "3c1_venture":
        currency, threshold = facts.fund.currency, values["venture_threshold"]
        if currency != values["venture_threshold_currency"]:
            return Outcome.HOLD, f"The venture fund's threshold is not given in {currency}.", inputs
        contributed = _contributed(facts) + regime.contributed_elsewhere
        inputs |= {"contributed": contributed, "threshold": threshold}
        if contributed <= threshold:
            limit = values["limit_venture"]
        elif regime.owners + adding > limit:
            reason = _over_threshold(contributed, threshold, currency, regime.owners + adding)
            return Outcome.FAIL, reason, inputs
    return *_count(facts, adding, limit, values["headroom"]), inputs | {"limit": limit}


def _count(facts: Facts, adding: int, limit: int, headroom: int) -> tuple[Outcome, str]:
    regime = facts.regime
    assert regime is not None
    owners, words = regime.owners + adding, WORDS[regime.regime]
    if not adding:
        return Outcome.PASS, "No owner is added."
    if owners > limit:
        outcome = Outcome.WAITLIST if facts.request.stage == CREATE else Outcome.HOLD
        return outcome, f"The fund would have {owners:,} owners; {words} allows {limit:,}."
    if owners > limit - headroom:
        return Outcome.HOLD, f"The fund would have {owners:,} owners, close to the {limit:,} of {words}."
    return Outcome.PASS, "Few enough owners."


def weight_of(
    *, counsel: int | None, is_fund: bool, behind: int | None, share: int, contributed: int, percent: int
) -> int | None:
    """As how many owners an investor counts; None when that is not known. Counsel's word goes first.

    `behind`: owners of an investor that is itself a fund; they count from `percent` of what is `contributed` on, and as
    one owner at least. Also for the register of those who have a place: `funds.criteria`.
    """
    if counsel is not None:
        return counsel
    if not is_fund or share * 100 < contributed * percent:
        return 1
    return None if behind is None else max(behind, 1)


def _contributed(facts: Facts) -> int:
    fund = facts.fund
    return fund.reserved + fund.confirmed - facts.place.own_reserved + facts.request.amount


def _over_threshold(contributed: int, threshold: int, currency: str, owners: int) -> str:
    return (
        f"{display(contributed, currency)} would be above the venture fund's threshold of "
        f"{display(threshold, currency)}, and with {owners:,} owners it would lose its exemption."
    )
