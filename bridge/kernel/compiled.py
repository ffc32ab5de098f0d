"""Querysets whose SQL is made once per process and prepared once per connection.

Building a queryset and compiling it costs Django between half a millisecond and two, more than PostgreSQL takes for
the answer. Where the text is always the same, it is made at the first call; later ones only fill in the values:

    _locked = compiled.Rows(
        InvestorAccount,
        lambda: InvestorAccount.objects.filter(AnyOf("pk", "uuid", "ids")).select_for_update(no_key=True),
    )
    accounts = _locked(ids=columns.uuids(wanted))

A value that changes from call to call stands as a `Slot` in the queryset (`Given`, `AnyOf`, `ByKeys`); everything else
is fixed at the first call. Values are what the driver takes for the slot's type: arrays as `bridge.kernel.columns`
writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, Expression, F, Field, Func, Model, QuerySet
from django.db.models.sql import UpdateQuery

from bridge.kernel import columns, rows

M = TypeVar("M", bound=Model)
_Converter = tuple[int, list[Callable[..., Any]], Any]


class Slot(str):
    """The name of a value that each call gives."""

    __slots__ = ()


class Given(Func):
    """A value given by name, of this SQL type: `filter(created_at__gt=Given("since", "timestamptz", field))`."""

    def __init__(self, name: str, type: str, output_field: Field) -> None:
        super().__init__(output_field=output_field)
        self._slot, self._type = Slot(name), type

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return f"%s::{self._type}", [self._slot]


class AnyOf(Func):
    """A condition: this row's key is one of those given by name, as one array of this SQL type."""

    output_field = BooleanField()

    def __init__(self, key: str, type: str, name: str) -> None:
        super().__init__(F(key))
        self._slot, self._type = Slot(name), type

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return f"{sql} = ANY(%s::{self._type}[])", [*params, self._slot]


class ByKeys(Func):
    """The number that a JSON object, given by name, has for this row's key; 0 where it has none: `bulk.ByKey`."""

    output_field = BigIntegerField()

    def __init__(self, key: str | Expression, name: str) -> None:
        super().__init__(F(key) if isinstance(key, str) else key)
        self._slot = Slot(name)

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return f"coalesce((%s::jsonb ->> ({sql})::text)::bigint, 0)", [self._slot, *params]


class _Statement:
    """One text, and how its parameters are filled."""

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self.sql = sql
        self.params = tuple(params)
        self.slots = [(place, str(name)) for place, name in enumerate(self.params) if isinstance(name, Slot)]

    def run(self, given: dict[str, Any]) -> Any:
        """The cursor. Raises `KeyError` for a value that is missing."""
        params = list(self.params)
        for place, name in self.slots:
            params[place] = given[name]
        cursor = connection.prepared_cursor()  # type: ignore[attr-defined]
        cursor.execute(self.sql, params)
        return cursor


class Tuples:
    """The rows of a `values_list()` as tuples."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._made: tuple[_Statement, list[_Converter]] | None = None

    def __call__(self, **given: Any) -> list[tuple[Any, ...]]:
        statement, converters = self._made or self._compile()
        found = statement.run(given).fetchall()
        return [_converted(row, converters) for row in found] if converters else found

    def _compile(self) -> tuple[_Statement, list[_Converter]]:
        compiler = self._build().query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        found = compiler.get_converters([column[0] for column in compiler.select[: compiler.col_count]])
        self._made = _Statement(sql, params), [(place, *how) for place, how in found.items()]
        return self._made


class Rows(Generic[M]):
    """The rows of a queryset without joins as instances, as `rows.read` makes them."""

    def __init__(self, model: type[M], build: Callable[[], QuerySet[M]]) -> None:
        self._model = model
        self._read = Tuples(lambda: build().values_list(*rows.names(model)))

    def __call__(self, **given: Any) -> list[M]:
        return rows.found(self._model, self._read(**given))


def by_key(model: type[M], keys: Iterable[Any]) -> list[M]:
    """The rows with these primary keys, in no order."""
    wanted = list(keys)
    return _by_key(model)(keys=columns.any_of(wanted)) if wanted else []


def locked(model: type[M], keys: Iterable[Any]) -> list[M]:
    """The rows with these primary keys, locked FOR NO KEY UPDATE in the order of the keys. See `locking.lock`."""
    wanted = list(keys)
    return _locked(model)(keys=columns.any_of(wanted)) if wanted else []


@cache
def _by_key(model: type[M]) -> Rows[M]:
    return Rows(model, lambda: model._default_manager.filter(AnyOf("pk", _key_type(model), "keys")).order_by())


@cache
def _locked(model: type[M]) -> Rows[M]:
    return Rows(
        model,
        lambda: (
            model._default_manager.filter(AnyOf("pk", _key_type(model), "keys"))
            .select_for_update(no_key=True)
            .order_by("pk")
        ),
    )


def _key_type(model: type[Model]) -> str:
    key: Any = model._meta.pk
    return str((key.target_field if key.is_relation else key).rel_db_type(connection))


class Update:
    """An UPDATE of the rows of a queryset; gives how many there were. `build` returns it and what is to be set."""

    def __init__(self, build: Callable[[], tuple[QuerySet[Any], dict[str, Any]]]) -> None:
        self._build = build
        self._made: _Statement | None = None

    def __call__(self, **given: Any) -> int:
        statement = self._made or self._compile()
        count: int = statement.run(given).rowcount
        return count

    def _compile(self) -> _Statement:
        queryset, values = self._build()
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(values)
        query.annotations = {}
        self._made = _Statement(*query.get_compiler(connection=connection).as_sql())
        return self._made


def _converted(row: Sequence[Any], converters: Sequence[_Converter]) -> tuple[Any, ...]:
    values = list(row)
    for place, functions, expression in converters:
        for function in functions:
            values[place] = function(values[place], expression, connection)
    return tuple(values)
