from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Investor Account Service: investors, their accounts at institutions, credentials, observed balances."""

    name = "accounts"
    verbose_name = "Investor accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import compliance, forgetting  # noqa: PLC0415  models are ready only now

        compliance.register()
        forgetting.connect()
