"""Actions of the console that ask for a second person: they change nothing but open an approval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Model

from bridge.approvals import services
from bridge.approvals.services import Proposal
from bridge.console.acting import Run
from bridge.kernel.errors import BridgeError, NotFound, StaleVersion
from bridge.kernel.results import Actor, Change, Done, Refused, Result

ASKED = "asked for: a second person decides about it under Approvals"
Payload = Callable[[Change, dict[str, Any]], dict[str, Any]]


def asks(*, kind: str, model: type[Model], payload: Payload = lambda change, data: {}) -> Run:
    """What a verb runs to propose `kind` about rows of `model`; a row that changed since is refused."""

    def run(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
        return [_ask(change, actor, data) for change in changes]

    def _ask(change: Change, actor: Actor, data: dict[str, Any]) -> Result:
        version = model._default_manager.filter(pk=change.id).values_list("version", flat=True).first()
        if version is None:
            return Refused(change.id, NotFound(what=str(model._meta.verbose_name)))
        if change.expected_version not in (None, version):
            return Refused(change.id, StaleVersion(expected=change.expected_version, actual=version))
        reason = change.reason or str(data.get("why", ""))
        try:
            services.propose(proposal=Proposal(kind, change.id, payload(change, data), reason), actor=actor)
        except BridgeError as error:
            return Refused(change.id, error)
        return Done(change.id)

    return run
