"""Progress for people: a spinner and ticks with times on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Steps:
    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that `what` is being done, then how long it took. An error passes through, marked."""
        began = time.monotonic()
        try:
            if self._console.is_terminal:
                with self._console.status(what):
                    yield
            else:
                yield
        except BaseException:
            self._console.print(f"[red]✗[/red] {what}")
            raise
        self._console.print(f"[green]✓[/green] {what} [dim]{time.monotonic() - began:.1f} s[/dim]", highlight=False)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
