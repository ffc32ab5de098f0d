#!/usr/bin/env python
"""Django's command line. On its own it means the embedded installation of this checkout."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bridge.settings.local")
    try:
        from django.core.management import execute_from_command_line
        from django.db import OperationalError
    except ImportError as error:
        sys.exit(f"{error}. Install the requirements first: `make install`.")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        advice = "Check DATABASE_URL." if os.environ.get("DATABASE_URL") else "Start Bridge with `make run`."
        sys.exit(f"The database does not answer: {str(error).strip()}\n{advice}")


if __name__ == "__main__":
    main()
