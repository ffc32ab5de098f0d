"""Parts of pages that other apps add: `transfers` shows its transfers on the page of an account, and so on.

An app below knows nothing of those above it, so those above register what they have to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db.models import Model
from django.http import HttpRequest


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
