"""How many pieces of work are taken at a time. Pure: who measures says how long it took."""

from __future__ import annotations

LEAST, MOST = 200, 2_000
BOUND = 2  # seconds that one round may take: a transfer waits so long for those before it, far below its lease


class Pace:
    """Grows while there is more to do than was taken and a round is quick, shrinks when one takes too long.

    A large batch costs less per transfer, since its statements are as many as a small one's; a small one lets nobody
    wait. A worker begins small every time it is woken.
    """

    def __init__(self, *, least: int = LEAST, most: int = MOST, bound: float = BOUND) -> None:
        self.size = least
        self._least, self._most, self._bound = least, most, bound

    def took(self, seconds: float, *, moved: int) -> None:
        """One round moved so many pieces of work in so many seconds."""
        if seconds > self._bound:
            self.size = max(self.size // 2, self._least)
        elif moved >= self.size and seconds * 2 < self._bound:
            self.size = min(self.size * 2, self._most)
