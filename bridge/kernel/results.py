"""What services take and give: who acts, on what, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bridge.kernel.errors import BridgeError


class Role(StrEnum):
    INVESTOR = "investor"
    SERVICE = "service"
    MAKER = "maker"
    CHECKER = "checker"
    COMPLIANCE = "compliance"
    AUDITOR = "auditor"
    INSTITUTION = "institution"
    SYSTEM = "system"


_CALLED = {
    Role.INVESTOR: "an investor",
    Role.SERVICE: "a service",
    Role.MAKER: "a maker",
    Role.CHECKER: "a checker",
    Role.COMPLIANCE: "compliance",
    Role.AUDITOR: "an auditor",
}


def only(roles: Iterable[Role]) -> str:
    """The sentence for whoever has none of these roles."""
    allowed = set(roles)
    *others, last = [called for role, called in _CALLED.items() if role in allowed] or ["Bridge itself"]
    return f"Only {', '.join(others)} or {last} may do this." if others else f"Only {last} may do this."


class Channel(StrEnum):
    API = "api"
    ADMIN = "admin"
    COMMAND = "command"
    ENGINE = "engine"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, in what role, by which channel. `id` is a login's primary key as text, or the name of a process."""

    id: str
    role: Role
    channel: Channel
    label: str = ""

    def as_json(self) -> dict[str, str]:
        return {"id": self.id, "role": str(self.role), "channel": str(self.channel), "label": self.label}


ENGINE = Actor(id="engine", role=Role.SYSTEM, channel=Channel.ENGINE, label="Bridge")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change. A given `expected_version` makes the change conditional on it."""

    id: uuid.UUID
    expected_version: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    id: uuid.UUID
    state: str = ""
    version: int = 0
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    id: uuid.UUID | None
    error: BridgeError


Result = Done | Refused
