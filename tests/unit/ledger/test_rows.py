"""The posting table, row by row, as T-accounts: what came to each account (+) and what left it (−)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from accounts.ledger import rows
from accounts.ledger.kinds import Kind
from accounts.ledger.rows import Draft, Parties

INVESTOR, FUND, OTHER = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)
TRANSFER, INSTRUCTION = uuid.UUID(int=4), uuid.UUID(int=5)
BANK_DATE = datetime(2026, 3, 2, tzinfo=UTC)
WHO = Parties(TRANSFER, INVESTOR, FUND, "USD", BANK_DATE, INSTRUCTION)
NAMES = {INVESTOR: "investor", FUND: "fund", OTHER: "other account", None: "USD"}


def t_accounts(draft: Draft) -> dict[str, int]:
    """`{"investor clearing": 100}`; every line must be another account, and all must sum to zero."""
    sides = {f"{NAMES[line.place.owner_id]} {line.place.kind}": line.amount for line in draft.lines}
    assert len(sides) == len(draft.lines)
    assert sum(sides.values()) == 0
    assert 0 not in sides.values()
    return sides


class TestWithdrawal:
    def test_w1_submitted_leaves_the_investors_cash(self) -> None:
        draft = rows.withdrawal_submitted(WHO, amount=100)
        assert draft.row == "W1"
        assert t_accounts(draft) == {"investor withdrawal_in_transit": 100, "investor cash": -100}

    def test_w2_settled_reaches_clearing(self) -> None:
        draft = rows.withdrawal_settled(WHO, amount=100, credited=100)
        assert draft.row == "W2"
        assert t_accounts(draft) == {"investor clearing": 100, "investor withdrawal_in_transit": -100}

    def test_w2_a_fee_kept_on_the_way(self) -> None:
        assert t_accounts(rows.withdrawal_settled(WHO, amount=100, credited=97, fee=3)) == {
            "investor clearing": 97,
            "USD fees": 3,
            "investor withdrawal_in_transit": -100,
        }

    def test_w2_what_was_never_debited_stays_with_the_investor(self) -> None:
        assert t_accounts(rows.withdrawal_settled(WHO, amount=100, credited=60)) == {
            "investor clearing": 60,
            "investor cash": 40,
            "investor withdrawal_in_transit": -100,
        }

    def test_w2_a_surplus_comes_from_the_investor(self) -> None:
        assert t_accounts(rows.withdrawal_settled(WHO, amount=100, credited=130)) == {
            "investor clearing": 130,
            "investor cash": -30,
            "investor withdrawal_in_transit": -100,
        }

    def test_w3_rejected_goes_back(self) -> None:
        draft = rows.withdrawal_rejected(WHO, amount=100)
        assert draft.row == "W3"
        assert t_accounts(draft) == {"investor cash": 100, "investor withdrawal_in_transit": -100}

    def test_w4_returned_out_of_clearing(self) -> None:
        draft = rows.withdrawal_returned(WHO, amount=100, taken=[WHO.investor(Kind.CLEARING, -100)])
        assert draft.row == "W4"
        assert t_accounts(draft) == {"investor cash": 100, "investor clearing": -100}

    def test_w4_what_clearing_lacks_the_firm_advances(self) -> None:
        taken = [WHO.investor(Kind.CLEARING, -30), WHO.shared(Kind.FIRM_ADVANCE, -70)]
        draft = rows.withdrawal_returned(WHO, amount=100, taken=taken)
        assert t_accounts(draft) == {"investor cash": 100, "investor clearing": -30, "USD firm_advance": -70}
        assert {line.transfer_id for line in draft.lines} == {TRANSFER}, "an open claim names its transfer"


class TestDeposit:
    def test_d1_submitted_leaves_clearing(self) -> None:
        draft = rows.deposit_submitted(WHO, amount=100)
        assert draft.row == "D1"
        assert t_accounts(draft) == {"fund deposit_in_transit": 100, "investor clearing": -100}

    def test_d2_settled_is_the_funds(self) -> None:
        draft = rows.deposit_settled(WHO, amount=100, credited=100)
        assert draft.row == "D2"
        assert t_accounts(draft) == {"fund cash": 100, "fund deposit_in_transit": -100}

    def test_d2_a_fee_kept_on_the_way(self) -> None:
        assert t_accounts(rows.deposit_settled(WHO, amount=100, credited=98)) == {
            "fund cash": 98,
            "USD fees": 2,
            "fund deposit_in_transit": -100,
        }

    def test_d3_rejected_is_back_in_clearing(self) -> None:
        draft = rows.deposit_rejected(WHO, amount=100)
        assert draft.row == "D3"
        assert t_accounts(draft) == {"investor clearing": 100, "fund deposit_in_transit": -100}

    def test_d4_returned_by_the_fund(self) -> None:
        draft = rows.deposit_returned(WHO, amount=100)
        assert draft.row == "D4"
        assert t_accounts(draft) == {"investor clearing": 100, "fund cash": -100}

    def test_d4_less_a_fee_and_with_interest_from_outside(self) -> None:
        assert t_accounts(rows.deposit_returned(WHO, amount=100, fee=4, interest=7)) == {
            "investor clearing": 103,
            "USD fees": 4,
            "USD outside": -7,
            "fund cash": -100,
        }


class TestRefund:
    def test_r1_submitted_leaves_clearing(self) -> None:
        draft = rows.refund_submitted(WHO, amount=100)
        assert draft.row == "R1"
        assert t_accounts(draft) == {"investor refund_in_transit": 100, "investor clearing": -100}

    def test_r2_settled_is_the_investors_again(self) -> None:
        draft = rows.refund_settled(WHO, amount=100)
        assert draft.row == "R2"
        assert t_accounts(draft) == {"investor cash": 100, "investor refund_in_transit": -100}

    def test_r2_to_another_account_less_a_fee(self) -> None:
        assert t_accounts(rows.refund_settled(WHO, amount=100, fee=5, paid_to=OTHER)) == {
            "other account cash": 95,
            "USD fees": 5,
            "investor refund_in_transit": -100,
        }

    def test_r3_rejected_is_back_in_clearing(self) -> None:
        draft = rows.refund_rejected(WHO, amount=100)
        assert draft.row == "R3"
        assert t_accounts(draft) == {"investor clearing": 100, "investor refund_in_transit": -100}

    def test_r4_returned_by_the_investors_bank(self) -> None:
        draft = rows.refund_returned(WHO, amount=100)
        assert draft.row == "R4"
        assert t_accounts(draft) == {"investor clearing": 100, "investor cash": -100}

    def test_r4_from_another_account_less_a_fee(self) -> None:
        assert t_accounts(rows.refund_returned(WHO, amount=100, fee=5, paid_to=OTHER)) == {
            "investor clearing": 95,
            "USD fees": 5,
            "other account cash": -100,
        }


class TestCharge:
    def test_f1_a_charge_on_no_payment_is_the_firms(self) -> None:
        draft = rows.bank_charge(currency="USD", amount=15, effective_at=BANK_DATE)
        assert (draft.row, draft.transfer_id) == ("F1", None)
        assert t_accounts(draft) == {"USD fees": 15, "USD firm_advance": -15}
        assert {line.transfer_id for line in draft.lines} == {None}


class TestLateAndTwice:
    def test_what_the_bank_kept_on_the_way_left_the_payer_too(self) -> None:
        taken = (WHO.investor(Kind.CLEARING, -100),)
        assert t_accounts(rows.withdrawal_settled_again(WHO, credited=97, fee=3))["investor cash"] == -100
        assert t_accounts(rows.deposit_settled_again(WHO, credited=97, fee=3, taken=taken))["USD fees"] == 3
        assert t_accounts(rows.refund_settled_again(WHO, credited=97, fee=3, taken=taken))["investor cash"] == 97

    TAKEN = (WHO.investor(Kind.CLEARING, -60), WHO.shared(Kind.FIRM_ADVANCE, -40))

    def test_w5_comes_from_the_investor_into_clearing(self) -> None:
        draft = rows.withdrawal_settled_again(WHO, credited=100)
        assert draft.row == "W5"
        assert t_accounts(draft) == {"investor clearing": 100, "investor cash": -100}

    def test_d5_reaches_the_fund_out_of_clearing_then_of_the_firms_own(self) -> None:
        draft = rows.deposit_settled_again(WHO, credited=100, taken=self.TAKEN)
        assert draft.row == "D5"
        assert t_accounts(draft) == {"fund cash": 100, "investor clearing": -60, "USD firm_advance": -40}

    def test_r5_reaches_the_account_that_was_paid(self) -> None:
        draft = rows.refund_settled_again(WHO, credited=100, taken=self.TAKEN, paid_to=OTHER)
        assert draft.row == "R5"
        assert t_accounts(draft) == {"other account cash": 100, "investor clearing": -60, "USD firm_advance": -40}


def tagged(draft: Draft) -> list[tuple[Kind, int, uuid.UUID | None]]:
    """The lines with the transfer that each is about; they sum to zero."""
    assert sum(line.amount for line in draft.lines) == 0
    return [(line.place.kind, line.amount, line.transfer_id) for line in draft.lines]


class TestTheFirmsOwnMoney:
    def test_a1_an_advance_is_repaid_by_money_of_the_family(self) -> None:
        sibling = uuid.UUID(int=6)
        draft = rows.advance_repaid(WHO, amount=100, from_id=sibling)
        assert draft.row == "A1"
        assert tagged(draft) == [(Kind.FIRM_ADVANCE, 100, TRANSFER), (Kind.CLEARING, -100, sibling)]

    def test_a2_a_claim_written_off_is_borne_by_the_funding(self) -> None:
        draft = rows.advance_written_off(WHO, amount=100)
        assert draft.row == "A2"
        assert tagged(draft) == [(Kind.FIRM_ADVANCE, 100, TRANSFER), (Kind.FIRM_ADVANCE, -100, None)]

    def test_a3_funding_comes_from_outside(self) -> None:
        draft = rows.firm_funded(currency="USD", amount=100, effective_at=BANK_DATE)
        assert (draft.row, draft.transfer_id) == ("A3", None)
        assert t_accounts(draft) == {"USD firm_advance": 100, "USD outside": -100}

    def test_a4_a_short_pay_is_topped_up_out_of_the_funding(self) -> None:
        draft = rows.short_pay_topped_up(WHO, amount=20)
        assert draft.row == "A4"
        assert tagged(draft) == [(Kind.CLEARING, 20, TRANSFER), (Kind.FIRM_ADVANCE, -20, None)]


class TestReceipts:
    def test_s1_waits_in_suspense(self) -> None:
        draft = rows.receipt_unidentified(currency="USD", amount=100, effective_at=BANK_DATE)
        assert draft.row == "S1"
        assert t_accounts(draft) == {"USD suspense": 100, "USD outside": -100}

    def test_s2_belongs_to_a_transfer(self) -> None:
        draft = rows.receipt_identified(WHO, amount=100)
        assert draft.row == "S2"
        assert tagged(draft) == [(Kind.CLEARING, 100, TRANSFER), (Kind.SUSPENSE, -100, None)]

    def test_s2_repays_an_advance_first(self) -> None:
        whole, part = (WHO.shared(Kind.FIRM_ADVANCE, amount) for amount in (100, 30))
        draft = rows.receipt_identified(WHO, amount=100, repaid=[whole])
        assert tagged(draft) == [(Kind.FIRM_ADVANCE, 100, TRANSFER), (Kind.SUSPENSE, -100, None)]
        assert t_accounts(rows.receipt_identified(WHO, amount=100, repaid=[part])) == {
            "USD firm_advance": 30,
            "investor clearing": 70,
            "USD suspense": -100,
        }

    def test_s2_may_be_the_firms_own(self) -> None:
        draft = rows.receipt_of_the_firm(currency="USD", amount=100, effective_at=BANK_DATE)
        assert draft.row == "S2"
        assert tagged(draft) == [(Kind.FIRM_ADVANCE, 100, None), (Kind.SUSPENSE, -100, None)]

    def test_s3_goes_back_outside(self) -> None:
        draft = rows.receipt_sent_back(currency="USD", amount=100, effective_at=BANK_DATE)
        assert draft.row == "S3"
        assert t_accounts(draft) == {"USD outside": 100, "USD suspense": -100}


class TestCorrection:
    def test_x2_negates_every_line_and_names_what_it_reverses(self) -> None:
        mistake, number = rows.receipt_identified(WHO, amount=100), uuid.UUID(int=7)
        draft = rows.reversal(mistake, reverses_id=number, effective_at=BANK_DATE)
        assert (draft.row, draft.reverses_id, draft.transfer_id) == ("X2", number, TRANSFER)
        assert tagged(draft) == [(Kind.CLEARING, -100, TRANSFER), (Kind.SUSPENSE, 100, None)]


class TestEveryRow:
    @pytest.mark.parametrize(
        "draft",
        [
            rows.withdrawal_submitted(WHO, amount=100),
            rows.withdrawal_settled(WHO, amount=100, credited=90, fee=4),
            rows.withdrawal_rejected(WHO, amount=100),
            rows.deposit_submitted(WHO, amount=100),
            rows.deposit_settled(WHO, amount=100, credited=99),
            rows.deposit_rejected(WHO, amount=100),
            rows.deposit_returned(WHO, amount=100, fee=1, interest=2),
            rows.refund_submitted(WHO, amount=100),
            rows.refund_settled(WHO, amount=100, fee=1),
            rows.refund_rejected(WHO, amount=100),
            rows.refund_returned(WHO, amount=100, fee=1),
        ],
        ids=lambda draft: draft.row,
    )
    def test_names_its_transfer_instruction_and_bank_date_on_every_line(self, draft: Draft) -> None:
        assert (draft.transfer_id, draft.instruction_id, draft.currency) == (TRANSFER, INSTRUCTION, "USD")
        assert draft.effective_at == BANK_DATE
        assert {line.transfer_id for line in draft.lines} == {TRANSFER}
