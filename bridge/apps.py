from django.apps import AppConfig


class BridgeConfig(AppConfig):
    """The project itself, so that Django finds `bridge.management`."""

    name = "bridge"
    verbose_name = "Bridge"
