from django.apps import AppConfig


class KernelConfig(AppConfig):
    """What every app may use; imports none of them."""

    name = "bridge.kernel"
    label = "kernel"
    verbose_name = "Kernel"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from bridge.kernel import crashpoints, retention  # noqa: PLC0415  settings and models must be ready

        crashpoints.arm_from_environment()
        retention.register_frameworks()
