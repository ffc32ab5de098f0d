from __future__ import annotations

from typing import Any

import pytest

from notifications.messages import LONGEST_BODY, TEXTS, Parties, message_for, notifies
from transfers.event_types import BREAK_EVENTS, TRANSFER_EVENTS

PARTIES = Parties(investor="Ada Lovelace", account="Checking", last4="4821", fund="Alder Ventures IV")
DATA: dict[str, Any] = {"amount": 2_500_000, "currency": "USD"}


class TestTheTable:
    def test_every_event_of_a_transfer_notifies_somebody(self) -> None:
        assert set(TEXTS) == {str(kind) for kind in TRANSFER_EVENTS}

    def test_breaks_notify_nobody(self) -> None:
        assert not any(notifies(kind) for kind in BREAK_EVENTS)

    def test_operations_hear_everything(self) -> None:
        assert all("operations" in text.audiences for text in TEXTS.values())

    @pytest.mark.parametrize("kind", ["transfer.frozen", "transfer.unfrozen", "transfer.blocked"])
    def test_an_investor_is_not_told_of_a_freeze_or_of_our_troubles(self, kind: str) -> None:
        assert set(TEXTS[kind].audiences) == {"operations"}


class TestTheTexts:
    @pytest.mark.parametrize("kind", TRANSFER_EVENTS)
    def test_is_whole_without_any_optional_field(self, kind: str) -> None:
        message = message_for(kind, DATA, PARTIES)
        assert "USD 25,000.00" in message.body
        assert "{" not in message.body
        assert "  " not in message.body
        assert message.body == message.body.strip()
        assert "Reason" not in message.body

    def test_says_from_which_account_by_its_last_four_digits_and_to_which_fund(self) -> None:
        body = message_for("transfer.requested", DATA, PARTIES).body
        assert body == (
            "A transfer of USD 25,000.00 from Ada Lovelace (Checking ···4821) to Alder Ventures IV was requested."
        )

    def test_a_rejection_gives_the_reasons_of_the_rules(self) -> None:
        reasons = [{"rule": "minimum", "reason": "Too small."}, {"rule": "fund_open", "reason": "The fund is closed"}]
        body = message_for("transfer.rejected", {**DATA, "reasons": reasons}, PARTIES).body
        assert body.endswith("No money has moved. Reason: Too small. The fund is closed.")

    def test_a_review_does_not_tell_why(self) -> None:
        data = {**DATA, "reasons": [{"rule": "screening", "reason": "A name on a list."}]}
        assert "list" not in message_for("transfer.held", data, PARTIES).body

    def test_a_short_pay_names_what_arrived_and_the_fee(self) -> None:
        data = {**DATA, "settled_amount": 2_490_000, "fee": 10_000, "next_step": "deposit"}
        body = message_for("transfer.withdrawn", data, PARTIES).body
        assert body.startswith("USD 24,900.00 has arrived")
        assert "kept a fee of USD 100.00" in body
        assert body.endswith("The deposit to the fund follows.")

    @pytest.mark.parametrize("kind", TRANSFER_EVENTS)
    def test_fits_its_column_whatever_the_names(self, kind: str) -> None:
        long = Parties(investor="I" * 200, account="A" * 120, last4="4821", fund="F" * 160)
        data = {
            "amount": 10**15 - 1,
            "currency": "USD",
            "reason": "r" * 400,
            "next_step": "none",
            "fee": 10**14,
        }
        message = message_for(kind, data, long)
        assert len(message.body) <= LONGEST_BODY
        assert len(message.title) <= 120

    def test_braces_in_a_name_stay_text(self) -> None:
        odd = Parties(investor="{amount}", account="%s", last4="0000", fund="{0}")
        assert "{amount} (%s ···0000) to {0}" in message_for("transfer.requested", DATA, odd).body
