"""The rules over facts that a firm may or may not track, at and around each of their boundaries."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from funds.rules import Facts, Outcome, Override, verify
from funds.rules.compliance import (
    BankDetailFacts,
    DocumentFacts,
    EligibilityFacts,
    EscrowFacts,
    KycFacts,
    OwnerFacts,
    RailFacts,
    RegimeFacts,
    SanctionsFacts,
    VelocityFacts,
)
from tests.unit.rules.worlds import DAY, NOW, SECOND, decide, ran, world

HOUR = timedelta(hours=1)
TRACKED: dict[str, Any] = {
    "regime": RegimeFacts(regime="3c1", owners=10),
    "eligibility": EligibilityFacts(required="accredited", accredited=True, accredited_until=NOW + DAY),
    "kyc": KycFacts(status="verified", verified_at=NOW - DAY),
    "sanctions": SanctionsFacts(status="clear", screened_at=NOW - HOUR),
    "documents": DocumentFacts(required=("subscription agreement",), signed=("subscription agreement",)),
    "owner": OwnerFacts(investor="Ada Lovelace", account_owner="LOVELACE, ADA"),
    "bank_details": BankDetailFacts(verified_at=NOW - 90 * DAY, routing_number="021000021"),
    "velocity": VelocityFacts(),
    "rail": RailFacts(rail="fedwire"),
    "escrow": EscrowFacts(minimum=1, raised=1),
}


def regime(kind: str, owners: int, **fields: Any) -> RegimeFacts:
    return RegimeFacts(regime=kind, owners=owners, **fields)


class TestWhatIsNotTracked:
    @pytest.mark.parametrize("stage", ["create", "withdrawal", "deposit"])
    def test_a_firm_that_tracks_everything_runs_every_rule(self, stage: str) -> None:
        verdict = verify(facts=world(request__stage=stage, **TRACKED))
        assert (verdict.outcome, verdict.not_run) == (Outcome.PASS, ())

    @pytest.mark.parametrize("part", TRACKED)
    def test_a_part_that_is_none_does_not_run_and_is_named(self, part: str) -> None:
        for stage in ("create", "withdrawal", "deposit"):
            facts = world(request__stage=stage, **{**TRACKED, part: None})
            ids = {decision.rule for decision in verify(facts=facts).decisions}
            everything = {decision.rule for decision in verify(facts=world(request__stage=stage, **TRACKED)).decisions}
            assert everything - ids == set(verify(facts=facts).not_run)

    @pytest.mark.parametrize("rule", ["kyc", "sanctions", "eligibility", "legal_regime", "documents"])
    def test_what_a_firm_requires_holds_when_it_is_missing(self, rule: str) -> None:
        verdict = verify(facts=world(), parameters={rule: {"version": 3, "required": True}})
        assert verdict.outcome is Outcome.HOLD
        assert [decision.as_json()["parameters"] for decision in verdict.against] == [3]
        assert verify(facts=world(), parameters={rule: {"required": False}}).outcome is Outcome.PASS

    def test_tracked_facts_survive_being_kept(self) -> None:
        facts = world(**TRACKED)
        assert Facts.from_json(json.loads(json.dumps(facts.as_json()))) == facts
        json.dumps(verify(facts=facts).as_json())


class TestLegalRegime:
    @pytest.mark.parametrize(
        ("kind", "limit"), [("3c1", 100), ("3c1_venture", 250), ("3c7", 1999)], ids=["3c1", "venture", "3c7"]
    )
    def test_the_last_owner_fits_and_the_next_waits(self, kind: str, limit: int) -> None:
        last = {"regime": regime(kind, limit - 1)}
        full = {"regime": regime(kind, limit)}
        assert decide("legal_regime", world(**last)).outcome == "pass"
        assert decide("legal_regime", world(**full)).outcome == "waitlist"
        assert decide("legal_regime", world(request__stage="withdrawal", **full)).outcome == "hold"

    def test_who_is_counted_already_adds_nobody_even_above_the_limit(self) -> None:
        facts = world(regime=regime("3c1", 120, counted_weight=1))
        assert decide("legal_regime", facts).outcome == "pass"

    @pytest.mark.parametrize(("owners", "outcome"), [(94, "pass"), (95, "hold"), (99, "hold"), (100, "waitlist")])
    def test_the_headroom_calls_a_person(self, owners: int, outcome: str) -> None:
        assert decide("legal_regime", world(regime=regime("3c1", owners)), headroom=5).outcome == outcome

    @pytest.mark.parametrize(
        ("fields", "weight"),
        [
            ({}, 1),
            ({"look_through_owners": 7}, 1),
            ({"investor_is_fund": True, "look_through_owners": 7}, 7),
            ({"investor_is_fund": True, "look_through_owners": 7, "counsel_weight": 2}, 2),
            ({"counsel_weight": 0}, 0),
        ],
    )
    def test_weight(self, fields: dict[str, Any], weight: int) -> None:
        facts = world(fund__reserved=0, fund__confirmed=450_000_00, regime=regime("3c1", 10, **fields))
        assert decide("legal_regime", facts).inputs["weight"] == weight

    @pytest.mark.parametrize(("others", "weight"), [(450_000_00, 7), (450_000_01, 1)])
    def test_looks_through_from_a_tenth_on(self, others: int, weight: int) -> None:
        facts = world(
            request__amount=50_000_00,
            fund__reserved=0,
            fund__confirmed=others,
            regime=regime("3c1", 10, investor_is_fund=True, look_through_owners=7),
        )
        assert decide("legal_regime", facts).inputs["weight"] == weight

    def test_what_the_transfer_has_reserved_itself_does_not_count_twice(self) -> None:
        facts = world(
            request__stage="withdrawal",
            request__amount=50_000_00,
            fund__reserved=50_000_00,
            fund__confirmed=450_000_00,
            place__own_reserved=50_000_00,
            regime=regime("3c1", 10, investor_is_fund=True, look_through_owners=7),
        )
        assert decide("legal_regime", facts).inputs["weight"] == 7

    def test_a_fund_with_a_large_share_and_unknown_owners_waits_for_a_person(self) -> None:
        facts = world(fund__confirmed=0, fund__reserved=0, regime=regime("3c1", 10, investor_is_fund=True))
        assert decide("legal_regime", facts).outcome == "hold"

    @pytest.mark.parametrize(
        ("amount", "owners", "outcome"),
        [
            (2_000_000_00, 249, "pass"),
            (2_000_000_00, 250, "waitlist"),
            (2_000_000_01, 99, "pass"),
            (2_000_000_01, 100, "fail"),
            (2_000_000_01, 249, "fail"),
        ],
    )
    def test_a_venture_fund_above_its_threshold_has_room_for_a_hundred(
        self, amount: int, owners: int, outcome: str
    ) -> None:
        facts = world(
            request__amount=amount,
            fund__reserved=3_000_000_00,
            fund__confirmed=6_000_000_00,
            regime=regime("3c1_venture", owners, contributed_elsewhere=1_000_000_00),
        )
        assert decide("legal_regime", facts).outcome == outcome

    def test_a_top_up_can_cost_a_venture_fund_its_exemption(self) -> None:
        facts = world(
            request__amount=1,
            fund__reserved=0,
            fund__confirmed=12_000_000_00,
            regime=regime("3c1_venture", 200, counted_weight=1),
        )
        decision = decide("legal_regime", facts)
        assert (decision.outcome, decision.reason) == (
            "fail",
            "USD 12,000,000.01 would be above the venture fund's threshold of USD 12,000,000.00, "
            "and with 200 owners it would lose its exemption.",
        )

    def test_the_threshold_is_a_parameter_and_has_a_currency(self) -> None:
        facts = world(fund__confirmed=9_950_000_01, fund__reserved=0, regime=regime("3c1_venture", 100))
        assert decide("legal_regime", facts).outcome == "pass"
        assert decide("legal_regime", facts, venture_threshold=10_000_000_00).outcome == "fail"
        assert decide("legal_regime", world(fund__currency="EUR", regime=regime("3c1_venture", 1))).outcome == "hold"

    def test_no_regime_no_limit_and_an_unknown_one_waits(self) -> None:
        assert decide("legal_regime", world(regime=regime("none", 10_000))).outcome == "pass"
        assert decide("legal_regime", world(regime=regime("3c9", 1))).outcome == "hold"


class TestEligibility:
    @pytest.mark.parametrize("required", ["accredited", "qualified_purchaser"])
    @pytest.mark.parametrize(
        ("holds", "until", "outcome"),
        [
            (True, None, "pass"),
            (True, NOW + SECOND, "pass"),
            (True, NOW, "hold"),
            (True, NOW - DAY, "hold"),
            (False, None, "fail"),
            (None, None, "hold"),
        ],
    )
    def test_standing_and_expiry(self, required: str, holds: bool | None, until: datetime | None, outcome: str) -> None:
        standing: dict[str, Any] = {required: holds, f"{required}_until": until}
        facts = EligibilityFacts(required=required, **standing)
        for stage in ("create", "withdrawal", "deposit"):
            assert decide("eligibility", world(request__stage=stage, eligibility=facts)).outcome == outcome

    def test_a_3c7_fund_wants_qualified_purchasers_whatever_it_asks_for(self) -> None:
        facts = EligibilityFacts(required="accredited", accredited=True, qualified_purchaser=False)
        assert decide("eligibility", world(eligibility=facts)).outcome == "pass"
        assert decide("eligibility", world(eligibility=facts, regime=regime("3c7", 1))).outcome == "fail"

    def test_nothing_required_and_something_unheard_of(self) -> None:
        assert decide("eligibility", world(eligibility=EligibilityFacts(required="none"))).outcome == "pass"
        assert decide("eligibility", world(eligibility=EligibilityFacts(required="rich"))).outcome == "hold"


class TestKyc:
    @pytest.mark.parametrize(
        ("status", "age", "outcome", "at_deposit"),
        [
            ("verified", timedelta(0), "pass", "pass"),
            ("verified", 730 * DAY, "pass", "pass"),
            ("verified", 730 * DAY + SECOND, "hold", "hold"),
            ("verified", None, "hold", "hold"),
            ("pending", None, "hold", "hold"),
            ("", None, "hold", "hold"),
            ("refused", None, "fail", "hold"),
            ("refused", DAY, "fail", "hold"),
            ("odd", DAY, "hold", "hold"),
        ],
    )
    def test_status_and_age(self, status: str, age: timedelta | None, outcome: str, at_deposit: str) -> None:
        kyc = KycFacts(status=status, verified_at=None if age is None else NOW - age)
        for stage in ("create", "withdrawal"):
            assert decide("kyc", world(request__stage=stage, kyc=kyc)).outcome == outcome
        assert decide("kyc", world(request__stage="deposit", kyc=kyc)).outcome == at_deposit

    def test_verified_without_a_time_counts_as_not_verified(self) -> None:
        decision = decide("kyc", world(kyc=KycFacts(status="verified")))
        assert decision.reason == "The investor's identity has not been verified."


class TestSanctions:
    def test_clear_without_a_time_counts_as_not_screened(self) -> None:
        decision = decide("sanctions", world(sanctions=SanctionsFacts(status="clear")))
        assert decision.reason == "The investor has not been screened against sanctions lists."

    @pytest.mark.parametrize(
        ("status", "age", "outcome"),
        [
            ("clear", timedelta(0), "pass"),
            ("clear", 24 * HOUR, "pass"),
            ("clear", 24 * HOUR + SECOND, "hold"),
            ("clear", None, "hold"),
            ("possible_hit", HOUR, "hold"),
            ("true_hit", 900 * DAY, "fail"),
            ("true_hit", None, "fail"),
            ("", None, "hold"),
            ("odd", HOUR, "hold"),
        ],
    )
    def test_status_and_age(self, status: str, age: timedelta | None, outcome: str) -> None:
        screened = SanctionsFacts(status=status, screened_at=None if age is None else NOW - age)
        for stage in ("create", "withdrawal"):
            verdict = verify(facts=world(request__stage=stage, sanctions=screened))
            assert (verdict.outcome, verdict.must_freeze) == (outcome, False)

    def test_a_true_hit_with_the_money_on_the_bridge_must_be_frozen(self) -> None:
        hit = SanctionsFacts(status="true_hit", screened_at=NOW)
        verdict = verify(facts=world(request__stage="deposit", sanctions=hit))
        assert (verdict.outcome, verdict.must_freeze) == (Outcome.HOLD, True)

    def test_freezing_is_said_beside_a_failure_too(self) -> None:
        hit = SanctionsFacts(status="true_hit", screened_at=NOW)
        verdict = verify(facts=world(request__stage="deposit", sanctions=hit, fund__status="closed"))
        assert (verdict.outcome, verdict.must_freeze) == (Outcome.FAIL, True)

    @pytest.mark.parametrize("status", ["true_hit", "possible_hit", ""])
    def test_nobody_overrides_it(self, status: str) -> None:
        facts = world(sanctions=SanctionsFacts(status=status))
        overrides = {"sanctions": Override("ovr_1", Outcome.FAIL)}
        assert verify(facts=facts, overrides=overrides).outcome is not Outcome.PASS


class TestDocuments:
    @pytest.mark.parametrize(
        ("required", "signed", "outcome"),
        [
            ((), (), "pass"),
            (("a", "b"), ("b", "a", "c"), "pass"),
            (("a", "b"), ("a",), "hold"),
            (("a",), (), "hold"),
        ],
    )
    def test_all_must_be_signed(self, required: tuple[str, ...], signed: tuple[str, ...], outcome: str) -> None:
        assert decide("documents", world(documents=DocumentFacts(required, signed))).outcome == outcome

    def test_the_missing_ones_are_named(self) -> None:
        facts = world(documents=DocumentFacts(("W-9", "side letter", "agreement"), ("agreement",)))
        assert decide("documents", facts).reason == "Not signed yet: W-9, side letter."


class TestAccountOwner:
    @pytest.mark.parametrize(
        ("investor", "owner", "confirmed", "outcome"),
        [
            ("Ada Lovelace", "Ada Lovelace", False, "pass"),
            ("Ada Lovelace", "LOVELACE, ADA", False, "pass"),
            ("Zoë O'Brien", "Zoe O\N{RIGHT SINGLE QUOTATION MARK}Brien", False, "pass"),
            ("Analytical Engines, Inc.", "ANALYTICAL ENGINES INC", False, "pass"),
            ("Ada Lovelace", "Ada B Lovelace", False, "hold"),
            ("Ada Lovelace", "Charles Babbage", False, "hold"),
            ("Ada Lovelace", "Charles Babbage", True, "pass"),
            ("Ada Lovelace", "", False, "hold"),
            ("...", "???", False, "hold"),
        ],
    )
    def test_names(self, investor: str, owner: str, confirmed: bool, outcome: str) -> None:
        assert decide("account_owner", world(owner=OwnerFacts(investor, owner, confirmed))).outcome == outcome


class TestBankAccount:
    @pytest.mark.parametrize(
        ("verified", "changed", "outcome"),
        [
            (None, None, "hold"),
            (NOW - DAY, None, "pass"),
            (NOW - DAY, NOW - 10 * DAY, "pass"),
            (NOW - DAY, NOW - 10 * DAY + SECOND, "hold"),
            (NOW - 20 * DAY, NOW - 20 * DAY, "pass"),
            (NOW - 20 * DAY - SECOND, NOW - 20 * DAY, "hold"),
        ],
    )
    def test_verified_after_the_last_change_and_quiet_since(
        self, verified: datetime | None, changed: datetime | None, outcome: str
    ) -> None:
        facts = world(bank_details=BankDetailFacts(verified_at=verified, changed_at=changed))
        assert decide("bank_account", facts).outcome == outcome


class TestBankNumber:
    @pytest.mark.parametrize(
        ("routing", "iban_valid", "outcome"),
        [
            ("021000021", None, "pass"),
            ("021000022", None, "fail"),
            ("", True, "pass"),
            ("", False, "fail"),
            ("021000021", False, "fail"),
            ("", None, "hold"),
        ],
    )
    def test_check_digits(self, routing: str, iban_valid: bool | None, outcome: str) -> None:
        facts = world(bank_details=BankDetailFacts(routing_number=routing, iban_valid=iban_valid))
        assert decide("bank_number", facts).outcome == outcome


class TestVelocity:
    @pytest.mark.parametrize("window", ["day", "week", "month"])
    def test_each_window_has_a_count_and_a_sum(self, window: str) -> None:
        facts = world(request__amount=10_00, velocity=VelocityFacts(**{f"count_{window}": 2, f"sum_{window}": 90_00}))
        assert decide("velocity", facts).outcome == "pass"
        for parameter, edge in ((f"max_count_{window}", 3), (f"max_sum_{window}", 100_00)):
            assert decide("velocity", facts, **{parameter: edge}).outcome == "pass"
            assert decide("velocity", facts, **{parameter: edge - 1}).outcome == "hold"

    def test_zero_is_a_limit(self) -> None:
        assert decide("velocity", world(velocity=VelocityFacts()), max_count_day=0).outcome == "hold"

    def test_is_asked_only_at_the_request(self) -> None:
        assert not ran("velocity", world(request__stage="withdrawal", velocity=VelocityFacts()))


class TestRailLimit:
    @pytest.mark.parametrize(
        ("rail", "limit"),
        [
            ("same_day_ach", 1_000_000_00),
            ("fedwire", 9_999_999_999_99),
            ("fednow", 10_000_000_00),
            ("rtp", 10_000_000_00),
        ],
    )
    def test_at_the_limit_and_one_cent_above(self, rail: str, limit: int) -> None:
        facts = {"rail": RailFacts(rail)}
        assert decide("rail_limit", world(request__amount=limit, **facts)).outcome == "pass"
        for stage, outcome in (("create", "fail"), ("withdrawal", "fail"), ("deposit", "hold")):
            above = world(request__amount=limit + 1, request__stage=stage, **facts)
            assert decide("rail_limit", above).outcome == outcome

    def test_a_rail_without_limit_an_unknown_rail_and_another_currency(self) -> None:
        assert decide("rail_limit", world(request__amount=10**15 - 1, rail=RailFacts("ach"))).outcome == "pass"
        assert decide("rail_limit", world(rail=RailFacts("pigeon"))).outcome == "hold"
        assert decide("rail_limit", world(request__currency="EUR", rail=RailFacts("ach"))).outcome == "hold"


class TestRailCutOff:
    @pytest.mark.parametrize(
        ("rail", "now", "arrives"),
        [
            ("fedwire", datetime(2026, 3, 10, 22, 44, 59, tzinfo=UTC), "2026-03-10"),  # 18:44:59 in New York
            ("fedwire", datetime(2026, 3, 10, 22, 45, tzinfo=UTC), "2026-03-11"),
            ("ach", datetime(2026, 3, 10, 20, 59, 59, tzinfo=UTC), "2026-03-11"),
            ("ach", datetime(2026, 3, 10, 21, 0, tzinfo=UTC), "2026-03-12"),
            ("fednow", datetime(2026, 3, 14, 23, 0, tzinfo=UTC), "2026-03-14"),  # a Saturday
            ("fedwire", datetime(2026, 3, 14, 15, 0, tzinfo=UTC), "2026-03-16"),
        ],
    )
    def test_the_day_of_arrival(self, rail: str, now: datetime, arrives: str) -> None:
        facts = world(request__now=now, fund__closes_at=None, rail=RailFacts(rail))
        assert decide("rail_cut_off", facts).inputs["arrives"] == arrives

    @pytest.mark.parametrize(
        ("closes_at", "outcome"),
        [
            (None, "pass"),
            (datetime(2026, 3, 12, 3, 59, tzinfo=UTC), "pass"),  # still the 11th in New York
            (datetime(2026, 3, 11, 3, 59, tzinfo=UTC), "hold"),  # still the 10th
        ],
    )
    def test_must_not_arrive_after_the_closing_day(self, closes_at: datetime | None, outcome: str) -> None:
        facts = world(fund__closes_at=closes_at, rail=RailFacts("ach"))
        assert decide("rail_cut_off", facts).outcome == outcome

    def test_the_cut_off_is_a_parameter(self) -> None:
        facts = world(fund__closes_at=NOW + SECOND, rail=RailFacts("fedwire"))  # 11:00 in New York
        assert decide("rail_cut_off", facts, cut_off_fedwire="11:01").outcome == "pass"
        assert decide("rail_cut_off", facts, cut_off_fedwire="11:00").outcome == "hold"
        assert decide("rail_cut_off", facts, cut_off_fedwire="eleven").outcome == "hold"


class TestEscrowMinimum:
    @pytest.mark.parametrize(("raised", "outcome"), [(99, "hold"), (100, "pass"), (101, "pass")])
    def test_nothing_is_released_before_the_minimum(self, raised: int, outcome: str) -> None:
        facts = world(request__stage="deposit", escrow=EscrowFacts(minimum=100, raised=raised))
        assert decide("escrow_minimum", facts).outcome == outcome

    def test_is_asked_only_before_the_deposit(self) -> None:
        for stage in ("create", "withdrawal"):
            assert not ran("escrow_minimum", world(request__stage=stage, escrow=EscrowFacts(minimum=100, raised=0)))
