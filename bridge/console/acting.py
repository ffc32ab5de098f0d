"""Actions: a confirmation page that carries `id:version`, then one call of one service, then what became of each.

Services open their own durable transaction, so these are views of their own and never a part of an admin form.

Longer than most modules: the confirmation, the deed and its outcome are one path.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from bridge.console.base import ConsoleAdmin, actor_of
from bridge.console.inputs import differences
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor, Change, Done, Refused, Result, Role

MOST = 200  # of a list; more than that nobody reads before confirming
Run = Callable[[Sequence[Change], Actor, dict[str, Any]], Sequence[Result]]


class ReasonForm(forms.Form):
    """Why. Kept with the event for ever."""

    reason = forms.CharField(
        max_length=300,
        required=False,
        strip=True,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "maxlength": 300}),
        help_text="Kept in the event log. The investor may be told.",
    )


@dataclass(frozen=True)
class Verb:
    """One thing that people may do to rows of one model."""

    name: str  # in the address: `cancel`
    label: str  # on the button: `Cancel`
    done: str  # afterwards: `cancelled`
    question: str  # what confirming will do, in plain words
    run: Run
    fits: Callable[[Any], bool]  # whether this row can be asked it now; the service decides again
    roles: frozenset[Role]
    icon: str = "bolt"
    danger: bool = False
    needs_reason: bool = False  # whichever form it has
    form: type[forms.Form] | None = None
    several: bool = True  # also from the list
    build: Callable[[Any, Any], forms.Form] | None = None  # a form that depends on the row: row, data → form

    def bound_form(self, row: Any, data: Any = None) -> forms.Form:
        form: forms.Form
        if self.build is not None:
            form = self.build(row, data)
        elif self.form is not None:
            form = self.form(data)
        else:
            form = ReasonForm(data)
        if self.needs_reason:
            form.fields["reason"].required = True
        return form


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of the page that says what became of each."""

    text: str
    url: str
    good: bool
    message: str


class ActingAdmin(ConsoleAdmin):
    """A page with verbs. `verbs` are offered by state and role, on the page and in the list."""

    verbs: tuple[Verb, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        label = f"{self.opts.app_label}_{self.opts.model_name}"
        own = path(
            "act/<slug:verb>/",
            transaction.non_atomic_requests(self.admin_site.admin_view(self.act_view)),
            name=f"{label}_act",
        )
        return [own, *super().get_urls()]

    def verb_rows(self) -> QuerySet:
        """Rows as a confirmation shows them."""
        return self.model._default_manager.all()

    def describe(self, row: Any) -> Sequence[object]:
        """Cells that tell which row it is; the first one is its name."""
        return (str(row),)

    def actor_for(self, request: HttpRequest, verb: Verb, row: Any | None) -> Actor | None:
        """Who does it, in a role that may; nothing where this person may not. `row` None: asked before one is known."""
        return actor_of(request, among=verb.roles)

    def verbs_for(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The buttons of one row's page, for this person."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=["verb"])
        return [
            {
                "name": verb.name,
                "label": verb.label,
                "icon": verb.icon,
                "danger": verb.danger,
                "url": f"{url.removesuffix('verb/')}{verb.name}/?item={row.pk}:{row.version}",
            }
            for verb in self.verbs
            if verb.fits(row) and self.actor_for(request, verb, row) is not None
        ]

    def page_context(self, request: HttpRequest, row: Model) -> dict[str, Any]:
        context = super().page_context(request, row)
        return {**context, "verbs": [*self.verbs_for(request, row), *context.get("verbs", ())]}

    # --- from the list

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        for verb in self.verbs:
            if verb.several and self.actor_for(request, verb, None) is not None:
                actions[verb.name] = (_list_action(verb), verb.name, f"{verb.label} …")
        return actions

    # --- the confirmation and the deed

    def act_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        found = next((known for known in self.verbs if known.name == verb), None)
        if found is None or not self.has_view_permission(request):
            raise PermissionDenied
        if self.actor_for(request, found, None) is None:
            raise PermissionDenied
        items = _items(request.POST if request.method == "POST" else request.GET)
        if not items:
            messages.warning(request, "Choose at least one first.")
            return HttpResponseRedirect(self._list_url())
        rows = {row.pk: row for row in self.verb_rows().filter(pk__in=[pk for pk, _ in items])}
        first = rows.get(items[0][0])
        if first is None:
            messages.error(request, "This is not there, or not yours to see.")
            return HttpResponseRedirect(self._list_url())
        actor = self.actor_for(request, found, first if len(items) == 1 else None)
        if actor is None:
            raise PermissionDenied
        form = found.bound_form(first, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._carry_out(request, found, actor=actor, items=items, rows=rows, data=form.cleaned_data)
        return self.confirm(request, found, items, rows, form)

    def ask_again(self, request: HttpRequest, verb: Verb, pk: uuid.UUID, told: str) -> HttpResponse:
        """The confirmation of one row after a refusal: what was typed stays, and the row is shown as it is now."""
        messages.error(request, told)
        row = self.verb_rows().filter(pk=pk).first()
        if row is None:
            return HttpResponseRedirect(self._list_url())
        form = renewed(lambda data: verb.bound_form(row, data), request.POST)
        return self.confirm(request, verb, [(pk, row.version)], {pk: row}, form)

    def confirm(
        self,
        request: HttpRequest,
        verb: Verb,
        items: Sequence[tuple[uuid.UUID, int]],
        rows: dict[uuid.UUID, Any],
        form: forms.Form,
    ) -> HttpResponse:
        """What will happen to what, as it is now. The version that the person will have seen goes along."""
        listed = []
        for pk, version in items:
            row = rows.get(pk)
            if row is None:
                continue
            seen = version if form.is_bound else row.version
            warning = ""
            if not verb.fits(row):
                warning = "not possible as it stands now; it will be refused"
            elif version not in (-1, row.version):
                warning = f"changed since you opened it: version {version} then, {row.version} now"
            listed.append(
                {"item": f"{pk}:{seen}", "cells": self.describe(row), "version": row.version, "warning": warning}
            )
        one = rows[items[0][0]] if len(items) == 1 else None
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.label}: {one}" if one else f"{verb.label} {len(listed)} {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "verb": verb,
            "impossible": not any(verb.fits(rows[pk]) for pk, _ in items if pk in rows),
            "listed": listed,
            "form": form,
            "action": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[verb.name]),
            "back": self._page_url(one) if one else self._list_url(),
        }
        return TemplateResponse(request, "console/confirm.html", context)

    def _carry_out(
        self,
        request: HttpRequest,
        verb: Verb,
        *,
        actor: Actor,
        items: Sequence[tuple[uuid.UUID, int]],
        rows: dict[uuid.UUID, Any],
        data: dict[str, Any],
    ) -> HttpResponse:
        reason = str(data.get("reason", ""))
        changes = [Change(id=pk, expected_version=version, reason=reason) for pk, version in items]
        try:
            results: Sequence[Result] = verb.run(changes, actor, data)
        except BridgeError as error:
            results = [Refused(change.id, error) for change in changes]
        outcomes = [
            self._outcome(verb, change, result, rows.get(change.id))
            for change, result in zip(changes, results, strict=True)
        ]
        if len(outcomes) == 1:
            (outcome,) = outcomes
            if not outcome.good:
                return self.ask_again(request, verb, items[0][0], outcome.message)
            messages.success(request, outcome.message)
            return HttpResponseRedirect(outcome.url)
        good = sum(outcome.good for outcome in outcomes)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.label}: {good} of {len(outcomes)} {verb.done}",
            "opts": self.opts,
            "outcomes": outcomes,
            "back": self._list_url(),
        }
        return TemplateResponse(request, "console/outcomes.html", context)

    def _outcome(self, verb: Verb, change: Change, result: Result, row: Any) -> Outcome:
        url = self._page_url(row) if row is not None else self._list_url()
        text = str(self.describe(row)[0]) if row is not None else str(change.id)
        if isinstance(result, Done):
            said = str(result.data.get("said") or verb.done)
            new = result.state.replace("_", " ")
            news = bool(new) and result.state != _state_of(row) and new != said
            return Outcome(text, url, True, f"{said[:1].upper()}{said[1:]}.{f' It is now {new}.' if news else ''}")
        return Outcome(text, url, False, f"{result.error.title}. {result.error.detail} Nothing was changed.")

    def _list_url(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _page_url(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])


def renewed(build: Callable[[Any], forms.Form], data: QueryDict) -> forms.Form:
    """A form filled with what was sent, but what it carries unseen is as it is now.

    A field that differs from what a new form would offer says so: somebody else may have written that meanwhile.
    """
    fresh, sent = build(None), data.copy()
    for field in fresh.hidden_fields():
        value = field.value()
        sent[field.html_name] = "" if value is None else str(value)
    form = build(sent)
    form.full_clean()
    for name, theirs, _ in differences(form):
        form[name].help_text += f" A form opened now says: {theirs}."
    for field in form.visible_fields():
        if isinstance(field.field.widget, forms.PasswordInput) and field.data:
            form.add_error(field.name, "What you wrote is not shown again: enter it once more.")
    return form


def _state_of(row: Any) -> str:
    """As it was read before the deed."""
    return str(getattr(row, "state", "") or getattr(row, "status", ""))


def _list_action(verb: Verb) -> Callable[[ActingAdmin, HttpRequest, QuerySet], HttpResponse | None]:
    def action(page: ActingAdmin, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        items = list(queryset.values_list("pk", "version")[: MOST + 1])
        if not items:
            return None
        if len(items) > MOST:
            messages.error(request, f"Choose at most {MOST} at a time.")
            return None
        rows = {row.pk: row for row in page.verb_rows().filter(pk__in=[pk for pk, _ in items])}
        return page.confirm(request, verb, items, rows, verb.bound_form(rows[items[0][0]]))

    return action


def _items(data: Any) -> list[tuple[uuid.UUID, int]]:
    """`id:version` pairs, without repetition; what is malformed is left out."""
    found: dict[uuid.UUID, int] = {}
    for text in data.getlist("item")[:MOST]:
        pk, _, version = text.partition(":")
        try:
            found[uuid.UUID(pk)] = int(version)
        except ValueError:
            continue
    return list(found.items())
