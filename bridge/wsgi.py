"""WSGI entry point: `gunicorn bridge.wsgi`."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from bridge.kernel import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bridge.settings.production")

application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # now, and not at the expense of whoever comes first
memory.settled()
