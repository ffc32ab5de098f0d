"""What comes in and what goes out. Answers are rendered by hand in `rendering`; their serializers document them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bridge.kernel.api.fields import (
    AmountField,
    LineField,
    MetadataField,
    MomentField,
    NameField,
    StrictSerializer,
    TextField,
    TypeIdField,
)
from bridge.kernel.api.paging import PageQuery
from bridge.kernel.api.schema import ProblemSerializer
from bridge.kernel.idempotency import MAX_KEY
from bridge.kernel.money import is_currency
from transfers.blockers import Deed
from transfers.event_types import EVERY_EVENT
from transfers.models import BankInstruction
from transfers.states import InstructionState, State

MAX_ROWS = 10_000


class CurrencyField(TextField):
    default_error_messages = {"unknown_currency": "This is no ISO 4217 currency code in capitals, such as USD."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=3, **options)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if not is_currency(code):
            self.fail("unknown_currency")
        return code


class TransferRequestSerializer(StrictSerializer):
    source_account = TypeIdField("account", help_text="The account that the money comes from.")
    fund = TypeIdField("fund")
    amount = AmountField(help_text="Minor units.")
    currency = CurrencyField(help_text="That of the account and of the fund: there is no conversion.")
    external_id = LineField(required=False, max_length=100, default="", allow_blank=True, help_text="Your own id.")
    metadata = MetadataField(required=False, default=dict)


class ReasonSerializer(StrictSerializer):
    reason = TextField(
        required=False, max_length=300, default="", allow_blank=True, help_text="Kept in the log; others may read it."
    )


class ReleaseSerializer(ReasonSerializer):
    why = TextField(
        required=False, max_length=400, default="", allow_blank=True, help_text="Needed where the transfer is frozen."
    )


class OverrideSerializer(StrictSerializer):
    rule = TextField(max_length=40, help_text="The rule to set aside for this transfer.")
    why = TextField(max_length=400)
    evidence = TextField(required=False, max_length=400, default="", allow_blank=True)
    days = serializers.IntegerField(required=False, min_value=1, max_value=365, help_text="How long; 30 without it.")


class BulkRowSerializer(TransferRequestSerializer):
    default_error_messages = {"invalid": "A row must be a JSON object."}

    idempotency_key = TextField(
        max_length=MAX_KEY,
        trim_whitespace=False,
        help_text="The same key on `POST /transfers` means the same transfer. No blank begins or ends it.",
    )


class RowsField(serializers.Field):
    """The rows as they came: each is checked, and refused, by itself."""

    default_error_messages = {
        "not_a_list": "Give a list of transfers.",
        "too_few": "Give at least one transfer.",
        "too_many": f"Give at most {MAX_ROWS:,} transfers.",
    }

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        if not data:
            self.fail("too_few")
        if len(data) > MAX_ROWS:
            self.fail("too_many")
        return data

    def to_representation(self, value: list[Any]) -> list[Any]:
        return value


class BulkReader(StrictSerializer):
    transfers = RowsField()


class BulkSerializer(serializers.Serializer):
    """What `BulkReader` reads, for the document."""

    transfers = serializers.ListField(child=BulkRowSerializer(), min_length=1, max_length=MAX_ROWS)


class TransferQuery(PageQuery):
    state = serializers.ListField(
        child=serializers.ChoiceField(choices=State.choices), required=False, help_text="May be several."
    )
    fund = TypeIdField("fund", required=False)
    source_account = TypeIdField("account", required=False)
    external_id = TextField(required=False, max_length=100)
    created_after = MomentField(required=False, help_text="Later than this.")
    created_before = MomentField(required=False, help_text="Earlier than this.")


class EventQuery(PageQuery):
    type = serializers.ListField(
        child=NameField("type of event", lambda: EVERY_EVENT, max_length=80),
        required=False,
        help_text="Such as `transfer.completed`; may be several.",
    )
    after = TypeIdField("event", required=False, help_text="Go on behind this event: for readers that come again.")


class ReservationSerializer(serializers.Serializer):
    state = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)


class LegSerializer(serializers.Serializer):
    id = TypeIdField("instruction")
    kind = serializers.ChoiceField(choices=BankInstruction.Kind.choices)
    attempt = serializers.IntegerField()
    state = serializers.ChoiceField(choices=InstructionState.choices)
    reference = serializers.CharField(help_text="What appears on statements.")
    institution_reference = serializers.CharField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_amount = serializers.IntegerField()
    return_code = serializers.CharField()


class DecisionSerializer(serializers.Serializer):
    rule = serializers.CharField()
    version = serializers.IntegerField()
    outcome = serializers.CharField()
    reason = serializers.CharField()


class BlockerSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()
    actions = serializers.ListField(
        child=serializers.ChoiceField(choices=[str(deed) for deed in Deed]),
        required=False,
        help_text="What is safe to do about it now, by those who may; all else is refused. For the firm only.",
    )


class TransferSerializer(serializers.Serializer):
    id = TypeIdField("transfer")
    object = serializers.CharField(default="transfer")
    state = serializers.ChoiceField(choices=State.choices)
    amount = AmountField()
    currency = serializers.CharField()
    source_account = TypeIdField("account")
    fund = TypeIdField("fund")
    reservation = ReservationSerializer(allow_null=True)
    legs = LegSerializer(many=True)
    decisions = DecisionSerializer(many=True, help_text="Of the latest verification.")
    blocker = BlockerSerializer(allow_null=True, help_text="Why it does not move by itself, if so.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    expected_at = serializers.DateTimeField(allow_null=True)
    final_at = serializers.DateTimeField(allow_null=True)
    external_id = serializers.CharField()
    metadata = MetadataField()
    livemode = serializers.BooleanField()


class BulkOutcomeSerializer(serializers.Serializer):
    index = serializers.IntegerField(help_text="Of the row, from 0.")
    status = serializers.IntegerField(help_text="What `POST /transfers` would have answered.")
    idempotent_replayed = serializers.BooleanField(help_text="Whether this is the stored answer to the row's key.")
    transfer = TransferSerializer(required=False, help_text="Where the status is 201.")
    error = ProblemSerializer(required=False, help_text="Where it is not.")


class BulkAnswerSerializer(serializers.Serializer):
    object = serializers.CharField(default="transfer_bulk")
    results = BulkOutcomeSerializer(many=True, help_text="One per row, in the order of the rows.")


class CheckSerializer(serializers.Serializer):
    object = serializers.CharField(default="transfer_check")
    outcome = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices, help_text="The state that the transfer would have.")
    decisions = DecisionSerializer(many=True)


class SubjectSerializer(serializers.Serializer):
    type = serializers.CharField()
    id = serializers.CharField()


class EventSerializer(serializers.Serializer):
    id = TypeIdField("event")
    object = serializers.CharField(default="event")
    type = serializers.CharField()
    subject = SubjectSerializer()
    seq = serializers.IntegerField(help_text="1, 2, 3 … per subject.")
    state = serializers.CharField()
    version = serializers.IntegerField()
    actor = serializers.DictField(child=serializers.CharField())
    data = serializers.DictField()  # type: ignore[assignment]  # a declared field, no attribute of ours
    at = serializers.DateTimeField()
