"""From locked rows to the facts that the rules see, and from their decisions to what is kept."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from accounts.models import BalanceObservation, ComplianceProfile, Investor, InvestorAccount
from accounts.queries import available
from bridge.kernel import columns, compiled, rows
from funds.criteria import Criteria
from funds.models import Fund
from funds.places import Capacity
from funds.rules import facts as rule_facts
from funds.rules.compliance import EscrowFacts, VelocityFacts
from funds.rules.engine import Decision, Verdict, verify
from funds.rules.facts import CREATE, DEPOSIT, Stage
from funds.rules.outcomes import Outcome
from funds.services import Verified
from transfers.policy import policy
from transfers.services import history


@dataclass(frozen=True, slots=True)
class Subject:
    """What one run of the rules is about. `own` is what this transfer has reserved and held already."""

    account: InvestorAccount
    fund: Fund
    capacity: Capacity
    already: int
    amount: int
    currency: str
    own_reserved: int = 0
    own_held: int = 0
    cut_from: int = 0
    short: int = 0
    duplicates: tuple[int, str] = (0, "")
    transfer_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Who is asking and for what: read in one statement, since a request asks for little else."""

    funds: dict[uuid.UUID, Fund]
    profiles: dict[uuid.UUID, ComplianceProfile]

    @classmethod
    def read(cls, *, accounts: Collection[InvestorAccount], fund_ids: Iterable[uuid.UUID]) -> Files:
        """These funds, and what compliance has on file about the owners of these accounts, who are given them."""
        owners = {account.investor_id for account in accounts}
        found = compiled.several({Investor: owners, ComplianceProfile: owners, Fund: fund_ids})
        rows.relate(accounts, "investor", {owner.id: owner for owner in found[Investor]})
        return cls(
            funds={fund.id: fund for fund in found[Fund]},
            profiles={profile.pk: profile for profile in found[ComplianceProfile]},
        )


@dataclass(frozen=True, slots=True)
class Judge:
    """What is on file for one batch: judges each of its transfers by the same time and the same parameters."""

    at: datetime
    stage: Stage
    criteria: Criteria
    velocity: dict[tuple[uuid.UUID, str], VelocityFacts]
    raised: dict[uuid.UUID, int]
    arrived: dict[tuple[uuid.UUID, uuid.UUID], int]

    @classmethod
    def of(
        cls,
        *,
        stage: str,
        at: datetime,
        funds: Iterable[Fund],
        accounts: Iterable[InvestorAccount],
        transfer_ids: Iterable[uuid.UUID] = (),
        profiles: dict[uuid.UUID, ComplianceProfile] | None = None,
    ) -> Judge:
        """`profiles` where they have been read already, of all owners."""
        every, owners = list(funds), {account.investor_id for account in accounts}
        criteria = Criteria.load(funds=every, investor_ids=owners, at=at, transfer_ids=transfer_ids, profiles=profiles)
        limited = stage == CREATE and any(criteria.wants(fund.id, "velocity") for fund in every)
        escrowed = [fund.id for fund in every if fund.escrow_minimum is not None] if stage == DEPOSIT else []
        return cls(
            at,
            cast("Stage", str(stage)),
            criteria,
            history.velocities(owners, at=at, besides=transfer_ids) if limited else {},
            history.raised(escrowed) if escrowed else {},
            history.arrived(transfer_ids) if stage == DEPOSIT else {},
        )

    def __call__(self, subject: Subject, *, observation: BalanceObservation | None) -> tuple[Verdict, rule_facts.Facts]:
        return _judge(subject, self, observation)

    def decided(self, subject: Subject, *, placed: bool) -> None:
        """This batch lets the subject stand, with a place in the fund or without: so it counts for those behind it."""
        if placed:
            share, amount = subject.already + subject.amount, subject.amount - subject.own_reserved
            self.criteria.count_in(subject.fund, subject.account.investor_id, share=share, amount=amount)
        key = (subject.account.investor_id, subject.currency)
        seen = self.velocity.get(key, VelocityFacts())
        self.velocity[key] = VelocityFacts(
            count_day=seen.count_day + 1,
            sum_day=seen.sum_day + subject.amount,
            count_week=seen.count_week + 1,
            sum_week=seen.sum_week + subject.amount,
            count_month=seen.count_month + 1,
            sum_month=seen.sum_month + subject.amount,
        )

    def arrived_before(self, subject: Subject) -> int:
        """What of this investor has left for this fund beside this transfer, which is itself among it by now."""
        total = self.arrived.get((subject.fund.id, subject.account.investor_id), 0)
        return max(total - subject.amount, 0)

    def facts(self, subject: Subject) -> dict[str, Any]:
        fund, account = subject.fund, subject.account
        found = self.criteria.facts(fund, account)
        if self.stage == CREATE and self.criteria.wants(fund.id, "velocity"):
            found["velocity"] = self.velocity.get((account.investor_id, subject.currency), VelocityFacts())
        if fund.escrow_minimum is not None and self.stage == DEPOSIT:
            found["escrow"] = EscrowFacts(minimum=fund.escrow_minimum, raised=self.raised.get(fund.id, 0))
        return found


def _judge(subject: Subject, judge: Judge, observation: BalanceObservation | None) -> tuple[Verdict, rule_facts.Facts]:
    """Run every rule of the stage over one subject."""
    at, stage = judge.at, judge.stage
    seen = rule_facts.Facts(
        request=rule_facts.RequestFacts(
            amount=subject.amount,
            currency=subject.currency,
            now=at,
            stage=stage,
            cut_from=subject.cut_from,
            short=subject.short,
        ),
        fund=_fund(subject.fund, subject.capacity),
        place=rule_facts.PlaceFacts(
            has_seat=subject.already + subject.own_reserved > 0,
            already=subject.already,
            own_reserved=subject.own_reserved,
            arrived=judge.arrived_before(subject),
        ),
        account=rule_facts.AccountFacts(
            status=subject.account.status,
            currency=subject.account.currency,
            investor_status=subject.account.investor.status,
        ),
        balance=_balance(subject, observation),
        duplicate=rule_facts.DuplicateFacts(count=subject.duplicates[0], latest=subject.duplicates[1]),
        **judge.facts(subject),
    )
    overrides = judge.criteria.overrides.get(subject.transfer_id) if subject.transfer_id else None
    return verify(facts=seen, parameters=judge.criteria.parameters(subject.fund.id), overrides=overrides), seen


def kept(transfer_id: uuid.UUID, fund_id: uuid.UUID, stage: str, verdict: Verdict, seen: rule_facts.Facts) -> Verified:
    """The row that keeps a run."""
    return Verified(
        transfer_id=transfer_id,
        fund_id=fund_id,
        stage=stage,
        outcome=verdict.outcome.value,
        facts=columns.Rendered(seen.rendered()),
        decisions=columns.Rendered(verdict.rendered()),
    )


def reasons(verdict: Verdict, *, at_least: Outcome) -> list[dict[str, str]]:
    """Why, in plain words: the decisions that are that bad or worse."""
    return [
        {"rule": decision.rule, "reason": decision.reason}
        for decision in verdict.decisions
        if decision.outcome >= at_least and not decision.override
    ]


def sentence(verdict: Verdict, *, at_least: Outcome) -> str:
    return " ".join(item["reason"] for item in reasons(verdict, at_least=at_least))[:400]


def _fund(fund: Fund, capacity: Capacity) -> rule_facts.FundFacts:
    return rule_facts.FundFacts(
        id=str(fund.id),
        name=fund.name,
        status=fund.status,
        currency=fund.currency,
        minimum=fund.minimum,
        maximum=fund.maximum,
        opens_at=fund.opens_at,
        closes_at=fund.closes_at,
        seat_limit=capacity.seat_limit,
        seats_taken=capacity.seats_taken,
        hard_cap=capacity.hard_cap,
        reserved=capacity.reserved,
        confirmed=capacity.confirmed,
        second_person_above=_second_person(fund),
    )


def _second_person(fund: Fund) -> int | None:
    """The fund's own amount, else what its parameters say: a rule of "above", a parameter of "from"."""
    if fund.second_person_above is not None:
        return fund.second_person_above
    amount = policy(fund_id=fund.id).second_person_from.get(fund.currency)
    return None if amount is None else amount - 1


def _balance(subject: Subject, observation: BalanceObservation | None) -> rule_facts.BalanceFacts:
    if observation is None:
        return rule_facts.BalanceFacts()
    return rule_facts.BalanceFacts(
        available=available(subject.account, observation) + subject.own_held, observed_at=observation.fetched_at
    )


def decisions_as_json(decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    return [decision.brief() for decision in decisions]
