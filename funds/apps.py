from django.apps import AppConfig


class FundsConfig(AppConfig):
    """Fund Account Service: funds, their capacity, allocations and reservations, the verification engine."""

    name = "funds"
    verbose_name = "Funds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from funds import checks, rulebook  # noqa: PLC0415  models are ready only now

        checks.register()
        rulebook.register()
