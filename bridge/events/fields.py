from __future__ import annotations

from typing import Any

from django.db import models


class Xid8Field(models.Field):
    """PostgreSQL's 64-bit transaction id. It never wraps, so events can be ordered by it within an epoch."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CurrentTransaction(models.Func):
    """The id of the running top-level transaction."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = Xid8Field()
