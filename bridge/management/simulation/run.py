"""One run: who is in it, what they may do next, and what was found wrong. Everything follows from one `Random`."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from accounts.models import InvestorAccount
from bridge.kernel import crashpoints
from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import GatewayUnavailable
from bridge.kernel.results import Actor, Channel, Done, Refused, Result, Role
from bridge.kernel.transactions import require_no_transaction
from bridge.management.simulation.house import House
from bridge.management.simulation.story import Story
from bridge.management.simulation.virtual import VirtualTime
from funds.models import Fund
from transfers.services import TransferRequest

DEEPEST = 2  # how many workers may be waiting for a bank while another one acts


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken: which check found it, and what it saw."""

    check: str
    what: str


@dataclass
class Wish:
    """What a client wants, under one key. `told` is the transfer that it was told of; None: no answer reached it."""

    request: TransferRequest
    key: str
    actor: Actor
    told: uuid.UUID | None = None
    refused: bool = False


@dataclass
class Hand:
    """Work that one of the engine's workers has claimed and not done yet."""

    step: Any
    ids: list[uuid.UUID]


@dataclass
class Asked:
    """An approval as its maker asked for it."""

    kind: str
    subject: uuid.UUID
    payload: dict[str, Any]
    maker: str


@dataclass
class Run:
    """The whole state of a run outside the database and the bank."""

    seed: int
    rng: Random
    time: VirtualTime
    house: House
    story: Story
    accounts: list[InvestorAccount] = field(default_factory=list)
    funds: list[Fund] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    hands: dict[str, Hand] = field(default_factory=dict)
    asked: dict[uuid.UUID, Asked] = field(default_factory=dict)
    imported: list[tuple[str, date]] = field(default_factory=list)
    told: list[tuple[uuid.UUID, int, str]] = field(default_factory=list)
    news: set[int] = field(default_factory=set)  # callbacks that counted as applied, and were looked at
    violations: list[Violation] = field(default_factory=list)
    crashes: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    targets: set[str] = field(default_factory=set)  # crash points at which the next one who comes by crashes
    crashing: bool = False
    interleaving: bool = False
    menu: list[tuple[int, str, Callable[[Run], None]]] = field(default_factory=list)
    _armed: int = 0

    @classmethod
    def of(cls, seed: int, *, aloud: bool = False) -> Run:
        rng = Random(f"bridge {seed}")  # noqa: S311 a seed, no secret
        time = VirtualTime(datetime(2026, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=rng.randrange(60 * 24 * 28)))
        story = Story(time.now, aloud)
        return cls(seed, rng, time, House(seed, rng, time, story), story)

    # --- small helpers

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def violate(self, check: str, what: str) -> None:
        self.story.tell(f"!!! {check}: {what}")
        if len(self.violations) < 50:
            self.violations.append(Violation(check, what))

    def remember(self, results: list[Result]) -> list[Done]:
        """Somebody was told that these were done: they must be found in the log for ever."""
        done = [result for result in results if isinstance(result, Done)]
        self.told += [(result.id, result.version, result.state) for result in done if result.version]
        for result in results:
            if isinstance(result, Refused):
                self.story.tell(f"  refused: {result.error.detail}")
        return done

    # --- acting

    def step(self) -> None:
        """Somebody does something."""
        weights = [weight for weight, _, _ in self.menu]
        ((_, name, action),) = self.rng.choices(self.menu, weights)
        self.perform(name, action)
        self.time.advance(self.rng.choice((0.01, 0.1, 0.5, 1, 2, 5)))

    def perform(self, name: str, action: Callable[[Run], None]) -> None:
        """One action of one process; a crash ends the process and nothing else."""
        self.actions[name] += 1
        before, self._armed = self._armed, 0
        if self.crashing and self.chance(0.15):
            self._armed = self.rng.randrange(1, 8)
        try:
            action(self)
        except crashpoints.Crashed as crash:
            self.story.tell(f"CRASH at {crash}: this process is gone")
        except (BridgeError, GatewayUnavailable) as refused:
            self.story.tell(f"  refused: {refused}")
        except Exception as error:
            self.violate("no unexpected error", f"{name}: {type(error).__name__}: {error}")
        finally:
            self._armed = before

    def reached(self, point: str) -> None:
        """The code passes a crash point: perhaps this process dies here."""
        if not self.crashing:
            return
        wanted = point in self.targets
        self.targets.discard(point)
        self._armed -= 1
        if wanted or self._armed == 0:
            self.crashes[point] += 1
            raise crashpoints.Crashed(point)

    def waiting_for_a_bank(self, what: str) -> None:
        """A call is on its way: the world goes on meanwhile, on other machines."""
        require_no_transaction()
        if not self.interleaving or self.story.depth >= DEEPEST or not self.chance(0.3):
            return
        self.story.depth += 1
        self.story.tell(f"meanwhile ({what} is under way):")
        try:
            for _ in range(self.rng.choice((1, 1, 2, 3))):
                self.step()
            if self.chance(0.1):
                self.time.advance(self.rng.choice((45, 90, 400)))
        finally:
            self.story.depth -= 1


CLIENT = Actor("client-app", Role.SERVICE, Channel.API)
INVESTOR = Actor("investor-login", Role.INVESTOR, Channel.API)
MAKERS = [Actor(f"maker{n}", Role.MAKER, Channel.ADMIN) for n in (1, 2)]
CHECKERS = [Actor(f"checker{n}", Role.CHECKER, Channel.ADMIN) for n in (1, 2)]
COMPLIANCE = [Actor(f"compliance{n}", Role.COMPLIANCE, Channel.ADMIN) for n in (1, 2)]
STAFF = [*MAKERS, *CHECKERS, *COMPLIANCE]
SETUP = Actor("setup", Role.SYSTEM, Channel.COMMAND)
CLOCKWORK = Actor("clockwork", Role.SYSTEM, Channel.COMMAND)
