"""What of the controls takes two people: changing parameters and lifting a stop."""

from __future__ import annotations

from bridge.approvals.handlers import register as register_handler
from transfers.controls import changing, stops


def register() -> None:
    """Called when the app is ready."""
    register_handler(changing.HANDLER)
    register_handler(stops.HANDLER)
