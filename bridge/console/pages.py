"""Parts of pages that other apps add: `transfers` shows its transfers on the page of an account, and so on.

An app below knows nothing of those above it, so those above register what they have to say.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db.models import Model
from django.http import HttpRequest


class Cell(NamedTuple):
    """One value of a table, with the heading that stands before it where a screen is too narrow for columns."""

    heading: str
    value: object
    numeric: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table. Cells are text or safe HTML; `more` is the address of the whole list."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "Nothing here."
    more: str = ""
    more_text: str = "Show all"
    note: str = ""
    numeric: frozenset[int] = field(default_factory=frozenset)

    @property
    def lines(self) -> list[list[Cell]]:
        headings = [*self.headers, *[""] * max((len(row) - len(self.headers) for row in self.rows), default=0)]
        return [
            [Cell(headings[place], value, place in self.numeric) for place, value in enumerate(row)]
            for row in self.rows
        ]


Builder = Callable[[HttpRequest, Model], Table | None]
_builders: dict[str, list[tuple[int, str, Builder]]] = defaultdict(list)


def section(model: str, *, permission: str, order: int = 50) -> Callable[[Builder], Builder]:
    """Add a table to the page of every row of `model` (`app.model`), for people with that permission."""

    def register(builder: Builder) -> Builder:
        _builders[model].append((order, permission, builder))
        return builder

    return register


def sections(request: HttpRequest, row: Model) -> list[Table]:
    """What apps have to say about this row, in order, as far as this person may see it."""
    found = sorted(_builders[row._meta.label_lower], key=lambda item: item[0])
    tables = (build(request, row) for _, permission, build in found if request.user.has_perm(permission))
    return [table for table in tables if table is not None]


@dataclass(frozen=True, slots=True)
class Button:
    """A way from the page of a row to a page of its own."""

    name: str
    label: str
    icon: str
    url: str
    danger: bool = False


Offer = Callable[[HttpRequest, Model], Button | None]
_offers: dict[str, list[Offer]] = defaultdict(list)


def button(model: str) -> Callable[[Offer], Offer]:
    """Add a button to the page of every row of `model` (`app.model`); the offer says for whom and when."""

    def register(offer: Offer) -> Offer:
        _offers[model].append(offer)
        return offer

    return register


def buttons(request: HttpRequest, row: Model) -> list[Button]:
    found = (offer(request, row) for offer in _offers[row._meta.label_lower])
    return [button for button in found if button is not None]


Namer = Callable[[Collection[uuid.UUID]], Mapping[uuid.UUID, object]]
_namers: dict[str, list[tuple[str, Namer]]] = defaultdict(list)


def namer(what: str, *, permission: str) -> Callable[[Namer], Namer]:
    """Name rows that an app below knows only as ids, such as the owners of ledger accounts, for people with that
    permission. The namer is given all ids of a page at once, and passes over those that are not its own."""

    def register(name: Namer) -> Namer:
        _namers[what].append((permission, name))
        return name

    return register


def names(request: HttpRequest, what: str, keys: Collection[uuid.UUID]) -> dict[uuid.UUID, object]:
    """What apps call these rows, as far as this person may see it."""
    known: dict[uuid.UUID, object] = {}
    for permission, name in _namers[what] if keys else ():
        if request.user.has_perm(permission):
            known.update(name(keys))
    return known
