from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Notification Service: who is told what. Hears the signals of the apps below it."""

    name = "notifications"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from notifications import checks, receivers  # noqa: PLC0415  models are ready only now

        receivers.connect()
        checks.register()
