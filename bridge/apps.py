from django.apps import AppConfig


class BridgeConfig(AppConfig):
    """The project itself, so that Django finds `bridge.management`, and every process our Celery application.

    Without it a process that only sends would send through Celery's own default application, to a broker of its
    default address.
    """

    name = "bridge"
    verbose_name = "Bridge"

    def ready(self) -> None:
        from bridge import celery  # noqa: F401, PLC0415  becomes the current application
