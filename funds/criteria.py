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
from funds.rules.registry import Values

Pair = tuple[uuid.UUID, uuid.UUID]  # fund, investor


@dataclass(frozen=True, slots=True)
class Owners:
    """Owners of a fund by weight, and the weight of each investor who is counted."""

    total: int = 0
    weights: Mapping[uuid.UUID, int] = field(default_factory=dict)


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
        return cls(
            at=at,
            rows=RULES.at(at),
            profiles=_profiles(investors) if profiles is None else profiles,
            subscriptions={(row.fund_id, row.investor_id): row for row in papers},
            owners=_owners([fund for fund in every if fund.regime != Fund.Regime.NONE]),
            overrides=_overrides(list(transfer_ids), at),
        )

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

    def count_in(self, fund: Fund, investor_id: uuid.UUID) -> None:
        """This batch has given the investor a place: an owner for the transfers behind it, though nothing is saved."""
        owners = self.owners.get(fund.id, Owners())
        if fund.regime == Fund.Regime.NONE or investor_id in owners.weights:
            return
        profile, paper = self.profiles.get(investor_id), self.subscriptions.get((fund.id, investor_id))
        weight = _weight(
            paper.counsel_weight if paper else None,
            bool(profile and profile.is_fund),
            profile.look_through_owners if profile else None,
        )
        self.owners[fund.id] = Owners(owners.total + weight, {**owners.weights, investor_id: weight})

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


def _owners(funds: list[Fund]) -> dict[uuid.UUID, Owners]:
    """Weights of those who have something in each fund: counsel's word, else the owners behind a fund, else one."""
    if not funds:
        return {}
    ids = [fund.id for fund in funds]
    taken = Allocation.objects.filter(fund_id__in=ids).filter(Q(reserved__gt=0) | Q(confirmed__gt=0))
    weights: dict[uuid.UUID, dict[uuid.UUID, int]] = {fund_id: {} for fund_id in ids}
    papers = {
        (row.fund_id, row.investor_id): row.counsel_weight
        for row in Subscription.objects.filter(fund_id__in=ids, counsel_weight__isnull=False)
    }
    for row in taken.values_list(
        "fund_id", "investor_id", "investor__compliance__is_fund", "investor__compliance__look_through_owners"
    ):
        fund_id, investor_id, is_fund, behind = row
        weights[fund_id][investor_id] = _weight(papers.get((fund_id, investor_id)), is_fund, behind)
    return {fund_id: Owners(sum(found.values()), found) for fund_id, found in weights.items()}


def _weight(counsel: int | None, is_fund: bool | None, behind: int | None) -> int:
    """As how many owners one investor counts."""
    if counsel is not None:
        return counsel
    return behind if is_fund and behind else 1


def _overrides(transfer_ids: list[uuid.UUID], at: datetime) -> dict[uuid.UUID, dict[str, Override]]:
    found: dict[uuid.UUID, dict[str, Override]] = {}
    if transfer_ids:
        for row in RuleOverride.objects.filter(bulk.Among("transfer_id", transfer_ids), until__gt=at).order_by("id"):
            found.setdefault(row.transfer_id, {})[row.rule] = Override(str(row.id), Outcome(row.lifts))
    return found
