"""The Controls page: stops, money on the bridge against its limits, banks that do not answer, parameters in force."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from accounts.admin import institutions
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.base import actor_of
from bridge.console.display import badge, rows_url, when
from bridge.kernel import ids
from bridge.kernel.errors import MalformedId
from bridge.kernel.results import Refused
from funds.models import Fund
from transfers.admin.asking import AskingAdmin
from transfers.admin.control_tables import institutions_table, limits, parameter_tables
from transfers.asked import MAKERS
from transfers.controls.stops import LIFT, STOPPED, NewStop, open_stops, set_stops, subject_of
from transfers.models import Stop, Transfer

S = Stop.Scope
SET = SimpleNamespace(
    label="Stop",
    icon="block",
    danger=True,
    question="From now on no new withdrawal begins for what you name. What has begun goes on, refunds always do. "
    "You do this alone and at once; two people lift it.",
)
LIFTING = SimpleNamespace(
    label="Ask to lift the stop",
    icon="play_arrow",
    danger=False,
    question="A second person is asked to agree. What was held back then goes on by itself.",
)


class StopForm(forms.Form):
    """What is stopped, and why."""

    scope = inputs.choice(S.choices, "Everything, or one of the following.", required=True)
    institution = inputs.choice([], "Of a stop of an institution.")
    fund = ModelChoiceField(
        Fund.objects.order_by("name"), required=False, widget=UnfoldAdminSelectWidget, help_text="Of a stop of a fund."
    )
    investor = inputs.text("Of a stop of an investor: the id (inv_…).")
    deposits = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Everything or a fund only: money that has been withdrawn does not go on to the fund either.",
    )
    why = inputs.words("Everybody who looks at a transfer that it holds back reads this.", longest=300)

    def __init__(self, data: Any, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        names = [("", "–"), *institutions("investor"), *institutions("fund")]
        self.fields["institution"].choices = names  # type: ignore[attr-defined]

    def new(self) -> NewStop:
        data = self.cleaned_data
        return NewStop(
            scope=data["scope"],
            why=data["why"],
            institution=data["institution"],
            fund_id=data["fund"].pk if data["fund"] else None,
            investor_id=data["investor"],
            deposits=data["deposits"],
        )

    def clean_investor(self) -> uuid.UUID | None:
        text = self.cleaned_data["investor"]
        try:
            return ids.decode("investor", text) if text else None
        except MalformedId as error:
            raise forms.ValidationError(error.detail) from error


class LiftForm(forms.Form):
    why = inputs.words("Why it may go on. Kept for ever.")


@admin.register(Stop)
class StopAdmin(AskingAdmin):
    list_display = ("subject", "state", "holds", "why", "begun", "ended")
    list_filter = ("scope", "deposits")
    list_select_related = ("fund", "investor")
    search_fields = ("institution__exact", "why")
    search_help_text = "An institution, words of the reason, or an id (fund_…, inv_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"fund": "fund_id", "investor": "investor_id"}
    fields = (
        "subject",
        "state",
        "holds",
        "why",
        "set_by_name",
        "begun",
        "lift_asked_by",
        "lifted_by",
        "lifted_why",
        "ended",
    )

    def get_urls(self) -> list[URLPattern]:
        def view(of: Any) -> Any:
            return transaction.non_atomic_requests(self.admin_site.admin_view(of))

        return [
            path("controls/", view(self.controls_view), name="transfers_controls"),
            path("set/", view(self.set_view), name="transfers_stop_set"),
            path("<uuid:stop_id>/lift/", view(self.lift_view), name="transfers_stop_lift"),
            *super().get_urls(),
        ]

    # --- the page

    def controls_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may = actor_of(request, among=MAKERS) is not None
        rows = open_stops()
        asked = set(Approval.objects.filter(kind=LIFT, state="open").values_list("subject_id", flat=True))
        context = {
            **self.admin_site.each_context(request),
            "title": "Controls",
            "opts": self.opts,
            "may": may,
            "stops_told": True,
            "all_stopped": any(row.scope == S.ALL and row.deposits for row in rows),
            "deposits_go_on": any(row.scope == S.ALL and not row.deposits for row in rows),
            "stops": [
                {
                    "subject": subject_of(row),
                    "scope": row.get_scope_display(),
                    "deposits": row.deposits,
                    "why": row.why,
                    "who": row.set_by_name or row.set_by,
                    "since": when(row.set_at),
                    "asked": row.id in asked,
                    "url": reverse("admin:transfers_stop_lift", args=[row.id]),
                }
                for row in rows
            ],
            "held": Transfer.objects.filter(work__isnull=False, blocker_code=STOPPED).count() if rows else 0,
            "set_url": reverse("admin:transfers_stop_set"),
            "set_all_url": f"{reverse('admin:transfers_stop_set')}?scope=all",
            "stops_url": rows_url("transfers.stop"),
            "tables": [limits(), institutions_table(), *parameter_tables(may=may)],
        }
        return TemplateResponse(request, "console/controls.html", context)

    def set_view(self, request: HttpRequest) -> HttpResponse:
        """Stop at once: the form is the confirmation."""
        actor = self.maker(request)
        names = ("scope", "institution", "fund", "investor", "deposits")
        initial = {name: request.GET[name] for name in names if request.GET.get(name)}
        form = StopForm(request.POST if request.method == "POST" else None, initial=initial)
        back = reverse("admin:transfers_controls")
        if request.method == "POST" and form.is_valid():
            (result,) = set_stops(stops=[form.new()], actor=actor)
            if not isinstance(result, Refused):
                messages.success(request, "Stopped. No new withdrawal begins for it.")
                return HttpResponseRedirect(back)
            messages.error(request, f"{result.error.title}. {result.error.detail} Nothing was changed.")
        return self.ask_for(request, SET, form, back=back, listed=[])

    def lift_view(self, request: HttpRequest, stop_id: uuid.UUID) -> HttpResponse:
        stop, actor = Stop.objects.select_related("fund", "investor").filter(pk=stop_id).first(), self.maker(request)
        if stop is None:
            raise Http404
        form = LiftForm(request.POST if request.method == "POST" else None)
        back = reverse("admin:transfers_controls")
        if request.method == "POST" and form.is_valid():
            why = form.cleaned_data["why"]
            if self.propose(request, Proposal(LIFT, stop.id, {"why": why}, why), actor):
                return HttpResponseRedirect(back)
        row = {"cells": [subject_of(stop), stop.why, when(stop.set_at)], "item": "", "version": stop.version}
        return self.ask_for(request, LIFTING, form, back=back, listed=[row])

    # --- columns

    @display(description="stopped")
    def subject(self, row: Stop) -> str:
        return subject_of(row)

    @display(description="state")
    def state(self, row: Stop) -> str:
        return badge("lifted", colour="grey") if row.lifted_at else badge("in force", colour="red")

    @display(description="holds back")
    def holds(self, row: Stop) -> str:
        return "withdrawals and deposits" if row.deposits else "withdrawals"

    @display(description="since", ordering="set_at")
    def begun(self, row: Stop) -> str:
        return when(row.set_at)

    @display(description="lifted", ordering="lifted_at")
    def ended(self, row: Stop) -> str:
        return when(row.lifted_at)
