"""The queue of decisions for two people: what is asked, what it rests on, and who may decide.

Longer than most modules: the list, the page and the three actions of one model read best together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from bridge.approvals import services, wording
from bridge.approvals.handlers import Handler, UnknownKind, handler_for, kinds
from bridge.approvals.models import Approval
from bridge.console import finding
from bridge.console.acting import ActingAdmin, Verb
from bridge.console.base import ReadOnlyAdmin, actor_of
from bridge.console.display import badge, link, masked, when, whole_id
from bridge.kernel import clock
from bridge.kernel.api.roles import roles_of
from bridge.kernel.results import Actor, Change, Result, Role

S = Approval.State
PEOPLE = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
DECIDERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
HIDDEN = wording.SECRET
COLOURS = {S.OPEN: "amber", S.APPROVED: "green", S.REJECTED: "red"}


def known_handler(kind: str) -> Handler | None:
    """Nothing for a kind that only an earlier version knew."""
    try:
        return handler_for(kind)
    except UnknownKind:
        return None


def kind_words(kind: str) -> str:
    """`transfer.review` → transfer: review."""
    return kind.replace(".", ": ").replace("_", " ")


def not_together(rows: Sequence[Approval]) -> str:
    """Why these may not be approved with one click; empty where they may. Each but a review is read by itself."""
    if len(rows) < 2:
        return ""
    others = {row.kind for row in rows if not ((handler := known_handler(row.kind)) and handler.together)}
    if not others:
        return ""
    may = " or ".join(kind_words(kind) for kind in kinds() if handler_for(kind).together)
    return (
        f"Approve each of these by itself, on its own page: only {may} may be approved together, and you chose "
        f"{len(rows)} with {', '.join(sorted(kind_words(kind) for kind in others))} among them. Nothing was approved."
    )


def for_me(request: HttpRequest) -> Q:
    """Open requests that this person may decide: a kind for one of their roles, asked for by somebody else."""
    roles = roles_of(request.user)
    mine = [kind for kind in kinds() if roles & handler_for(kind).checkers]
    return Q(state=S.OPEN, kind__in=mine) & ~Q(maker=str(request.user.pk))


def waiting(request: HttpRequest) -> int:
    """How many this person may decide now; beside the entry in the sidebar."""
    if not request.user.has_perm("approvals.view_approval"):
        return 0
    return Approval.objects.filter(for_me(request)).count()


def badge_of(request: HttpRequest) -> str:
    """The same for the sidebar: empty where nothing waits."""
    return str(waiting(request) or "")


def standing(request: HttpRequest, row: Approval) -> str:
    """Why this person may or may not decide, in plain words."""
    if row.state != S.OPEN:
        return f"Nothing is left to decide: it is {row.get_state_display()}."
    handler = known_handler(row.kind)
    if handler is None:
        return "This version of Bridge does not know this kind of decision. Nobody can decide it here."
    if row.maker == str(request.user.pk):
        return (
            "You asked for this yourself, so you cannot decide about it: somebody else must. "
            "That is so for every role, and for superusers."
        )
    needed = " or ".join(sorted(handler.checkers))
    if not roles_of(request.user) & handler.checkers:
        whole = " Being a superuser is no role." if request.user.is_superuser else ""
        return f"Only {needed} may decide about this, and you have no such role.{whole}"
    return "You may decide. Read what is asked and what it rests on; you approve exactly that, bound by its hash."


def _call(decide: Any) -> Any:
    def run(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
        results = decide(changes=changes, actor=actor)
        assert isinstance(results, list)  # an answer comes only with a key
        return results

    return run


def _is_open(row: Any) -> bool:
    return row.state == S.OPEN


VERBS = (
    Verb(
        name="approve",
        label="Approve",
        done="approved",
        question="What is asked for below is done now, exactly as it was asked. If it changed since, nothing is done.",
        run=_call(services.approve),
        fits=lambda row: row.state == S.OPEN and known_handler(row.kind) is not None,
        roles=DECIDERS,
        icon="check",
    ),
    Verb(
        name="reject",
        label="Reject",
        done="rejected",
        question="What is asked for is not done. The maker sees your reason. Rejecting a review ends its transfer.",
        run=_call(services.reject),
        fits=lambda row: row.state == S.OPEN and known_handler(row.kind) is not None,
        roles=DECIDERS,
        icon="block",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name="withdraw",
        label="Withdraw",
        done="withdrawn",
        question="You take your own request back. Nothing is done.",
        run=_call(services.withdraw),
        fits=_is_open,
        roles=PEOPLE,
        icon="undo",
    ),
)


class QueueFilter(SimpleListFilter):
    """Open ones unless something else is chosen."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = [("me", "open, for me to decide"), ("asked", "asked for by me"), ("all", "all")]
        return [*own, *((state.value, str(state.label)) for state in S if state != S.OPEN)]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "open"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "all":
            return queryset
        if value == "me":
            return queryset.filter(for_me(request))
        if value == "asked":
            return queryset.filter(maker=str(request.user.pk))
        return queryset.filter(state=value if value in S.values else S.OPEN)


@admin.register(Approval)
class ApprovalAdmin(ActingAdmin, ReadOnlyAdmin):
    verbs = VERBS
    _names: dict[str, str] = {}  # login → name, read anew for every page
    list_display = ("summary", "state_badge", "kind_text", "maker_name", "age", "expires")
    list_filter = (QueueFilter, "kind")
    search_fields = ("summary__icontains",)
    search_help_text = "Words of the summary, or an id (apr_…, trf_…, fund_…, acct_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {
        "approval": "id",
        "transfer": "subject_id",
        "fund": "subject_id",
        "account": "subject_id",
    }
    fields = (
        "identifier",
        "state_badge",
        "you",
        "summary",
        "kind_text",
        "subject",
        "reason",
        "asked",
        "rests_on",
        "maker_name",
        "asked_at",
        "expires",
        "decided_by",
        "decision_reason",
        "decided",
        "small_print",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        self._names = {}
        return super().get_queryset(request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.standing = standing(request, row)
        return row

    def actor_for(self, request: HttpRequest, verb: Verb, row: Approval | None) -> Actor | None:
        if row is None:
            return super().actor_for(request, verb, row)
        handler = known_handler(row.kind)
        if verb.name == "withdraw":
            return None if handler is None else actor_of(request, among=PEOPLE)
        # Somebody with two roles acts in the one that this kind asks for.
        return (handler and actor_of(request, among=handler.checkers)) or actor_of(request, among=verb.roles)

    def verbs_for(self, request: HttpRequest, row: Approval) -> list[dict[str, Any]]:
        mine = row.maker == str(request.user.pk)
        handler = known_handler(row.kind)
        may = set()
        if handler is not None and not mine and roles_of(request.user) & handler.checkers:
            may = {"approve", "reject"}
        if handler is not None and mine and handler.decide is None:
            may = {"withdraw"}
        return [verb for verb in super().verbs_for(request, row) if verb["name"] in may]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if "approve" in actions:
            run, name, _ = actions["approve"]
            actions["approve"] = (run, name, "Approve several reviews …")
        return actions

    def confirm(
        self,
        request: HttpRequest,
        verb: Verb,
        items: Sequence[tuple[UUID, int]],
        rows: dict[UUID, Any],
        form: forms.Form,
    ) -> HttpResponse:
        return self._refused(request, verb, rows) or super().confirm(request, verb, items, rows, form)

    def _carry_out(
        self,
        request: HttpRequest,
        verb: Verb,
        *,
        actor: Actor,
        items: Sequence[tuple[UUID, int]],
        rows: dict[UUID, Any],
        data: dict[str, Any],
    ) -> HttpResponse:
        done = super()._carry_out
        return self._refused(request, verb, rows) or done(request, verb, actor=actor, items=items, rows=rows, data=data)

    def _refused(self, request: HttpRequest, verb: Verb, rows: dict[UUID, Any]) -> HttpResponse | None:
        why = not_together(list(rows.values())) if verb.name == "approve" else ""
        if not why:
            return None
        messages.error(request, why)
        return HttpResponseRedirect(self._list_url())

    def describe(self, row: Approval) -> Sequence[object]:
        resting = format_html('<div class="bridge-muted">{}</div>{}', "rests on", rests_on(row)) if row.seen else ""
        return (row.summary, kind_words(row.kind), asked_for(row), resting, row.reason)

    @display(description="approval")
    def identifier(self, row: Approval) -> str:
        return whole_id("approval", row.pk)

    @display(description="you")
    def you(self, row: Approval) -> str:
        return format_html('<strong class="bridge-standing">{}</strong>', getattr(row, "standing", ""))

    @display(description="state", ordering="state")
    def state_badge(self, row: Approval) -> str:
        return badge(row.state, row.get_state_display(), COLOURS.get(S(row.state), "grey"))

    @display(description="what", ordering="kind")
    def kind_text(self, row: Approval) -> str:
        return kind_words(row.kind)

    @display(description="about")
    def subject(self, row: Approval) -> str:
        return subject_link(row)

    @display(description="what is asked")
    def asked(self, row: Approval) -> str:
        return asked_for(row)

    @display(description="what it rests on")
    def rests_on(self, row: Approval) -> str:
        return rests_on(row)

    @display(description="bound to")
    def small_print(self, row: Approval) -> str:
        return format_html(
            '<small class="bridge-muted"><span class="bridge-id">{}</span>, version {}</small>',
            row.bound_hash,
            row.version,
        )

    @display(description="asked by")
    def maker_name(self, row: Approval) -> str:
        return format_html('{} <span class="bridge-muted">({})</span>', self._name(row.maker), row.maker_role)

    @display(description="decided by")
    def decided_by(self, row: Approval) -> str:
        if not row.checker:
            return "nobody yet"
        return format_html('{} <span class="bridge-muted">({})</span>', self._name(row.checker), row.checker_role)

    @display(description="asked", ordering="created_at")
    def age(self, row: Approval) -> str:
        hours = int((clock.now() - row.created_at).total_seconds() // 3600)
        text = "just now" if hours < 1 else f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"
        return format_html('<span title="{}">{}</span>', f"{row.created_at:%Y-%m-%d %H:%M} UTC", text)

    @display(description="asked at")
    def asked_at(self, row: Approval) -> str:
        return when(row.created_at)

    @display(description="expires", ordering="expires_at")
    def expires(self, row: Approval) -> str:
        return when(row.expires_at)

    @display(description="decided")
    def decided(self, row: Approval) -> str:
        return when(row.decided_at)

    def _name(self, login: str) -> str:
        """The name of a login, asked once per page: the few people of the firm."""
        if not login.isdecimal():
            return login
        if not self._names:
            staff = get_user_model().objects.filter(is_staff=True).values_list("pk", "username")
            self._names = {str(pk): name for pk, name in staff}
        if login not in self._names:
            other = get_user_model().objects.filter(pk=int(login)).values_list("username", flat=True).first()
            self._names[login] = other or login
        return self._names[login]


def subject_link(row: Approval) -> SafeString:
    """The page of what the approval is about, where it has one."""
    handler = known_handler(row.kind)
    kind = (handler.id_kind if handler else "") or row.subject_type
    if kind in finding.PAGES:
        return link(finding.PAGES[kind].replace("_", ".", 1), row.subject_id, whole_id(kind, row.subject_id))
    if kind == "rule_parameters":
        return link("funds.ruleparameters", row.subject_id, "the draft")
    return format_html("{}", row.subject_id)


def asked_for(row: Approval) -> SafeString:
    """What is asked, as a table for people: what the kind says in words, then the rest of the payload."""
    handler = known_handler(row.kind)
    words = list(handler.words(row)) if handler is not None and handler.words is not None else []
    rows = [*words, *_facts(row, row.payload)]
    return _table(rows, "what the summary says, on what it rests on" if row.seen else "what the summary says")


def rests_on(row: Approval) -> SafeString:
    """What the subject looked like when it was asked; if that differs when somebody decides, nothing is done."""
    return _table(_facts(row, row.seen), "nothing else")


def _facts(row: Approval, values: dict[str, Any]) -> list[tuple[str, object]]:
    """JSON for people, without what nobody may read and what the words of the kind have said."""
    handler = known_handler(row.kind)
    currency = wording.currency_of(handler, row)
    told = HIDDEN | (handler.told if handler is not None else frozenset())
    if currency and wording.AMOUNTS & values.keys():
        told |= {"currency"}  # it stands before the amount
    facts: list[tuple[str, object]] = [
        (wording.name_of(name), wording.text_of(name, masked(values[name]), currency))
        for name in sorted(values.keys() - told)
    ]
    if "number" in values:
        facts.append(("account number", "as it was then, kept as a keyed hash"))
    return facts


def _table(rows: Sequence[tuple[str, object]], empty: str) -> SafeString:
    if not rows:
        return format_html('<span class="bridge-muted">{}</span>', empty)
    lines = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", rows)
    return format_html('<dl class="bridge-facts bridge-facts--inner">{}</dl>', lines)
