"""Names as people type them: `legal_name__plainly="schafer"` finds Schäfer too, without an extension of PostgreSQL."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.db.models import Lookup

# Letters that Unicode does not take apart into a plain one and its mark.
_WHOLE, _PLAIN = "øłđħıðŧ", "oldhidt"
_LETTERS = str.maketrans(_WHOLE, _PLAIN)


def plain(text: str) -> str:
    """In small letters without marks: `Schäfer` → `schafer`."""
    parts = unicodedata.normalize("NFD", text.lower())
    return "".join(part for part in parts if not unicodedata.combining(part)).translate(_LETTERS).replace("ß", "ss")


class Plainly(Lookup):
    """Contains a text, whatever the case and the marks. Only names with a letter beyond ASCII are taken apart."""

    lookup_name = "plainly"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        column, own = self.process_lhs(compiler, connection)
        term = str(self.rhs)
        literal, spelled = (f"%{connection.ops.prep_for_like_query(text)}%" for text in (term.upper(), plain(term)))
        taken_apart = (
            f"replace(translate(regexp_replace(normalize(lower({column}), NFD), '[\u0300-\u036f]', '', 'g'),"
            f" '{_WHOLE}', '{_PLAIN}'), 'ß', 'ss')"
        )
        statement = (
            f"(upper({column}) LIKE %s OR (octet_length({column}) <> length({column}) AND {taken_apart} LIKE %s))"
        )
        return statement, (*own, literal, *own, *own, *own, spelled)
