"""What two people, or compliance, do about a transfer's criteria: set a rule aside, freeze, release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from bridge.approvals.asking import ASKED, asks
from bridge.console import inputs
from bridge.console.acting import Verb
from bridge.kernel.results import Actor, Change, Result
from funds.models import Verification
from funds.rules.catalogue import BY_ID
from funds.rules.outcomes import Outcome
from transfers.admin.verbs import safe
from transfers.approvals import OVERRIDE, OVERRIDE_DAYS, UNFREEZE
from transfers.blockers import DEEDS, Deed
from transfers.manual_outcomes import OUTCOME
from transfers.models import Transfer
from transfers.services.freezing import freeze_transfers

LONGEST_DAYS = 365


def in_the_way(transfer: Any) -> list[tuple[str, str]]:
    """Rules that stopped the newest check and may be set aside, with their reasons."""
    newest = Verification.objects.filter(transfer_id=transfer.pk).order_by("-id").first()
    found = []
    for decision in newest.decisions if newest else ():
        rule = BY_ID.get(decision.get("rule", ""))
        outcome = Outcome(decision.get("outcome", Outcome.PASS))
        if rule is not None and Outcome.PASS < outcome <= rule.overridable and not decision.get("override"):
            found.append((rule.id, f"{rule.id.replace('_', ' ')}: {decision.get('reason', '')}"[:160]))
    return found


class OverrideForm(forms.Form):
    """Which rule, why, on what evidence, for how long."""

    rule = inputs.choice([], "Only what stands in the way and may be set aside.", required=True)
    why = inputs.words("Why this transfer may pass all the same. Kept for ever.")
    evidence = inputs.words("Where it can be seen: a file, a letter, a call.", required=False)
    days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=OVERRIDE_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="For how many days from the approval on. The rule counts again afterwards.",
    )

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        self.fields["rule"].choices = in_the_way(transfer)  # type: ignore[attr-defined]


class FreezeForm(forms.Form):
    reason = inputs.words("What was found. Kept for ever; the investor is told nothing of it.", longest=300)


class WhyForm(forms.Form):
    why = inputs.words("What was found: a licence, or that it is no match. Kept for ever.", longest=300)


class OutcomeForm(forms.Form):
    """What became of an instruction that its bank tells nothing about."""

    outcome = inputs.choice(
        [("", "choose"), ("rejected", "never carried out"), ("settled", "carried out")],
        "What the evidence shows.",
        required=True,
    )
    settled_amount = inputs.Amount("What arrived, if less than ordered. Empty: all of it.", least=1, required=False)
    why = inputs.words("What the bank said, and who asked. Kept for ever.", longest=300)
    evidence = inputs.words("Where it can be seen: a statement, a letter.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        inputs.amount_in(transfer.currency, self, "settled_amount")


def _outcome(change: Change, data: dict[str, Any]) -> dict[str, Any]:
    given = {name: data[name] for name in ("outcome", "why", "evidence")}
    if data["outcome"] == "settled" and data.get("settled_amount"):
        given["settled_amount"] = data["settled_amount"]
    return given


def _freeze(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    results = freeze_transfers(changes=changes, actor=actor)
    assert isinstance(results, list)  # an answer comes only with a key
    return results


CRITERIA_VERBS = (
    Verb(
        name=Deed.ASIDE,
        label=DEEDS[Deed.ASIDE].label,
        done=ASKED,
        question="Compliance is asked to set one rule aside for this transfer alone. Afterwards the transfer is "
        "approved as usual, and every other rule still counts.",
        run=asks(
            kind=OVERRIDE,
            model=Transfer,
            payload=lambda change, data: {name: data[name] for name in ("rule", "why", "evidence", "days")},
        ),
        fits=lambda transfer: safe(Deed.ASIDE)(transfer) and bool(in_the_way(transfer)),
        roles=DEEDS[Deed.ASIDE].roles,
        icon="rule_settings",
        build=OverrideForm,
        several=False,
    ),
    Verb(
        name=Deed.OUTCOME,
        label=DEEDS[Deed.OUTCOME].label,
        done=ASKED,
        question="The bank does not tell what became of its order. A second person is asked to agree to what the "
        "evidence shows; it is then posted as if the bank had reported it.",
        run=asks(kind=OUTCOME, model=Transfer, payload=_outcome),
        fits=safe(Deed.OUTCOME),
        roles=DEEDS[Deed.OUTCOME].roles,
        icon="gavel",
        danger=True,
        build=OutcomeForm,
        several=False,
    ),
    Verb(
        name=Deed.FREEZE,
        label=DEEDS[Deed.FREEZE].label,
        done="frozen",
        question="The money in the settlement account is blocked by law: no deposit, no refund, no deadline. The place "
        "in the fund is given back. Only two people of compliance can release it.",
        run=_freeze,
        fits=safe(Deed.FREEZE),
        roles=DEEDS[Deed.FREEZE].roles,
        icon="ac_unit",
        danger=True,
        form=FreezeForm,
        several=False,
    ),
    Verb(
        name=Deed.UNFREEZE,
        label=DEEDS[Deed.UNFREEZE].label,
        done=ASKED,
        question="A second person of compliance is asked to release the money. It then waits in the settlement account "
        "for a retry or a refund.",
        run=asks(kind=UNFREEZE, model=Transfer, payload=lambda change, data: {"why": data["why"]}),
        fits=safe(Deed.UNFREEZE),
        roles=DEEDS[Deed.UNFREEZE].roles,
        icon="lock_open",
        form=WhyForm,
        several=False,
    ),
)
