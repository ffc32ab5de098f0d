"""What compliance has on file about funds and investors, read once per batch, as the rules want to see it.

A fact that this firm does not keep about somebody is left out, and its rules do not run, unless compliance has made
the rule `required` (see `funds.rules.registry`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import ComplianceProfile, InvestorAccount
from bridge.kernel import bulk, compiled
from bridge.kernel.transactions import Reading
from funds.models import Allocation, Fund, RuleOverride, RuleParameters, Subscription
from funds.rules import compliance
from funds.rules.engine import Override
from funds.rules.outcomes import Outcome
from funds.rules.parameters import ParameterRow, in_force
from funds.rules.regime import weight_of
from funds.rules.registry import REGISTRY, Values

_REGIME, _PERCENT = "legal_regime", "look_through_percent"
Pair = tuple[uuid.UUID, uuid.UUID]  # fund, investor


@dataclass(frozen=True, slots=True)
class Owners:
    """Owners of a fund by weight: the weight of each investor who is counted, and all that they have contributed or
    promised here, in minor units."""

    total: int = 0
    weights: Mapping[uuid.UUID, int] = field(default_factory=dict)
    contributed: int = 0


@dataclass
class Criteria:
    """The files of one batch. Make it with `load`."""

    at: datetime
    rows: list[ParameterRow]
    profiles: dict[uuid.UUID, ComplianceProfile]
    subscriptions: dict[Pair, Subscription]
    owners: dict[uuid.UUID, Owners]
    overrides: dict[uuid.UUID, dict[str, Override]]
    _parameters: dict[uuid.UUID, dict[str, Values]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        *,
        funds: Iterable[Fund],
        investor_ids: Iterable[uuid.UUID],
        at: datetime,
        transfer_ids: Iterable[uuid.UUID] = (),
        profiles: dict[uuid.UUID, ComplianceProfile] | None = None,
    ) -> Criteria:
        """At most five queries, whatever the size of the batch; fewer where funds ask for little. `profiles` where they
        have been read already, of all investors."""
        every = list(funds)
        investors = set(investor_ids)
        asking = [fund.id for fund in every if fund.required_documents or fund.regime != Fund.Regime.NONE]
        papers: Iterable[Subscription] = Subscription.objects.filter(fund_id__in=asking) if asking else ()
        criteria = cls(
            at=at,
            rows=RULES.at(at),
            profiles=_profiles(investors) if profiles is None else profiles,
            subscriptions={(row.fund_id, row.investor_id): row for row in papers},
            owners={},
            overrides=_overrides(list(transfer_ids), at),
        )
        limited = {fund.id for fund in every if fund.regime != Fund.Regime.NONE}
        criteria.owners = _owners({fund_id: criteria.look_through_percent(fund_id) for fund_id in limited})
        return criteria

    def parameters(self, fund_id: uuid.UUID) -> dict[str, Values]:
        """Rule → values in force for this fund."""
        if not self.rows:
            return {}
        if fund_id not in self._parameters:
            self._parameters[fund_id] = in_force(rows=self.rows, fund=str(fund_id), at=self.at)
        return self._parameters[fund_id]

    def wants(self, fund_id: uuid.UUID, rule: str) -> bool:
        """Whether compliance has set values for a rule whose facts cost a query."""
        return rule in self.parameters(fund_id)

    def look_through_percent(self, fund_id: uuid.UUID) -> int:
        """The share from which the owners behind an investor count in this fund."""
        given = self.parameters(fund_id).get(_REGIME, {})
        percent: int = given.get(_PERCENT, REGISTRY[_REGIME].defaults[_PERCENT])
        return percent

    def count_in(self, fund: Fund, investor_id: uuid.UUID, *, share: int, amount: int) -> None:
        """This batch has given the investor a place for `amount` more, which makes `share` of it all: an owner for the
        transfers behind it, though nothing is saved."""
        if fund.regime == Fund.Regime.NONE:
            return
        owners = self.owners.get(fund.id, Owners())
        profile, paper = self.profiles.get(investor_id), self.subscriptions.get((fund.id, investor_id))
        contributed = owners.contributed + amount
        weight = _weight(
            counsel=paper.counsel_weight if paper else None,
            is_fund=bool(profile and profile.is_fund),
            behind=profile.look_through_owners if profile else None,
            share=share,
            contributed=contributed,
            percent=self.look_through_percent(fund.id),
        )
        total = owners.total - owners.weights.get(investor_id, 0) + weight
        self.owners[fund.id] = Owners(total, {**owners.weights, investor_id: weight}, contributed)

    def facts(self, fund: Fund, account: InvestorAccount) -> dict[str, Any]:
        """The optional parts of `funds.rules.facts.Facts` that are on file for this investor and fund."""
        found: dict[str, Any] = {}
        investor = account.investor
        profile = self.profiles.get(investor.id)
        paper = self.subscriptions.get((fund.id, investor.id))
        if fund.regime != Fund.Regime.NONE:
            owners = self.owners.get(fund.id, Owners())
            found["regime"] = compliance.RegimeFacts(
                regime=fund.regime,
                owners=owners.total,
                counted_weight=owners.weights.get(investor.id, 0),
                investor_is_fund=bool(profile and profile.is_fund),
                look_through_owners=profile.look_through_owners if profile else None,
                counsel_weight=paper.counsel_weight if paper else None,
                contributed_elsewhere=fund.contributed_elsewhere,
            )
        if fund.eligibility != Fund.Eligibility.NONE:
            found["eligibility"] = _eligibility(fund, profile)
        if profile is not None:
            found["kyc"] = compliance.KycFacts(status=profile.kyc, verified_at=profile.kyc_verified_at)
            found["sanctions"] = compliance.SanctionsFacts(
                status=profile.sanctions, screened_at=profile.sanctions_screened_at
            )
        if fund.required_documents:
            found["documents"] = compliance.DocumentFacts(
                required=tuple(fund.required_documents), signed=tuple(paper.signed) if paper else ()
            )
        if account.owner_name or account.owner_confirmed:
            found["owner"] = compliance.OwnerFacts(
                investor=investor.legal_name, account_owner=account.owner_name, confirmed=account.owner_confirmed
            )
        if account.details_verified_at or account.details_changed_at:
            found["bank_details"] = compliance.BankDetailFacts(
                verified_at=account.details_verified_at,
                changed_at=account.details_changed_at,
                routing_number=account.routing_number,
                iban_valid=account.number_valid if account.iban else None,
            )
        if fund.rail:
            found["rail"] = compliance.RailFacts(rail=fund.rail)
        return found


def _eligibility(fund: Fund, profile: ComplianceProfile | None) -> compliance.EligibilityFacts:
    if profile is None:
        return compliance.EligibilityFacts(required=fund.eligibility)
    return compliance.EligibilityFacts(
        required=fund.eligibility,
        accredited=profile.accredited,
        accredited_until=profile.accredited_until,
        qualified_purchaser=profile.qualified_purchaser,
        qualified_purchaser_until=profile.qualified_purchaser_until,
    )


def _profiles(investors: Iterable[uuid.UUID]) -> dict[uuid.UUID, ComplianceProfile]:
    return {profile.pk: profile for profile in compiled.by_key(ComplianceProfile, investors)}


def _read(text: str | None) -> list[ParameterRow]:
    return [
        ParameterRow(
            rule=rule,
            version=number,
            values=values,
            effective_from=datetime.fromisoformat(begin),
            effective_until=datetime.fromisoformat(end) if end else None,
            fund=fund,
        )
        for rule, number, values, begin, end, fund in json.loads(text or "[]")
    ]


# The rows that are in force.
RULES: Reading[list[ParameterRow]] = Reading(
    "(SELECT jsonb_agg(jsonb_build_array(rule, number, values, effective_from, effective_to, fund_id)"
    " ORDER BY rule, number DESC) FROM funds_ruleparameters"
    " WHERE state = 'active' AND effective_from <= (SELECT at FROM clock)"
    " AND (effective_to IS NULL OR effective_to > (SELECT at FROM clock)))::text",
    _read,
)


def as_row(row: RuleParameters) -> ParameterRow:
    return ParameterRow(
        rule=row.rule,
        version=row.number,
        values=row.values,
        effective_from=row.effective_from,
        effective_until=row.effective_to,
        fund=str(row.fund_id) if row.fund_id else None,
    )


def _owners(percents: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, Owners]:
    """Weights of those who have something in each fund, by its share from which the owners behind an investor count."""
    if not percents:
        return {}
    ids = list(percents)
    papers = {
        (row.fund_id, row.investor_id): row.counsel_weight
        for row in Subscription.objects.filter(fund_id__in=ids, counsel_weight__isnull=False)
    }
    taken: dict[uuid.UUID, list[tuple[uuid.UUID, int, bool, int | None]]] = {fund_id: [] for fund_id in ids}
    placed = Allocation.objects.filter(fund_id__in=ids).filter(Q(reserved__gt=0) | Q(confirmed__gt=0))
    for fund_id, investor_id, reserved, confirmed, is_fund, behind in placed.values_list(
        "fund_id",
        "investor_id",
        "reserved",
        "confirmed",
        "investor__compliance__is_fund",
        "investor__compliance__look_through_owners",
    ):
        taken[fund_id].append((investor_id, reserved + confirmed, bool(is_fund), behind))
    found = {}
    for fund_id, rows in taken.items():
        contributed = sum(share for _, share, _, _ in rows)
        weights = {
            investor_id: _weight(
                counsel=papers.get((fund_id, investor_id)),
                is_fund=is_fund,
                behind=behind,
                share=share,
                contributed=contributed,
                percent=percents[fund_id],
            )
            for investor_id, share, is_fund, behind in rows
        }
        found[fund_id] = Owners(sum(weights.values()), weights, contributed)
    return found


def _weight(**given: Any) -> int:
    """As how many owners one investor counts who has a place: where the rule does not know, a person has let it in."""
    known = weight_of(**given)
    return 1 if known is None else known


def _overrides(transfer_ids: list[uuid.UUID], at: datetime) -> dict[uuid.UUID, dict[str, Override]]:
    found: dict[uuid.UUID, dict[str, Override]] = {}
    if transfer_ids:
        for row in RuleOverride.objects.filter(bulk.Among("transfer_id", transfer_ids), until__gt=at).order_by("id"):
            found.setdefault(row.transfer_id, {})[row.rule] = Override(str(row.id), Outcome(row.lifts))
    return found
