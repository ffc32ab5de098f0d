"""What a call to the bank gives back: the answer, and what the network does to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Behaviour(StrEnum):
    REPLY = "reply"
    SILENCE = "silence"  # the connection is held, then closed without a word
    ERROR = "error"  # a 500 that says nothing


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal: nothing was done. `status` is the HTTP status that fits it."""

    status: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """`body` holds the answer; `problem` a refusal; `seconds` how long the reply takes; `copies` how often it comes;
    `keep` which part of a document is sent."""

    behaviour: Behaviour = Behaviour.REPLY
    body: dict[str, Any] | None = None
    problem: Problem | None = None
    seconds: float = 0.0
    copies: int = 1
    replayed: bool = False
    keep: float = 1.0


SILENCE = Delivery(behaviour=Behaviour.SILENCE)
ERROR = Delivery(behaviour=Behaviour.ERROR)
