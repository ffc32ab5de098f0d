"""The page that asks two people to reverse a posting of ours (X2), and the button that leads there."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from accounts.ledger.models import Posting
from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.base import actor_of
from bridge.console.display import when
from bridge.console.pages import Button, button
from transfers.admin.asking import AskingAdmin
from transfers.asked import LONGEST_WHY, MAKERS
from transfers.reversal_approvals import REVERSE
from transfers.services import reversing

UNDO = SimpleNamespace(
    label="Reverse, our mistake",
    icon="undo",
    danger=True,
    question="A second person is asked to agree that this posting was a mistake of ours. Every line of it is then "
    "negated, and the transfer's state follows the money.",
)


class WhyForm(forms.Form):
    why = inputs.words("What was wrong, and how it was found. Kept for ever.", longest=LONGEST_WHY)


class ReversingAdmin(AskingAdmin):
    """Lends its address to the page; a posting has none of its own that could act."""

    def get_urls(self) -> list[URLPattern]:
        view = transaction.non_atomic_requests(self.admin_site.admin_view(self.reverse_view))
        return [path("reverse/<uuid:posting_id>/", view, name="transfers_reverse"), *super().get_urls()]

    def reverse_view(self, request: HttpRequest, posting_id: uuid.UUID) -> HttpResponse:
        """Our own mistake: why, then a proposal."""
        posting, actor = Posting.objects.filter(pk=posting_id).first(), self.maker(request)
        if posting is None:
            raise Http404
        back = reverse("admin:ledger_posting_change", args=[posting.pk])
        error = reversing.irreversible(posting)
        if error is not None:
            messages.error(request, f"{error.title}. {error.detail}")
            return HttpResponseRedirect(back)
        form = WhyForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            why = form.cleaned_data["why"]
            if self.propose(request, Proposal(REVERSE, posting.pk, {"why": why}, why), actor):
                return HttpResponseRedirect(back)
        row = {"cells": [reversing.in_words(posting), when(posting.effective_at)], "item": "", "version": 1}
        return self.ask_for(request, UNDO, form, back=back, listed=[row])


@button("ledger.posting")
def reversal_of_posting(request: HttpRequest, posting: Model) -> Button | None:
    """On the page of a posting that two people may undo."""
    assert isinstance(posting, Posting)
    if actor_of(request, among=MAKERS) is None or reversing.irreversible(posting) is not None:
        return None
    url = reverse("admin:transfers_reverse", args=[posting.pk])
    return Button("reverse", UNDO.label, UNDO.icon, url, danger=True)
