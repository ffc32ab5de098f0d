from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin with Bridge's own site, so that `admin.site` everywhere is the console."""

    default_site = "bridge.admin_site.BridgeAdminSite"

    def ready(self) -> None:
        super().ready()  # finds every app's admin module
        from django.contrib.admin import site  # noqa: PLC0415

        from bridge.console import fallback, logins  # noqa: PLC0415  they complete what the modules registered

        logins.register()
        fallback.register(site)
