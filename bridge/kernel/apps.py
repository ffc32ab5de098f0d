from django.apps import AppConfig


class KernelConfig(AppConfig):
    """What every app may use; imports none of them."""

    name = "bridge.kernel"
    label = "kernel"
    verbose_name = "Kernel"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bridge.kernel import crashpoints  # noqa: PLC0415  settings must be ready

        crashpoints.arm_from_environment()
