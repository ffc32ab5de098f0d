from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    """Two-person approvals: one model for all of them, handlers registered by the apps."""

    name = "bridge.approvals"
    label = "approvals"
    verbose_name = "Approvals"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bridge.approvals import checks  # noqa: PLC0415  models are ready only now

        checks.register()
