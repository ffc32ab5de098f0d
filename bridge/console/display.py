"""How values look in the console: badges, money, ids, times, links. Everything here is escaped."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from bridge.kernel import ids, money

EMPTY = "–"
SECRET_WORDS = ("account_number", "number", "iban", "secret", "api_key", "token", "password", "sealed")

# One colour per meaning: green is done, blue moves, amber waits for somebody, red needs somebody, grey is over.
COLOURS = {
    "requested": "blue",
    "approved": "blue",
    "withdrawing": "blue",
    "withdrawn": "violet",
    "depositing": "blue",
    "refunding": "blue",
    "submitted": "blue",
    "acknowledged": "blue",
    "pending": "amber",
    "in_review": "amber",
    "waitlisted": "amber",
    "hold": "amber",
    "waitlist": "amber",
    "paused": "amber",
    "closing": "amber",
    "reserved": "amber",
    "completed": "green",
    "settled": "green",
    "confirmed": "green",
    "open": "green",
    "active": "green",
    "pass": "green",
    "approve": "green",
    "frozen": "red",
    "unknown": "red",
    "failed": "red",
    "rejected": "red",
    "reject": "red",
    "fail": "red",
    "blocked": "red",
    "draft": "grey",
    "running": "blue",
    "done": "green",
}


def badge(value: object, text: str = "", colour: str = "") -> SafeString:
    """A coloured word. The colour follows the value unless one is given."""
    name = str(value)
    shown = text or name.replace("_", " ")
    return format_html(
        '<span class="bridge-badge bridge-badge--{}">{}</span>', colour or COLOURS.get(name, "grey"), shown or EMPTY
    )


def amount(value: int | None, currency: str) -> SafeString:
    """Money in figures that line up; `value` in minor units."""
    if value is None:
        return mark_safe(EMPTY)  # noqa: S308 a constant
    sign = " bridge-money--negative" if value < 0 else ""
    return format_html('<span class="bridge-money{}">{}</span>', sign, money_text(value, currency))


def money_text(value: int, currency: str) -> str:
    """`money.display`, which knows only ISO 4217, for whatever stands in a row."""
    try:
        return money.display(value, currency)
    except KeyError:
        return f"{value:,} {currency}".strip()


def public_id(kind: str, value: uuid.UUID | None) -> SafeString:
    """A TypeID, shortened for the eye; the whole one is in its title and comes with a click's copy."""
    if value is None:
        return mark_safe(EMPTY)  # noqa: S308 a constant
    whole = ids.encode(kind, value)
    return format_html('<span class="bridge-id" title="{}">{}…{}</span>', whole, whole[:-22], whole[-6:])


def whole_id(kind: str, value: uuid.UUID) -> SafeString:
    return format_html('<span class="bridge-id">{}</span>', ids.encode(kind, value))


def when(value: datetime | None) -> SafeString:
    """Day and time in UTC. Also what Django itself writes, by `bridge.console.formats`, looks like this."""
    if value is None:
        return mark_safe(EMPTY)  # noqa: S308 a constant
    return format_html(
        '<time class="bridge-time" datetime="{}" title="{} UTC">{}</time>',
        value.isoformat(),
        f"{value:%Y-%m-%d %H:%M:%S}",
        moment_text(value),
    )


def moment_text(value: datetime) -> str:
    """The one notation of moments in the console. The page's head says that times are UTC."""
    return f"{value:%d %b %Y %H:%M}"


def link(model: str, pk: object, text: object) -> SafeString:
    """A link to the page of one row. `model` is `app.model`; plain text where the console has no such page."""
    if pk is None:
        return mark_safe(EMPTY)  # noqa: S308 a constant
    try:
        url = reverse(f"admin:{model.replace('.', '_')}_change", args=[pk])
    except NoReverseMatch:
        return format_html("{}", text)
    return format_html('<a class="bridge-link" href="{}">{}</a>', url, text)


def link_to(row: Model | None, text: object = "") -> SafeString:
    if row is None:
        return mark_safe(EMPTY)  # noqa: S308 a constant
    return link(row._meta.label_lower, row.pk, text or str(row))


def id_link(kind: str, model: str, value: uuid.UUID | None) -> SafeString:
    return link(model, value, public_id(kind, value))


def rows_url(model: str, **conditions: object) -> str:
    """The address of a list, with filters already chosen."""
    query = "&".join(f"{name}={value}" for name, value in conditions.items())
    return reverse(f"admin:{model.replace('.', '_')}_changelist") + (f"?{query}" if query else "")


def rows_link(model: str, text: str, **conditions: object) -> SafeString:
    return format_html('<a class="bridge-link" href="{}">{}</a>', rows_url(model, **conditions), text)


def json_block(value: object) -> SafeString:
    """JSON to read, with whatever could be a secret or a whole account number masked."""
    text = json.dumps(masked(value), indent=2, sort_keys=True, ensure_ascii=False, default=str)
    return format_html('<pre class="bridge-json">{}</pre>', text)


def masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _mask(item) if _is_secret(key) else masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value


def _is_secret(key: object) -> bool:
    name = str(key).lower()
    return name in SECRET_WORDS or name.endswith(("_secret", "_token", "account_number", "_password"))


def _mask(value: object) -> object:
    if isinstance(value, (Mapping, list, tuple)):
        return masked(value)
    text = str(value or "")
    return f"···{text[-4:]}" if len(text) > 4 else "···"


def hexadecimal(value: Any) -> SafeString:
    text = bytes(value).hex() if value else ""
    return format_html('<span class="bridge-id" title="{}">{}…</span>', text, text[:16])


def bar(part: int, whole: int | None, text: str) -> SafeString:
    """How much of something is taken, as a bar and in words; no bar where nothing limits it."""
    if not whole:
        return format_html('<span class="bridge-muted">{}</span>', text)
    share = min(100, max(0, round(100 * part / whole)))
    level = "full" if share >= 95 else "high" if share >= 80 else "free"
    # An SVG, because the page's policy allows no inline styles.
    return format_html(
        '<span class="bridge-bar" title="{}%"><svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bridge-bar__track" width="100" height="6" rx="3"/>'
        '<rect class="bridge-bar__fill bridge-bar__fill--{}" width="{}" height="6" rx="3"/></svg>'
        '<span class="bridge-bar__text">{}</span></span>',
        share,
        level,
        share,
        text,
    )
