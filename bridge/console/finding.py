"""Search by id: a TypeID, a uuid or a part of a TypeID finds rows by index, before any text is compared.

What no index finds is looked for among the newest rows only: a table may hold millions.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model, Q, TextField, UUIDField
from django.db.models.functions import Cast

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId

_KINDS = {prefix: kind for kind, prefix in ids.PREFIXES.items()}
NEWEST = 20_000
MOST = 100  # rows that the part of an id may mean
_BEGINNING = 6  # letters that say when an id was made, to a quarter of an hour
_ENDING = 6  # letters that the console's short ids end with
_LETTER = f"[{ids.ALPHABET}]"
_BEGUN = re.compile(rf"([a-z]+)_({_LETTER}{{{_BEGINNING},25}})")
_SHORT = re.compile(rf"(?:([a-z]+)_({_LETTER}{{0,20}}))?(?:…|\.\.\.)?({_LETTER}{{{_ENDING}}})")

# Where a row of a kind has its page.
PAGES = {
    "transfer": "transfers_transfer",
    "instruction": "transfers_bankinstruction",
    "break": "transfers_break",
    "account": "accounts_investoraccount",
    "investor": "accounts_investor",
    "fund": "funds_fund",
    "allocation": "funds_allocation",
    "reservation": "funds_reservation",
    "verification": "funds_verification",
    "posting": "ledger_posting",
    "event": "events_event",
    "notification": "notifications_notification",
    "approval": "approvals_approval",
    "closing": "funds_closing",
    "receipt": "transfers_receipt",
    "movement": "transfers_floatmovement",
}
# Where an ending without its kind is looked for.
KINDS_BY_ENDING = ("transfer", "instruction", "account", "investor", "fund", "approval", "break")


def typeid(text: str) -> tuple[str, uuid.UUID] | None:
    """The kind and uuid of a TypeID, or nothing."""
    prefix = text.strip().lower().partition("_")[0]
    kind = _KINDS.get(prefix)
    if kind is None:
        return None
    try:
        return kind, ids.decode(kind, text.strip().lower())
    except MalformedId:
        return None


def columns_for(text: str, columns: Mapping[str, str]) -> dict[str, uuid.UUID] | None:
    """Which columns must equal which uuid, when the text is an id: `{}` for an id that this list cannot know.

    `columns` maps kinds of TypeIDs to columns. A bare uuid is looked for in all of them.
    """
    found = typeid(text)
    if found is not None:
        kind, value = found
        return {columns[kind]: value} if kind in columns else {}
    try:
        value = uuid.UUID(text.strip())
    except ValueError:
        return None
    return dict.fromkeys(columns.values(), value)


@dataclass(frozen=True, slots=True)
class Part:
    """What somebody wrote of an id: its kind (empty: any), how it begins and how it ends."""

    kind: str
    begins: str
    ends: str


def part(text: str) -> Part | None:
    """The part of a TypeID that a text is: its beginning (`trf_01m8ek…`), its last six letters, or what the console
    shows of it (`trf_01m8…aswxx9`)."""
    term = text.strip().lower()
    if begun := _BEGUN.fullmatch(term.rstrip(".…")):
        prefix, begins, ends = begun[1], begun[2], ""
    elif short := _SHORT.fullmatch(term):
        prefix, begins, ends = short[1] or "", short[2] or "", short[3]
    else:
        return None
    if (prefix and prefix not in _KINDS) or begins[:1] > "7":
        return None
    return Part(_KINDS.get(prefix, ""), begins, ends)


def newest(model: type[Model], most: int = NEWEST) -> Q:
    """The newest rows of a table whose keys grow; the boundary comes from the index."""
    boundary = model._default_manager.order_by("-pk").values_list("pk", flat=True)[most : most + 1].first()
    return Q() if boundary is None else Q(pk__gt=boundary)


def meant(kind: str, found: Part) -> list[uuid.UUID]:
    """The ids of a kind that a part of an id means: by the index where its beginning is known, and an ending among the
    newest rows."""
    app, _, name = PAGES[kind].partition("_")
    model = apps.get_model(app, name)
    if not isinstance(model._meta.pk, UUIDField):
        return []
    rows = model._default_manager.order_by("-pk")
    if found.begins:
        rows = rows.filter(pk__range=ids.between(found.begins))
    if not found.ends:
        return list(rows.values_list("pk", flat=True)[:MOST])
    # Six letters are thirty bits: seven hexadecimal digits, and two bits that are compared here.
    tail = f"{ids.decode('event', f'evt_{found.ends:0>26}').int & 0xFFFFFFF:07x}"
    rows = rows.filter(newest(model)).annotate(digits=Cast("pk", TextField())).filter(digits__endswith=tail)
    return [key for key in rows.values_list("pk", flat=True)[:MOST] if ids.encode(kind, key).endswith(found.ends)]


def rows_for(text: str, columns: Mapping[str, str]) -> Q | None:
    """The rows that the part of an id means in a list with these columns; nothing where it means none of them."""
    found = part(text)
    if found is None:
        return None
    kinds = [kind for kind in columns if kind in PAGES and found.kind in ("", kind)]
    wanted = {columns[kind]: keys for kind in kinds if (keys := meant(kind, found))}
    rows = Q()
    for column, keys in wanted.items():
        rows |= Q(**{f"{column}__in": keys})
    return rows if wanted else None


@dataclass(frozen=True, slots=True)
class Found:
    """A row that a text may mean: what it is called, what it is, and the kind and id of its page."""

    title: str
    description: str
    kind: str
    pk: uuid.UUID


Finder = Callable[[str], Iterable[Found]]
_finders: list[tuple[tuple[str, ...], Finder]] = []


def finder(*permissions: str) -> Callable[[Finder], Finder]:
    """Look for a text from every page, for people with these permissions. The finder bounds its own work."""

    def register(find: Finder) -> Finder:
        _finders.append((permissions, find))
        return find

    return register


def everything(text: str, may: Callable[[str], bool]) -> list[Found]:
    """What the apps find by a text, as far as this person may see it."""
    return [found for permissions, find in _finders if all(map(may, permissions)) for found in find(text)]
