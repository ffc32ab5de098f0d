from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The append-only event log: the one history and audit trail of everything."""

    name = "bridge.events"
    label = "events"
    verbose_name = "Event log"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bridge.events import checks  # noqa: PLC0415  models are ready only now

        checks.register()
