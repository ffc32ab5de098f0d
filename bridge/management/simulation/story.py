"""One run as people would tell it: a line for everything that anybody did, with its time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.kernel import ids


@dataclass
class Story:
    """`depth` indents what happened while somebody else waited for a bank. Silent unless `aloud`."""

    now: Callable[[], datetime]
    aloud: bool = False
    depth: int = 0
    lines: list[str] = field(default_factory=list)
    names: dict[uuid.UUID, str] = field(default_factory=dict)

    def tell(self, sentence: str) -> None:
        if self.aloud:
            self.lines.append(f"{self.now():%a %d %b %H:%M:%S}  {'    ' * self.depth}{sentence}")

    def chapter(self, title: str) -> None:
        if self.aloud:
            self.lines += ["", title, "-" * len(title)]

    def name(self, kind: str, found: uuid.UUID) -> str:
        """A short name for what has none: the n-th of its kind that was mentioned."""
        if found not in self.names:
            number = 1 + sum(1 for name in self.names.values() if name.startswith(f"{kind} "))
            self.names[found] = f"{kind} {number}"
        return self.names[found]

    def transfer(self, found: uuid.UUID) -> str:
        known = found in self.names
        name = self.name("transfer", found)
        return name if known else f"{name} ({ids.encode('transfer', found)})"
