"""ASGI entry point, for the process that serves live events."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bridge.settings.production")

application = get_asgi_application()
