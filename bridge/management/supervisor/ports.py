"""Ports: the usual one, else the next free one, unless the environment insists."""

from __future__ import annotations

import socket

from bridge.embedded.paths import EmbeddedError

_TRIES = 100


def listening_socket(*, host: str, usual: int, forced: int | None, variable: str) -> socket.socket:
    """A bound, listening socket. Raises `EmbeddedError` when the forced port is taken, naming `variable`."""
    for port in [forced] if forced else range(usual, usual + _TRIES):
        candidate = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
            candidate.listen(256)
        except OSError as error:
            candidate.close()
            if forced:
                raise EmbeddedError(
                    f"Port {forced} on {host}, which {variable} asks for, is not free: {error.strerror}."
                ) from error
        else:
            return candidate
    raise EmbeddedError(f"No free port on {host} from {usual} to {usual + _TRIES - 1}.")


def free_port(*, host: str, usual: int, forced: int | None, variable: str) -> int:
    """A port that was free a moment ago, for a process that binds it itself."""
    with listening_socket(host=host, usual=usual, forced=forced, variable=variable) as probe:
        return int(probe.getsockname()[1])
