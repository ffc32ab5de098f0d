from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The double-entry ledger. It knows owners only as opaque ids."""

    name = "accounts.ledger"
    label = "ledger"
    verbose_name = "Ledger"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts.ledger import checks  # noqa: PLC0415  models are ready only now

        checks.register()
