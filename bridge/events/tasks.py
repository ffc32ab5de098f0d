from __future__ import annotations

from celery import shared_task

from bridge.events import services


@shared_task(name="bridge.events.tasks.seal", ignore_result=True)
def seal() -> None:
    """Seal what happened since the last seal."""
    services.seal()
