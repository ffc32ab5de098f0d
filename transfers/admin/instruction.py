"""Bank instructions, to read."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import Q
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import amount, badge, id_link, link_to, public_id, when, whole_id
from bridge.console.named import named
from bridge.console.recent import recent
from transfers import references
from transfers.models import BankInstruction
from transfers.reconciliation.gathering import institutions


@admin.register(BankInstruction)
class BankInstructionAdmin(ReadOnlyAdmin):
    list_display = (
        "public",
        "leg",
        "state_badge",
        "money",
        "institution",
        "reference",
        "transfer_link",
        "sent",
    )
    list_filter = ("state", "kind", named("institution", institutions), recent("created_at"))
    search_fields = ("key__exact",)
    search_help_text = (
        "An id (ins_…, trf_…, acct_…) or a part of it, a key, our reference or its first twelve letters, or the "
        "institution's whole reference."
    )
    ordering = ("-id",)
    id_columns: ClassVar = {"instruction": "id", "transfer": "transfer_id", "account": "account_id"}
    fields = (
        "identifier",
        "kind",
        "attempt",
        "state_badge",
        "transfer_link",
        "account_link",
        "institution",
        "key",
        "reference",
        "institution_reference",
        "money",
        "settled_money",
        "returned_money",
        "fee_money",
        "return_code",
        "reason",
        "sends",
        "sent",
        "last_sent_at",
        "acknowledged_at",
        "settled_at",
        "ended_at",
        "key_expires_at",
    )

    def find(self, term: str) -> Q:
        return references.named(term)

    @display(description="instruction")
    def public(self, row: BankInstruction) -> str:
        return public_id("instruction", row.pk)

    @display(description="instruction")
    def identifier(self, row: BankInstruction) -> str:
        return whole_id("instruction", row.pk)

    @display(description="leg", ordering="kind")
    def leg(self, row: BankInstruction) -> str:
        return f"{row.get_kind_display()} {row.attempt}"

    @display(description="state")
    def state_badge(self, row: BankInstruction) -> str:
        return badge(row.state)

    @display(description="transfer")
    def transfer_link(self, row: BankInstruction) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="investor's account")
    def account_link(self, row: BankInstruction) -> str:
        return link_to(row.account)

    @display(description="amount", ordering="amount")
    def money(self, row: BankInstruction) -> str:
        return amount(row.amount, row.currency)

    @display(description="settled")
    def settled_money(self, row: BankInstruction) -> str:
        return amount(row.settled_amount, row.currency)

    @display(description="returned")
    def returned_money(self, row: BankInstruction) -> str:
        return amount(row.returned_amount, row.currency)

    @display(description="kept on the way")
    def fee_money(self, row: BankInstruction) -> str:
        return amount(row.fee, row.currency)

    @display(description="sent")
    def sent(self, row: BankInstruction) -> str:
        return when(row.submitted_at)
