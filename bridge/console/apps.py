from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin with Bridge's own site, so that `admin.site` everywhere is the console."""

    default_site = "bridge.admin_site.BridgeAdminSite"

    def ready(self) -> None:
        super().ready()  # finds every app's admin module
        from bridge.console import logins  # noqa: PLC0415  replaces what other packages' modules just registered

        logins.register()
