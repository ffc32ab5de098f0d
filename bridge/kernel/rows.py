"""Model instances without their constructor, for the paths that make thousands.

Django's `Model.__init__` walks every field with a descriptor and a default: 30 µs for a transfer, of which reading
the row is 8. Here the values go straight into the instance. What was not given or not read is deferred, as after
`only()`: asking for it reads it from the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


def read(queryset: QuerySet[M]) -> list[M]:
    """The rows of a queryset without joins, as instances that came from the database."""
    return found(queryset.model, queryset.values_list(*names(queryset.model)))


def found(model: type[M], tuples: Iterable[Sequence[Any]]) -> list[M]:
    """Instances that came from the database; each tuple has the columns of `names`."""
    columns = names(model)
    return [_made(model, dict(zip(columns, row, strict=True)), stored=True) for row in tuples]


def new(model: type[M], values: Mapping[str, Any]) -> M:
    """A row to be inserted: these values, by attribute name, and the fields' own defaults where they are constant."""
    return _made(model, {**_constants(model), **values}, stored=False)


def copy(row: M) -> M:
    """The row as it is now, whatever becomes of it. Shares what it points to."""
    made = row.__class__.__new__(row.__class__)
    made.__dict__ = row.__dict__.copy()
    return made


def relate(rows: Iterable[M], name: str, others: Mapping[Any, Model]) -> None:
    """Give every row the instance that its foreign key `name` points to, as `select_related` does."""
    for row in rows:
        row._state.fields_cache[name] = others[getattr(row, f"{name}_id")]


def _made(model: type[M], values: dict[str, Any], *, stored: bool) -> M:
    made = model.__new__(model)
    state = ModelState()
    if stored:
        state.adding, state.db = False, DEFAULT_DB_ALIAS
    values["_state"] = state
    made.__dict__ = values
    return made


@cache
def names(model: type[Model]) -> tuple[str, ...]:
    """The attributes of all columns, in the order of the model."""
    return tuple(field.attname for field in model._meta.concrete_fields)


@cache
def _constants(model: type[Model]) -> dict[str, Any]:
    """Defaults that are the same for every row; one that is computed must be given."""
    return {
        field.attname: field.get_default()
        for field in model._meta.concrete_fields
        if not (field.has_default() and callable(field.default)) and not field.has_db_default()
    }
