"""The rule editor: every rule with what is in force, drafts of new values, their activation and their replay.

Longer than most modules: the pages of one editor, each a few lines, and the list behind them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.decorators import display

from bridge.approvals.asking import ASKED, asks
from bridge.approvals.models import Approval
from bridge.console.acting import ActingAdmin, ReasonForm, Verb
from bridge.console.base import ReadOnlyAdmin, actor_of
from bridge.console.display import badge, link, link_to, rows_url, when
from bridge.console.pages import Button, Table, button, section
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from funds import rulebook
from funds.admin.drafting import DraftForm
from funds.admin.replay import replay_context
from funds.admin.timeline import chart, values_text
from funds.drafted import changes
from funds.models import RuleParameters
from funds.rules.catalogue import BY_ID, RULES
from funds.rules.outcomes import Outcome
from funds.rules.registry import Rule
from funds.rules.wording import value_words

S = RuleParameters.State
STAGES = {"create": "request", "withdrawal": "before the withdrawal", "deposit": "before the deposit"}


def _discard(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    results: list[Result] = []
    for change in changes:
        try:
            row = rulebook.discard_draft(change=change, actor=actor)
        except BridgeError as error:
            results.append(Refused(change.id, error))
        else:
            results.append(Done(row.id, row.state, row.version))
    return results


def _is_draft(row: Any) -> bool:
    return row.state == S.DRAFT


VERBS = (
    Verb(
        name="activate",
        label="Propose activation",
        done=ASKED,
        question="A second person is asked to put these values in force. Until then nothing changes. An edit of the "
        "draft voids the request.",
        run=asks(kind=rulebook.ACTIVATE, model=RuleParameters),
        fits=_is_draft,
        roles=rulebook.OWNERS,
        icon="published_with_changes",
        form=ReasonForm,
        several=False,
    ),
    Verb(
        name="discard",
        label="Discard",
        done="discarded",
        question="Nobody wants this draft any more. It stays in the record and can never be activated.",
        run=_discard,
        fits=_is_draft,
        roles=rulebook.OWNERS,
        icon="delete",
        danger=True,
    ),
)


@admin.register(RuleParameters)
class RuleParametersAdmin(ActingAdmin, ReadOnlyAdmin):
    verbs = VERBS
    list_display = ("title", "state_badge", "scope", "shown_values", "begins", "ends", "note")
    list_filter = ("state", "rule", "fund")
    list_select_related = ("fund",)
    search_fields = ("rule__icontains", "note__icontains")
    search_help_text = "A rule, words of a note, or an id."
    ordering = ("-created_at",)
    id_columns: ClassVar = {"fund": "fund_id"}
    fields = (
        "rule_link",
        "title",
        "state_badge",
        "scope",
        "shown_values",
        "begins",
        "ends",
        "note",
        "maker",
        "activator",
        "created",
        "version",
    )

    def get_urls(self) -> list[URLPattern]:
        def own(route: str, view: Any, name: str) -> URLPattern:
            return path(
                route, transaction.non_atomic_requests(self.admin_site.admin_view(view)), name=f"funds_rule_{name}"
            )

        return [
            own("rules/", self.rules_view, "list"),
            own("rules/<slug:rule>/", self.rule_view, "page"),
            own("rules/<slug:rule>/draft/", self.draft_view, "draft"),
            own("draft/<uuid:pk>/", self.edit_view, "edit"),
            own("replay/", self.replay_view, "replay"),
            *super().get_urls(),
        ]

    def verb_rows(self) -> QuerySet:
        return RuleParameters.objects.select_related("fund")

    def describe(self, row: RuleParameters) -> Sequence[object]:
        return (str(row), self.scope(row), _values_and_returns(row), row.note)

    # --- pages

    def rules_view(self, request: HttpRequest) -> HttpResponse:
        """All rules in the order in which they run."""
        self._may_look(request)
        moment = clock.now()
        active = [row for row in self._rows(S.ACTIVE) if _covers(row, moment)]
        drafts = list(self._rows(S.DRAFT))
        rows = []
        for rule in RULES:
            own = [row for row in active if row.rule == rule.id]
            waiting = sum(row.rule == rule.id for row in drafts)
            rows.append(
                (
                    format_html(
                        '<a class="bridge-link" href="{}"><strong>{}</strong></a>'
                        '<div class="bridge-muted">{} · version {}</div>',
                        reverse("admin:funds_rule_page", args=[rule.id]),
                        rule.id.replace("_", " ").capitalize(),
                        rule.id,
                        rule.version,
                    ),
                    rule.asks,
                    _stages(rule),
                    _lifts(rule),
                    _lines([f"{_scope(row)}: #{row.number}" for row in own] or ["defaults"]),
                    link_count(waiting, rule),
                )
            )
        headers = ("rule", "what it asks", "when", "may be set aside", "in force", "drafts")
        table = Table(title=f"{len(RULES)} rules, in the order in which they run", headers=headers, rows=rows)
        more = {"table": table, "replay_url": reverse("admin:funds_rule_replay")}
        return self._page(request, "console/rules.html", "Rules", more)

    def rule_view(self, request: HttpRequest, rule: str) -> HttpResponse:
        self._may_look(request)
        known = _rule(rule)
        moment = clock.now()
        rows = [row for row in self._rows(S.ACTIVE) if row.rule == rule]
        drafts = [row for row in self._rows(S.DRAFT) if row.rule == rule]
        current = [row for row in rows if _covers(row, moment)]
        context = {
            "rule": known,
            "stages": _stages(known),
            "lifts": _lifts(known),
            "parameters": _parameters(known, current),
            "chart": chart(rule=rule, rows=rows, at=moment),
            "drafts": _drafts(drafts),
            "draft_url": self._draft_url(request, known),
            "replay_url": reverse("admin:funds_rule_replay"),
            "list_url": reverse("admin:funds_rule_list"),
        }
        return self._page(request, "console/rule.html", f"Rule: {rule.replace('_', ' ')}", context)

    def draft_view(self, request: HttpRequest, rule: str) -> HttpResponse:
        actor = self._owner(request)
        form = DraftForm(_rule(rule), None, request.POST or None, fund=request.GET.get("fund", ""))
        if request.method == "POST" and form.is_valid():
            try:
                row = rulebook.draft_parameters(draft=form.draft(), actor=actor)
            except BridgeError as error:
                form.add_error(None, f"{error.title}. {error.detail}")
            else:
                messages.success(request, f"Draft #{row.number} is kept. Nothing changes before it is activated.")
                return HttpResponseRedirect(self._page_url(row))
        back = reverse("admin:funds_rule_page", args=[rule])
        return self._form(request, form, f"New values for {rule.replace('_', ' ')}", back)

    def edit_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        actor = self._owner(request)
        row = RuleParameters.objects.select_related("fund").filter(pk=pk).first()
        if row is None:
            raise Http404
        if row.state != S.DRAFT:
            messages.error(request, f"It is {row.get_state_display()}: only a draft can be edited.")
            return HttpResponseRedirect(self._page_url(row))
        form = DraftForm(_rule(row.rule), row, request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                rulebook.edit_draft(change=form.change(), draft=form.draft(), actor=actor)
            except BridgeError as error:
                form.add_error(None, f"{error.title}. {error.detail} Nothing was changed.")
            else:
                messages.success(request, "The draft is changed. A request to activate it is void now.")
                return HttpResponseRedirect(self._page_url(row))
        return self._form(request, form, f"Edit {row} for {_scope(row)}", self._page_url(row))

    def replay_view(self, request: HttpRequest) -> HttpResponse:
        self._may_look(request)
        return self._page(request, "console/replay.html", "Replay a draft", replay_context(request))

    def _page(self, request: HttpRequest, template: str, title: str, more: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **more}
        return TemplateResponse(request, template, context)

    def _form(self, request: HttpRequest, form: DraftForm, title: str, back: str) -> HttpResponse:
        moment = clock.now()
        current = [row for row in self._rows(S.ACTIVE) if row.rule == form.rule.id and _covers(row, moment)]
        more = {"form": form, "back": back, "rule": form.rule, "button": "Keep the draft"}
        more["parameters"] = _parameters(form.rule, current)
        return self._page(request, "console/draft.html", title, more)

    def _may_look(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _owner(self, request: HttpRequest) -> Actor:
        self._may_look(request)
        actor = actor_of(request, among=rulebook.OWNERS)
        if actor is None:
            raise PermissionDenied
        return actor

    def _draft_url(self, request: HttpRequest, rule: Rule) -> str:
        """Where a draft is made, for those who may; nothing for a rule without values to set."""
        may = rule.parameters and actor_of(request, among=rulebook.OWNERS) is not None
        return reverse("admin:funds_rule_draft", args=[rule.id]) if may else ""

    def _rows(self, state: str) -> QuerySet[RuleParameters]:
        return RuleParameters.objects.filter(state=state).select_related("fund").order_by("rule", "effective_from")

    # --- columns

    @display(description="set", ordering="rule")
    def title(self, row: RuleParameters) -> str:
        return str(row)

    @display(description="rule")
    def rule_link(self, row: RuleParameters) -> str:
        if row.rule not in BY_ID:
            return row.rule
        url = reverse("admin:funds_rule_page", args=[row.rule])
        return format_html('<a class="bridge-link" href="{}">{}</a>: {}', url, row.rule, BY_ID[row.rule].asks)

    @display(description="state", ordering="state")
    def state_badge(self, row: RuleParameters) -> str:
        if row.state == S.ACTIVE:
            moment = clock.now()
            if row.effective_from > moment:
                return badge("planned", colour="blue")
            return badge("in force", colour="green") if _covers(row, moment) else badge("past", colour="grey")
        return badge(row.state, colour="amber" if row.state == S.DRAFT else "grey")

    @display(description="for")
    def scope(self, row: RuleParameters) -> str:
        return link_to(row.fund) if row.fund else "all funds"

    @display(description="values")
    def shown_values(self, row: RuleParameters) -> str:
        return values_text(row)

    @display(description="from", ordering="effective_from")
    def begins(self, row: RuleParameters) -> str:
        return when(row.effective_from)

    @display(description="until")
    def ends(self, row: RuleParameters) -> str:
        return when(row.effective_to) if row.effective_to else "open"

    @display(description="drafted by")
    def maker(self, row: RuleParameters) -> str:
        return _login(row.made_by)

    @display(description="activated by")
    def activator(self, row: RuleParameters) -> str:
        return _login(row.activated_by) or "nobody yet"

    @display(description="since")
    def created(self, row: RuleParameters) -> str:
        return when(row.created_at)


@section("funds.ruleparameters", permission="funds.view_ruleparameters", order=10)
def changes_of_draft(request: HttpRequest, row: Any) -> Table | None:
    """What a draft would change when it begins, with what it leaves empty."""
    if row.state != S.DRAFT:
        return None
    found = changes(row, at=clock.now())
    back = sum(change.left_empty for change in found)
    return Table(
        title="What it would change",
        headers=("value", "in force when it begins", "by this draft"),
        rows=[
            (
                format_html('{}<div class="bridge-warning">left empty: back to the default</div>', spoken(change.name))
                if change.left_empty
                else spoken(change.name),
                change.old,
                format_html("<strong>{}</strong>", change.new),
            )
            for change in found
        ],
        empty="Nothing when it begins: it changes until when these values count.",
        note=_returns(back),
    )


@button("funds.ruleparameters")
def edit_button(request: HttpRequest, row: Any) -> Button | None:
    if row.state != S.DRAFT or actor_of(request, among=rulebook.OWNERS) is None:
        return None
    return Button("edit", "Edit the draft", "edit", reverse("admin:funds_rule_edit", args=[row.pk]))


@button("funds.ruleparameters")
def replay_button(request: HttpRequest, row: Any) -> Button | None:
    if row.state != S.DRAFT:
        return None
    return Button("replay", "Replay over the past", "history", f"{reverse('admin:funds_rule_replay')}?draft={row.pk}")


@button("funds.ruleparameters")
def request_button(request: HttpRequest, row: Any) -> Button | None:
    """The open request for its activation, for those who decide."""
    asked = Approval.objects.filter(subject_type="rule_parameters", subject_id=row.pk, state="open").first()
    if asked is None or not request.user.has_perm("approvals.view_approval"):
        return None
    url = reverse("admin:approvals_approval_change", args=[asked.pk])
    return Button("asked", "Open the request for activation", "approval", url)


def _rule(rule: str) -> Rule:
    if rule not in BY_ID:
        raise Http404
    return BY_ID[rule]


def _covers(row: RuleParameters, moment: Any) -> bool:
    return row.effective_from <= moment and (row.effective_to is None or moment < row.effective_to)


def _scope(row: RuleParameters) -> str:
    return row.fund.name if row.fund else "all funds"


def _stages(rule: Rule) -> str:
    return ", ".join(STAGES.get(stage, stage.replace("_", " ")) for stage in rule.stages)


def _lifts(rule: Rule) -> str:
    return "never" if rule.overridable == Outcome.PASS else f"up to {rule.overridable.value}"


def _returns(count: int) -> str:
    if not count:
        return ""
    return f"{count} value{'' if count == 1 else 's'} that this draft leaves empty would go back to the default."


def _values_and_returns(row: RuleParameters) -> str:
    """The values of a set, and of a draft what goes back to the default because it is left empty."""
    text = values_text(row)
    back = [change for change in changes(row, at=clock.now()) if change.left_empty] if row.state == S.DRAFT else []
    told = [f"{spoken(change.name)}: {change.old} → {change.new}, the default" for change in back]
    return format_html('{}<div class="bridge-warning">{}</div>', text, _lines(told)) if told else text


def _lines(texts: Sequence[str]) -> str:
    return format_html("{}" + "<br>{}" * (len(texts) - 1), *texts)


def spoken(name: str) -> str:
    return name.replace("_", " ")


def link_count(count: int, rule: Rule) -> str:
    if not count:
        return "–"
    url = rows_url("funds.ruleparameters", state__exact="draft", rule=rule.id)
    return format_html('<a class="bridge-link" href="{}">{}</a>', url, count)


def _parameters(rule: Rule, current: Sequence[RuleParameters]) -> Table:
    """Each parameter with its default and what is in force for all funds and for single funds."""
    scopes = sorted(current, key=lambda row: (row.fund is not None, _scope(row)))
    rows = []
    for name, parameter in rule.parameters.items():
        cells: list[object] = [
            format_html(
                '<strong>{}</strong><div class="bridge-muted">{}</div>', name.replace("_", " "), parameter.help
            ),
            value_words(rule, name, rule.defaults),
        ]
        for row in scopes:
            text = value_words(rule, name, row.values)
            cells.append(
                text if name in row.values else format_html('<span class="bridge-muted">{} (default)</span>', text)
            )
        rows.append(tuple(cells))
    heads = [f"{_scope(row)} (#{row.number})" for row in scopes]
    note = "" if scopes else "No values are set: the defaults are in force for all funds."
    empty = "This rule has no parameters."
    return Table(
        title="Parameters in force", headers=("parameter", "default", *heads), rows=rows, empty=empty, note=note
    )


def _drafts(drafts: Sequence[RuleParameters]) -> Table:
    rows = [
        (
            link("funds.ruleparameters", row.pk, f"#{row.number}"),
            _scope(row),
            values_text(row),
            when(row.effective_from),
            row.note,
        )
        for row in drafts
    ]
    headers = ("draft", "for", "values", "from", "note")
    return Table(title="Drafts", headers=headers, rows=rows, empty="No draft waits.")


def _login(login: str) -> str:
    if not login.isdecimal():
        return login
    return get_user_model().objects.filter(pk=int(login)).values_list("username", flat=True).first() or login


@section("funds.fund", permission="funds.view_ruleparameters", order=25)
def rules_of_fund(request: HttpRequest, fund: Any) -> Table:
    """Values that this fund has of its own, now or later."""
    rows = RuleParameters.objects.filter(fund_id=fund.pk).exclude(state=S.DISCARDED).order_by("rule", "-number")[:20]
    page = RuleParametersAdmin(RuleParameters, admin.site)
    return Table(
        title="Rules with values of its own",
        headers=("set", "is", "values", "from"),
        rows=[(link_to(row), page.state_badge(row), values_text(row), when(row.effective_from)) for row in rows],
        empty="None: what is in force for all funds is in force here.",
        more=reverse("admin:funds_rule_list"),
        more_text="All rules",
    )
