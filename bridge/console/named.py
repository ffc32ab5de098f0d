"""A filter whose values are known without asking the table that it filters.

Django's own filter on a text asks for its distinct values, which reads the whole table for every page of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db import connection
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest


class NamedFilter(SimpleListFilter):
    values: Callable[[], Iterable[str]]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(value, value.replace("_", " ")) for value in type(self).values()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


def named(field: str, values: Callable[[], Iterable[str]]) -> type[NamedFilter]:
    """The filter on a column, with its values."""
    body = {"title": field.replace("_", " "), "parameter_name": field, "values": staticmethod(values)}
    return type("NamedFilter", (NamedFilter,), body)


def first_of_index(model: type[Model], field: str) -> list[str]:
    """The distinct values of a column that begins an index: one statement, one look into the index for each value,
    whatever the rows (a "loose index scan", PostgreSQL's wiki)."""
    found = model._meta.get_field(field)
    assert isinstance(found, Field), f"{field} is no column of {model._meta.label}"
    table, column = (connection.ops.quote_name(str(name)) for name in (model._meta.db_table, found.column))
    statement = f"""
        WITH RECURSIVE found(v) AS (
            SELECT min({column}) FROM {table}
            UNION ALL
            SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.v) FROM found WHERE found.v IS NOT NULL
        )
        SELECT v FROM found WHERE v IS NOT NULL"""  # noqa: S608 - names of a table and a column, from a model
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]
