"""Querysets whose SQL is made once per process and prepared once per connection.

Building a queryset and compiling it costs Django between half a millisecond and two, more than PostgreSQL takes for
the answer. Where the text is always the same, it is made at the first call; later ones only fill in the values:

    _locked = compiled.Rows(
        InvestorAccount,
        lambda: InvestorAccount.objects.filter(AnyOf("pk", "uuid", "ids")).select_for_update(no_key=True),
    )
    accounts = _locked(ids=binary.uuids(wanted))

A value that changes from call to call stands as a `Slot` in the queryset (`Given`, `AnyOf`); everything else
is fixed at the first call. Values are what the driver takes for the slot's type: arrays as `bridge.kernel.columns`
writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import BigIntegerField, BooleanField, F, Field, Func, Model, QuerySet
from django.db.models.sql import UpdateQuery

from bridge.kernel import binary, rows
from bridge.kernel.together import Check, write

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


class AnyFrom(Func):
    """A condition: this row's primary key is one of those that this SQL selects. Its parameters, `%s`, are given by
    name, in this order."""

    output_field = BooleanField()

    def __init__(self, sql: str, *names: str) -> None:
        super().__init__(F("pk"))
        self._sql, self._slots = sql, [Slot(name) for name in names]

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return f"{sql} = ANY(ARRAY({self._sql}))", [*params, *self._slots]


class AnyOf(Func):
    """A condition: this row's key is one of those given by name, as one array of this SQL type."""

    output_field = BooleanField()

    def __init__(self, key: str, type: str, name: str) -> None:
        super().__init__(F(key))
        self._slot, self._type = Slot(name), type

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return f"{sql} = ANY(%s::{self._type}[])", [*params, self._slot]


class _Statement:
    """One text, and how its parameters are filled."""

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self.sql = sql
        self.params = tuple(params)
        self.slots = [(place, str(name)) for place, name in enumerate(self.params) if isinstance(name, Slot)]

    def run(self, given: dict[str, Any]) -> Any:
        """The cursor. Raises `KeyError` for a value that is missing."""
        params = self.filled(given)
        cursor = connection.prepared_cursor()  # type: ignore[attr-defined]
        cursor.execute(self.sql, params)
        return cursor

    def filled(self, given: dict[str, Any]) -> list[Any]:
        """The parameters with these values."""
        params = list(self.params)
        for place, name in self.slots:
            params[place] = given[name]
        return params


class Tuples:
    """The rows of a `values_list()` as tuples."""

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build
        self._made: tuple[_Statement, list[_Converter]] | None = None

    def __call__(self, **given: Any) -> list[tuple[Any, ...]]:
        statement, converters = self._made or self.compiled()
        return _converted(statement.run(given).fetchall(), converters)

    def compiled(self) -> tuple[_Statement, list[_Converter]]:
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


def by_key(model: type[M], keys: Iterable[Any], *, key: str = "pk", only: Sequence[str] = ()) -> list[M]:
    """The rows whose column `key` has one of these values, in no order. `only`: the attributes to read, else all."""
    wanted = list(keys)
    if not wanted:
        return []
    names = tuple(only) or rows.names(model)
    return rows.found(model, _by_key(model, key, names)(keys=binary.any_of(wanted)), names)


def several(wanted: Mapping[type[Model], Iterable[Any]]) -> dict[type[Any], list[Any]]:
    """`by_key` of more than one model in one statement: per model the rows with these primary keys."""
    models = tuple(wanted)
    text, converters, starts = _several(models)
    cursor = connection.prepared_cursor()  # type: ignore[attr-defined]
    cursor.execute(text, [binary.any_of(list(keys)) for keys in wanted.values()])
    parts: list[list[Any]] = [[] for _ in models]
    for number, *values in _converted(cursor.fetchall(), converters):
        parts[number].append(values[starts[number] : starts[number + 1]])
    return {model: rows.found(model, part) for model, part in zip(models, parts, strict=True)}


@cache
def _several(models: tuple[type[Model], ...]) -> tuple[str, list[_Converter], list[int]]:
    """The text, whose first column says of which model a row is, and where each model's columns begin after it."""
    statements, converters, starts = [], [], [0]
    for model in models:
        statement, own = _by_key(model, "pk", rows.names(model)).compiled()
        statements.append(statement.sql)
        converters += [(1 + starts[-1] + place, *how) for place, *how in own]
        starts.append(starts[-1] + len(rows.names(model)))
    nothing = [", ".join(f"NULL::{field.rel_db_type(connection)}" for field in _fields(model)) for model in models]
    parts = []
    for number, sql in enumerate(statements):
        every = ", ".join([*nothing[:number], "q.*", *nothing[number + 1 :]])
        parts.append(f"SELECT {number}, {every} FROM ({sql}) AS q")  # noqa: S608 our own text
    return " UNION ALL ".join(parts), converters, starts


def locked(model: type[M], keys: Iterable[Any], *, only: Sequence[str] = ()) -> list[M]:
    """The rows with these primary keys, locked FOR NO KEY UPDATE in the order of the keys. See `locking.lock`."""
    wanted = list(keys)
    if not wanted:
        return []
    names = tuple(only) or rows.names(model)
    return rows.found(model, _locked(model, names)(keys=binary.any_of(wanted)), names)


@cache
def _by_key(model: type[Model], key: str, names: tuple[str, ...]) -> Tuples:
    condition = AnyOf(key, _type_of(model, key), "keys")
    return Tuples(lambda: model._default_manager.filter(condition).order_by().values_list(*names))


@cache
def _locked(model: type[Model], names: tuple[str, ...]) -> Tuples:
    return Tuples(
        lambda: (
            model._default_manager.filter(AnyOf("pk", _type_of(model, "pk"), "keys"))
            .select_for_update(no_key=True)
            .order_by("pk")
            .values_list(*names)
        ),
    )


def _fields(model: type[Model]) -> list[Any]:
    """The fields of all columns, in the order of `rows.names`; of a foreign key the one that it points to."""
    return [getattr(field, "target_field", field) for field in model._meta.concrete_fields]


def _type_of(model: type[Model], key: str) -> str:
    """The type of an array of these: `text` where a cast would cut a value."""
    field: Any = model._meta.pk if key == "pk" else model._meta.get_field(key)
    kind = str(getattr(field, "target_field", field).rel_db_type(connection))
    return "text" if kind.startswith(("varchar", "char")) else kind


class Own(Func):
    """In an `UpdateEach`: the number that the call gives for this row, `F("held") + Own("held")`."""

    output_field = BigIntegerField()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return f'v."{self._name}"', []


class UpdateEach:
    """Numbers for many rows of a table: `UpdateEach(Account, "id", ("held",), held=F("held") + Own("held"))`.

    Values are F-expressions with `Own` in them, and so is `only_where`, which a row must meet to be changed. The
    numbers come as one array per name, joined by key.
    """

    def __init__(
        self, model: type[Model], key: str, names: Sequence[str], *, only_where: Any = None, **values: Any
    ) -> None:
        self._model, self._key, self._names = model, key, tuple(names)
        self._only_where, self._values = only_where, values
        self._made: _Statement | None = None

    def __call__(self, changes: Mapping[Any, Sequence[int]], *, check: Check | None = None) -> int | None:
        """Per key its numbers, in the order of the names. Returns how many rows were changed, and tells it to `check`;
        None where the write waits (`together`)."""
        if not changes:
            return 0
        statement = self._made or self._compile()
        numbers = map(binary.any_of, zip(*changes.values(), strict=True))
        given = dict(zip(self._names, numbers, strict=True)) | {_KEY: binary.any_of(list(changes))}
        table = self._model._meta.db_table
        return write(statement.sql, statement.filled(given), table=table, rows=len(changes), check=check)

    def _compile(self) -> _Statement:
        found = self._model._default_manager.filter(_ThisRow(self._key))
        if self._only_where is not None:
            found = found.filter(self._only_where)
        query: Any = found.query.chain(UpdateQuery)
        query.add_update_values(self._values)
        text, params = query.get_compiler(connection=connection).as_sql()
        head, _, tail = text.partition(" WHERE ")
        before = head.count("%s")
        arrays = ", ".join([f"%s::{_type_of(self._model, self._key)}[]", *["%s::bigint[]"] * len(self._names)])
        every = (_KEY, *self._names)
        named = ", ".join(f'"{name}"' for name in every)
        sql = f"{head} FROM unnest({arrays}) AS v ({named}) WHERE {tail}"
        self._made = _Statement(sql, (*params[:before], *map(Slot, every), *params[before:]))
        return self._made


_KEY = "key"


class _ThisRow(Func):
    """The numbers of this line of the arrays are for this row."""

    output_field = BooleanField()

    def __init__(self, key: str) -> None:
        super().__init__(F(key))

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        sql, params = compiler.compile(self.source_expressions[0])
        return f'{sql} = v."{_KEY}"', [*params]


def _converted(found: list[tuple[Any, ...]], converters: Sequence[_Converter]) -> list[tuple[Any, ...]]:
    if not converters:
        return found
    values: list[Any] = [list(column) for column in zip(*found, strict=True)]
    if values:
        for place, functions, expression in converters:
            for function in functions:
                values[place] = [function(value, expression, connection) for value in values[place]]
    return list(zip(*values, strict=True))
