"""Parameters: what is in force for each scope, every row there ever was, and the page that proposes a change."""

from __future__ import annotations

import uuid
from datetime import UTC
from types import SimpleNamespace
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.base import actor_of
from bridge.console.display import link_to, when
from bridge.console.pages import Button, button
from bridge.kernel import clock
from bridge.kernel.rails import Rail
from funds.models import Fund
from transfers.admin.asking import AskingAdmin
from transfers.admin.parameter_texts import shown, written
from transfers.asked import MAKERS
from transfers.controls.changing import CHANGE, payload_of, values_of
from transfers.models import Parameters
from transfers.parameters import PARAMETERS, SETTINGS_ONLY, BadParameter, BadScope, Parameter, Scope, Unit
from transfers.policy import Policy, policy


def name_of(scope: Scope) -> str:
    if scope.fund_id is None:
        return scope.label
    return Fund.objects.filter(pk=scope.fund_id).values_list("name", flat=True).first() or "fund"


def change_url(scope: Scope) -> str:
    query = f"institution={scope.institution}&rail={scope.rail}&fund={scope.fund_id or ''}"
    return f"{reverse('admin:transfers_parameters_propose')}?{query}"


def _field(parameter: Parameter, own: dict[str, Any], inherited: Policy) -> forms.CharField | forms.ChoiceField:
    usual = shown(parameter, getattr(inherited, parameter.name))
    label = parameter.name.replace("_", " ")
    initial = shown(parameter, own[parameter.name]) if parameter.name in own else ""
    if parameter.unit == Unit.CHOICE:
        choices = [("", f"as elsewhere: {usual}"), *((name, name.replace("_", " ")) for name in parameter.choices)]
        return forms.ChoiceField(
            choices=choices,
            required=False,
            initial=initial,
            label=label,
            widget=UnfoldAdminSelectWidget,
            help_text=f"{parameter.says}.",
        )
    return forms.CharField(
        required=False,
        strip=True,
        max_length=200,
        initial=initial,
        label=label,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": usual}),
        help_text=f"{parameter.says}.",
    )


class ChangeForm(forms.Form):
    """All that a scope sets. An empty field leaves it to the wider scope, whose value stands in it in grey."""

    def __init__(self, scope: Scope, data: Any = None) -> None:
        super().__init__(data)
        self.scope = scope
        own = values_of(scope, at=clock.now())
        inherited = policy() if scope.fund_id or scope.institution else policy(rail=scope.rail)
        for parameter in PARAMETERS.values():
            if parameter.name in SETTINGS_ONLY or (parameter.house_only and scope != Scope()):
                continue
            self.fields[parameter.name] = _field(parameter, own, inherited)
        self.fields["effective_from"] = inputs.moment("Empty: as soon as the second person agrees.", label="From")
        self.fields["why"] = inputs.words("Why, and who wants it. Kept for ever.")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        values: dict[str, Any] = {}
        for name, text in list(given.items()):
            if name not in PARAMETERS or not text:
                continue
            try:
                values[name] = written(PARAMETERS[name], text)
            except (ValueError, BadParameter) as error:
                self.add_error(name, str(error))
        return {**given, "values": values}

    def payload(self) -> dict[str, Any]:
        data = self.cleaned_data
        moment = data["effective_from"]
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return payload_of(scope=self.scope, values=data["values"], why=data["why"], effective_from=moment)


@admin.register(Parameters)
class ParametersAdmin(AskingAdmin):
    list_display = ("scope", "begins", "sets", "why", "made_by", "approved_by")
    list_filter = ("institution", "rail")
    list_select_related = ("fund",)
    search_fields = ("institution__exact", "why")
    search_help_text = "An institution, words of the reason, or an id (fund_…)."
    ordering = ("-effective_from",)
    id_columns: ClassVar = {"fund": "fund_id"}
    fields = ("scope", "fund_link", "begins", "sets", "why", "made_by", "approved_by", "created_at")

    def get_urls(self) -> list[URLPattern]:
        view = transaction.non_atomic_requests(self.admin_site.admin_view(self.propose_view))
        return [path("propose/", view, name="transfers_parameters_propose"), *super().get_urls()]

    def propose_view(self, request: HttpRequest) -> HttpResponse:
        """Every parameter of one scope, then a proposal."""
        actor = self.maker(request)
        try:
            scope = Scope.of({name: request.GET.get(name, "") for name in ("institution", "rail", "fund")})
        except BadScope as error:
            raise Http404 from error
        form = ChangeForm(scope, request.POST if request.method == "POST" else None)
        back = reverse("admin:transfers_controls")
        if request.method == "POST" and form.is_valid():
            given = form.payload()
            if self.propose(request, Proposal(CHANGE, scope.id, given, given["why"]), actor):
                return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Parameters of {name_of(scope)}",
            "opts": self.opts,
            "form": form,
            "back": back,
            "button": "Ask a second person",
            "rule": SimpleNamespace(
                asks="What you fill in counts from then on; where you leave a field empty, the grey value does."
            ),
        }
        return TemplateResponse(request, "console/parameters.html", context)

    @display(description="for")
    def scope(self, row: Parameters) -> str:
        return row.fund.name if row.fund else Scope(row.institution, row.rail).label

    @display(description="fund")
    def fund_link(self, row: Parameters) -> str:
        return link_to(row.fund) if row.fund else "–"

    @display(description="from", ordering="effective_from")
    def begins(self, row: Parameters) -> str:
        return when(row.effective_from)

    @display(description="sets")
    def sets(self, row: Parameters) -> str:
        return in_words(row.values)


def in_words(values: dict[str, Any]) -> str:
    known = ((name.replace("_", " "), shown(PARAMETERS[name], value)) for name, value in sorted(values.items()))
    return "; ".join(f"{name} {text}" for name, text in known) or "nothing of its own"


def choices() -> list[tuple[str, Scope]]:
    """Scopes that a change may be proposed for, funds apart."""
    houses = sorted(settings.BRIDGE_GATEWAYS)
    found = [Scope(), *(Scope(rail=rail) for rail in Rail.values), *(Scope(institution=name) for name in houses)]
    return [(scope.label, scope) for scope in found]


def scope_of(row: Parameters) -> Scope:
    return Scope(row.institution, row.rail, uuid.UUID(str(row.fund_id)) if row.fund_id else None)


@button("funds.fund")
def parameters_of_fund(request: HttpRequest, fund: Model) -> Button | None:
    if actor_of(request, among=MAKERS) is None or not request.user.has_perm("transfers.view_parameters"):
        return None
    return Button("parameters", "Propose parameters", "tune", change_url(Scope(fund_id=fund.pk)))


@button("funds.fund")
def stop_of_fund(request: HttpRequest, fund: Model) -> Button | None:
    if actor_of(request, among=MAKERS) is None or not request.user.has_perm("transfers.view_stop"):
        return None
    return Button(
        "stop", "Stop", "block", f"{reverse('admin:transfers_stop_set')}?scope=fund&fund={fund.pk}", danger=True
    )
