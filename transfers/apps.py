from django.apps import AppConfig


class TransfersConfig(AppConfig):
    """Transaction Service: the transfer, its instructions, its work, the engine, reconciliation, the API."""

    name = "transfers"
    verbose_name = "Transfers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from transfers import (  # noqa: PLC0415  models are ready only now
            approvals,
            checks,
            closing_approvals,
            float_approvals,
            kept_checks,
            manual_outcomes,
            money_approvals,
            receipt_approvals,
            reversal_approvals,
            treasury_checks,
        )
        from transfers.controls import approvals as control_approvals  # noqa: PLC0415

        checks.register()
        kept_checks.register()
        approvals.register()
        manual_outcomes.register()
        closing_approvals.register()
        treasury_checks.register()
        float_approvals.register()
        control_approvals.register()
        receipt_approvals.register()
        reversal_approvals.register()
        money_approvals.register()
