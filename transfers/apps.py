from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """Transaction Service: the transfer, its instructions, its work, the engine, reconciliation, the API."""

    name = "transfers"
    verbose_name = "Transfers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from transfers import approvals, checks, closing_approvals, manual_outcomes  # noqa: PLC0415  models are ready only now

        checks.register()
        approvals.register()
        manual_outcomes.register()
        closing_approvals.register()
