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


def found(model: type[M], tuples: Iterable[Sequence[Any]], only: Sequence[str] = ()) -> list[M]:
    """Instances that came from the database; each tuple has the columns of `names`, or those of `only`."""
    blank, columns, read = model.__new__, only or names(model), list(tuples)
    made = [blank(model) for _ in read]
    for row, values in zip(made, read, strict=True):
        state = ModelState()
        state.__dict__ = {"adding": False, "db": DEFAULT_DB_ALIAS, "fields_cache": {}}
        row.__dict__ = dict(zip(columns, values, strict=True), _state=state)
    return made


def new(model: type[M], values: Mapping[str, Any]) -> M:
    """A row to be inserted: these values, by attribute name, and the fields' own defaults where they are constant."""
    row = model.__new__(model)
    row.__dict__ = {**_constants(model), **values, "_state": ModelState()}
    return row


def copy(row: M) -> M:
    """The row as it is now, whatever becomes of it. Shares what it points to."""
    made = row.__class__.__new__(row.__class__)
    made.__dict__ = row.__dict__.copy()
    return made


def relate(rows: Iterable[Model], name: str, others: Mapping[Any, Model]) -> None:
    """Give every row the instance that its foreign key `name` points to, as `select_related` does."""
    attribute = f"{name}_id"
    for row in rows:
        row._state.fields_cache[name] = others[row.__dict__[attribute]]


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
