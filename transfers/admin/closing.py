"""Closing a fund: what is open, three plans shown before anything is done, and how far one has been carried out.

Longer than most modules: the page of plans and the page of a closing share their tables.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.base import ReadOnlyAdmin, actor_of
from bridge.console.display import amount, badge, bar, id_link, link_to, when
from bridge.console.pages import Button, Table, button, section
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from funds.admin import funds_at, status_badge
from funds.models import Closing, ClosingStep, Fund
from transfers import blockers
from transfers.closing import Below, Method, Plan, PlanKind, Terms
from transfers.closing_approvals import MAKERS, SUBJECT, kind_of, payload_of
from transfers.closing_overview import Overview, closing_overview, plan_closing
from transfers.services.closing import PlanStale, may_begin

SHOWN = 200
LONGEST = 300  # of a reason
EXPLAINED = {
    PlanKind.SETTLE: (
        "Settle",
        "What has begun to move goes on to the fund; what has not moved is cancelled, the waitlist too. When nothing "
        "is open, the fund is closed.",
    ),
    PlanKind.CUT_BACK: (
        "Cut back",
        "The fund takes less than was promised. What moved too much is split off and refunded or recalled.",
    ),
    PlanKind.RETURN_ALL: (
        "Recall and return all",
        "The raise failed. Everything goes back: cancelled, refunded, or recalled from the fund's bank. The fund is "
        "closed at once.",
    ),
}
METHODS = [(Method.PRO_RATA.value, "pro rata: everybody the same share"), (Method.FIRST_COME.value, "first come")]
BELOWS = [(Below.KEEP.value, "keep what is left of them"), (Below.OUT.value, "are out")]


class TermsForm(forms.Form):
    """What people choose of a plan. Only a cut back has more than its name."""

    target = inputs.Amount("How much the fund takes.", required=False)
    method = inputs.choice(METHODS)
    below = inputs.choice(BELOWS)

    def __init__(self, currency: str, data: Any, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        inputs.amount_in(currency, self, "target")
        self.fields["below"].label = "whom the cut leaves below the minimum"


@admin.register(Closing)
class ClosingAdmin(ReadOnlyAdmin):
    list_display = ("title", "fund_link", "state_badge", "progress", "begun", "ended")
    list_filter = ("state", "kind", "fund")
    list_select_related = ("fund",)
    search_fields = ("fund__name",)
    search_help_text = "A fund's name, or an id (cls_…, fund_…)."
    ordering = ("-id",)
    id_columns = {"closing": "id", "fund": "fund_id"}
    fields = ("title", "fund_link", "state_badge", "progress", "approval", "begun", "ended")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        done = Count("steps", filter=Q(steps__state=ClosingStep.State.DONE))
        return super().get_queryset(request).annotate(steps_done=done, steps_all=Count("steps"))

    def get_urls(self) -> list[URLPattern]:
        view = transaction.non_atomic_requests(self.admin_site.admin_view(self.plan_view))
        return [path("of/<uuid:fund_id>/", view, name="funds_closing_plan"), *super().get_urls()]

    def plan_view(self, request: HttpRequest, fund_id: uuid.UUID) -> HttpResponse:
        """What is open and what a plan would do; a POST proposes exactly the plan that was shown."""
        if not self.has_view_permission(request) or not request.user.has_perm("transfers.view_transfer"):
            raise PermissionDenied
        fund = funds_at(clock.now()).filter(pk=fund_id).first()
        if fund is None:
            raise Http404
        given = request.POST if request.method == "POST" else request.GET
        kind = given.get("plan", "")
        initial = {"method": Method.PRO_RATA, "below": Below.KEEP}
        form = TermsForm(fund.currency, given if "method" in given else None, initial)
        plan, wrong = _planned(fund, kind, form)
        reason, missing = given.get("reason", "").strip()[:LONGEST], ""
        if request.method == "POST":
            answer = self._propose(request, fund, plan, wrong, reason)
            if isinstance(answer, HttpResponse):
                return answer
            missing = answer
        overview = closing_overview(fund_id=fund.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Closing {fund.name}",
            "opts": self.opts,
            "fund": fund,
            "status": status_badge(fund),
            "phases": _phases(overview),
            "open": _open_table(overview),
            "settled": overview.is_settled,
            "running": self.get_queryset(request).filter(pk=overview.running.pk).first() if overview.running else None,
            "asked": Approval.objects.filter(subject_type=SUBJECT, subject_id=fund.pk, state="open").first(),
            "plans": _choices(fund, overview, kind),
            "chosen": kind,
            "form": form if kind == PlanKind.CUT_BACK else None,
            "plan": plan,
            "wrong": wrong,
            "may": actor_of(request, among=MAKERS) is not None,
            "reason": reason,
            "missing": missing,
            "longest": LONGEST,
        }
        if context["running"] is not None:
            context["progress"] = self.progress(context["running"])
        if plan is not None:
            context |= {"preview": _preview(plan), "totals": _totals(plan)}
        return TemplateResponse(request, "console/closing.html", context)

    def _propose(
        self, request: HttpRequest, fund: Fund, plan: Plan | None, wrong: str, reason: str
    ) -> HttpResponse | str:
        """Where it leads. Refused: what the reason lacks, if that is it, so that the page is shown again as filled."""
        actor = actor_of(request, among=MAKERS)
        if actor is None:
            raise PermissionDenied
        if plan is None:
            messages.error(request, wrong or "Choose a plan first.")
            return ""
        try:
            if request.POST.get("expect") != plan.hash:
                raise PlanStale()
            if not reason:
                return "Say why: the second person decides with it."
            payload = payload_of(plan.terms, plan.hash)
            proposal = Proposal(kind_of(plan.terms.kind), fund.pk, payload, reason)
            asked = approvals.propose(proposal=proposal, actor=actor)
        except BridgeError as error:
            messages.error(request, f"{error.title}. {error.detail} Nothing was changed.")
            return ""
        messages.success(request, "Asked for: a second person decides about exactly this plan.")
        return HttpResponseRedirect(reverse("admin:approvals_approval_change", args=[asked.pk]))

    @display(description="plan")
    def title(self, row: Closing) -> str:
        return row.get_kind_display()

    @display(description="fund")
    def fund_link(self, row: Closing) -> str:
        return link_to(row.fund)

    @display(description="state")
    def state_badge(self, row: Closing) -> str:
        return badge(row.state)

    @display(description="steps")
    def progress(self, row: Any) -> str:
        return bar(row.steps_done, row.steps_all or None, f"{row.steps_done:,} of {row.steps_all:,} done")

    @display(description="approval")
    def approval(self, row: Closing) -> str:
        return id_link("approval", "approvals.approval", row.approval_id)

    @display(description="begun")
    def begun(self, row: Closing) -> str:
        return when(row.created_at)

    @display(description="ended")
    def ended(self, row: Closing) -> str:
        return when(row.ended_at)


@button("funds.fund")
def closing_button(request: HttpRequest, fund: Any) -> Button | None:
    """From the fund's page, once it is closing; and while money that came back is on its way after the close."""
    if fund.status not in (Fund.Status.CLOSING, Fund.Status.CLOSED) or not request.user.has_perm("funds.view_closing"):
        return None
    url = reverse("admin:funds_closing_plan", args=[fund.pk])
    return Button("closing_plan", "Closing: what is open, and the plans", "checklist", url)


@section("funds.closing", permission="funds.view_closingstep", order=10)
def steps_of(request: HttpRequest, closing: Any) -> Table:
    currency = closing.fund.currency
    rows = list(closing.steps.order_by("state", "id")[: SHOWN + 1])
    rows.sort(key=lambda step: step.state == ClosingStep.State.DONE)
    return Table(
        title="Steps",
        headers=("transfer", "action", "keeps", "given back", "state", "what became of it", "split off"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", step.transfer_id),
                step.action,
                amount(step.keep, currency),
                amount(step.give_back, currency),
                badge(step.state),
                step.result,
                id_link("transfer", "transfers.transfer", step.child_id) if step.child_id else "",
            )
            for step in rows[:SHOWN]
        ],
        note=f"The first {SHOWN}." if len(rows) > SHOWN else "",
        numeric=frozenset({2, 3}),
    )


@section("approvals.approval", permission="funds.view_closing", order=10)
def plan_of_approval(request: HttpRequest, approval: Any) -> Table | None:
    """The checker sees the plan as it is now, and whether it is still the one that was asked for."""
    if approval.subject_type != SUBJECT or approval.state != Approval.State.OPEN:
        return None
    kind = approval.kind.removeprefix("fund.").replace("_", "-")
    try:
        terms = Terms.of({name: value for name, value in approval.payload.items() if name != "plan"}, kind=kind)
        plan = plan_closing(fund_id=approval.subject_id, terms=terms)
    except BridgeError as error:
        return Table(title="The plan", headers=(), rows=[], empty=f"{error.title}. {error.detail}")
    table = _preview(plan)
    same = plan.hash == approval.payload.get("plan")
    word = "This is exactly the plan that was asked for." if same else "Something changed since: it will be refused."
    return Table(
        title=table.title,
        headers=table.headers,
        rows=table.rows,
        empty=table.empty,
        note=f"{word} {table.note}",
        numeric=table.numeric,
    )


def _planned(fund: Fund, kind: str, form: TermsForm) -> tuple[Plan | None, str]:
    """The plan as it is now, or what is wrong with what was chosen."""
    if not kind:
        return None, ""
    given: dict[str, Any] = {}
    if kind == PlanKind.CUT_BACK:
        if not form.is_bound:
            return None, ""
        if not form.is_valid():
            return None, "Correct what was entered."
        given = {name: value for name, value in form.cleaned_data.items() if value not in (None, "")}
    try:
        return plan_closing(fund_id=fund.pk, terms=Terms.of(given, kind=kind)), ""
    except BridgeError as error:
        return None, f"{error.title}. {error.detail}"


def _choices(fund: Fund, overview: Overview, chosen: str) -> list[dict[str, Any]]:
    """The three plans, each with why it cannot be proposed now, where that is so."""
    found = []
    for kind, (title, text) in EXPLAINED.items():
        why = ""
        try:
            may_begin(fund, Terms(kind), overview.running)
        except BridgeError as error:
            why = error.detail
        found.append({"kind": kind.value, "title": title, "text": text, "why": why, "chosen": kind.value == chosen})
    return found


def _phases(overview: Overview) -> list[dict[str, Any]]:
    return [
        {"name": str(phase), "count": count, "money": amount(overview.money[phase], overview.currency)}
        for phase, count in overview.counts.items()
    ]


def _open_table(overview: Overview) -> Table:
    """Blocked ones first: they are what keeps the fund from closing."""
    rows = sorted(overview.positions, key=lambda row: not row.blocker_code)
    return Table(
        title="What is open, and what is at the fund",
        headers=("transfer", "investor", "state", "where", "amount", "what stands in the way"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", row.transfer_id),
                row.investor,
                badge(row.state),
                str(row.phase),
                amount(row.amount, overview.currency),
                f"{blockers.of(row.blocker_code).title}. {row.blocker_message}" if row.blocker_code else "",
            )
            for row in rows[:SHOWN]
        ],
        empty="Nothing: no transfer of this fund is open, and none is at the fund.",
        note=f"The first {SHOWN} of {len(rows):,}." if len(rows) > SHOWN else "",
        numeric=frozenset({4}),
    )


def _preview(plan: Plan) -> Table:
    """Those first with whom something is done."""
    doing = {item.position.transfer_id for item in plan.steps}
    items: Sequence[Any] = sorted(plan.items, key=lambda item: item.position.transfer_id not in doing)
    note = f"{len(plan.steps):,} of {len(items):,} transfers have something to be done."
    if len(items) > SHOWN:
        note += f" The first {SHOWN} are shown."
    return Table(
        title="What this plan does",
        headers=("transfer", "investor", "where", "now", "action", "keeps", "given back"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", item.position.transfer_id),
                item.position.investor,
                str(item.position.phase),
                amount(item.position.amount, plan.currency),
                badge(
                    str(item.action),
                    colour="amber" if item.position.transfer_id in doing else "grey",
                ),
                amount(item.keep, plan.currency),
                amount(item.give_back, plan.currency),
            )
            for item in items[:SHOWN]
        ],
        empty="No transfer is touched.",
        note=note,
        numeric=frozenset({3, 5, 6}),
    )


def _totals(plan: Plan) -> list[tuple[str, object]]:
    words = {
        "now": "promised now",
        "kept": "kept by the fund",
        "released": "released without having moved",
        "refunded": "refunded",
        "recalled": "recalled from the fund",
    }
    return [(words[name], amount(value, plan.currency)) for name, value in plan.totals.items()]
