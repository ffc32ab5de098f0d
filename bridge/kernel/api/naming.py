"""Names that stand for objects, in data that is shown outside."""

from __future__ import annotations

import uuid
from typing import Any

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId

# What a name in an event or a payload holds, where it is an id.
_IDS = {
    "transfer": "transfer",
    "source_account": "account",
    "account": "account",
    "fund": "fund",
    "investor": "investor",
    "instruction": "instruction",
    "break": "break",
    "parent": "transfer",
    "child": "transfer",
    "closing": "closing",
    "receipt": "receipt",
    "movement": "movement",
    "posting": "posting",
    "reverses": "posting",
    "from_fund": "fund",
    "paid_to": "account",
}


def outside(name: str, value: Any) -> Any:
    """Our uuids as TypeIDs."""
    kind = _IDS.get(name)
    if kind is None or not isinstance(value, str):
        return value
    try:
        return ids.encode(kind, uuid.UUID(value))
    except ValueError:
        return value


def inside(text: str) -> uuid.UUID:
    """The uuid behind a TypeID of any kind, or a bare uuid. Raises `MalformedId`."""
    for kind, prefix in ids.PREFIXES.items():
        if text.startswith(f"{prefix}_"):
            return ids.decode(kind, text)
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise MalformedId("This is no id.") from error
