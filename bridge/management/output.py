"""Where commands print tables: as wide as the terminal, or wide enough that ids stay whole in a file or a pipe."""

from __future__ import annotations

from typing import IO, Any, cast

from rich.console import Console

PIPE_WIDTH = 200


def console_for(stdout: Any) -> Console:
    """A console that prints to a command's `stdout`."""
    stream = cast("IO[str]", stdout)
    return Console(file=stream) if stdout.isatty() else Console(file=stream, width=PIPE_WIDTH)
