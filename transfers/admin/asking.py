"""Pages that ask a second person by a form of their own, where the deed is about no row of the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from bridge.approvals import services as approvals
from bridge.approvals.asking import ASKED
from bridge.approvals.services import Proposal
from bridge.console.base import ReadOnlyAdmin, actor_of
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor
from transfers.asked import MAKERS


class AskingAdmin(ReadOnlyAdmin):
    def maker(self, request: HttpRequest) -> Actor:
        """Who asks. Raises `PermissionDenied` where this person may not."""
        actor = actor_of(request, among=MAKERS)
        if actor is None or not self.has_view_permission(request):
            raise PermissionDenied
        return actor

    def propose(self, request: HttpRequest, proposal: Proposal, actor: Actor) -> bool:
        """Open the approval, and say on the next page what became of it."""
        try:
            approvals.propose(proposal=proposal, actor=actor)
        except BridgeError as error:
            messages.error(request, f"{error.title}. {error.detail} Nothing was changed.")
            return False
        messages.success(request, f"{ASKED[:1].upper()}{ASKED[1:]}.")
        return True

    def ask_for(
        self, request: HttpRequest, verb: Any, form: forms.Form, *, back: str, listed: Sequence[dict[str, Any]]
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": verb.label,
            "opts": self.opts,
            "verb": verb,
            "listed": listed,
            "form": form,
            "action": request.path,
            "back": back,
        }
        return TemplateResponse(request, "console/confirm.html", context)
