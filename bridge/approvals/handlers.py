"""What can be approved: apps register a handler per kind; this app knows none of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.approvals.models import Approval
from bridge.kernel.errors import BridgeError
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.results import Actor, Result, Role

Payload = dict[str, Any]
Render = Callable[[list[Result]], Answer]
Words = Sequence[tuple[str, object]]


class Decide(Protocol):
    """Carry out a decision in a unit of work of one's own."""

    def __call__(
        self,
        approval: Approval,
        yes: bool,
        actor: Actor,
        reason: str,
        *,
        key: Key | None = None,
        render: Render | None = None,
    ) -> Result | Answer: ...


class UnknownKind(BridgeError):
    code = "unknown_approval_kind"
    status = 422
    title = "Nothing that can be approved"
    message = "'{kind}' is nothing that can be approved. There are: {known}."


@dataclass(frozen=True, slots=True)
class Handler:
    """One kind of decision for two people.

    `look` gives what the decision rests on, as it is now (JSON), and raises `NotFound` for an unknown subject; `lock`
    keeps that so until the decision is carried out, and is called before it, in a transaction: without it nothing that
    `look` gives may change, or `carry_out` judges it again under its own locks;
    `validate` raises a `BridgeError` for a payload that could not be carried out; `carry_out` does it, inside the
    transaction of the decision. A kind whose subject has services of its own gives `decide` instead, which then does
    the whole decision in its own unit of work: it gets the approval, yes or no, the reason, and the key and the
    renderer of the request, where there is one, and then returns the answer. `id_kind`: the kind of TypeID that names
    the subject outside; without it `subject_type`.

    For the eye only: `words` gives what an approval is about, as pairs of a name and a value, looked up when it is
    shown; `told` names what of payload and `seen` these words say already; `currency` gives the currency of the
    subject's amounts where neither payload nor `seen` has it. `together`: several may be approved at once.
    """

    kind: str
    subject_type: str
    makers: frozenset[Role]
    checkers: frozenset[Role]
    look: Callable[[uuid.UUID], Payload]
    summarize: Callable[[uuid.UUID, Payload], str]
    validate: Callable[[uuid.UUID, Payload], None]
    carry_out: Callable[[Approval, Actor, datetime], None] | None = None
    lock: Callable[[uuid.UUID], None] | None = None
    decide: Decide | None = None
    id_kind: str = ""
    words: Callable[[Approval], Words] | None = None
    told: frozenset[str] = frozenset()
    currency: Callable[[uuid.UUID], str] | None = None
    together: bool = False


_handlers: dict[str, Handler] = {}


def register(handler: Handler) -> None:
    """Called from an app's `ready()`."""
    if _handlers.get(handler.kind, handler) != handler:
        raise ValueError(f"The approval kind {handler.kind} is registered twice.")
    _handlers[handler.kind] = handler


def handler_for(kind: str) -> Handler:
    """Raises `UnknownKind`, naming those there are."""
    if kind not in _handlers:
        raise UnknownKind(kind=kind, known=", ".join(sorted(_handlers)) or "none")
    return _handlers[kind]


def kinds() -> list[str]:
    return sorted(_handlers)
