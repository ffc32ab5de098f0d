"""Secrets of the embedded installation: made once at random, kept in a file that only its owner reads.

Nothing of the kind is in the repository. A deployed Bridge takes its secrets from the environment.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    secret_key: str
    field_key: str  # base64 of 32 bytes
    sandbox_secret: str  # the sandbox bank derives every principal's keys from it


def local_secrets(path: Path) -> LocalSecrets:
    """Read them, or make them. Of several processes that make them at once, one wins and all read the same."""
    try:
        return LocalSecrets(**json.loads(path.read_text()))
    except FileNotFoundError:
        pass
    fresh = LocalSecrets(
        secret_key=secrets.token_urlsafe(64),
        field_key=base64.b64encode(secrets.token_bytes(32)).decode(),
        sandbox_secret=secrets.token_hex(32),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(fresh), file, indent=2)
    try:
        os.link(draft, path)  # refuses where the file exists: the first one stays
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return LocalSecrets(**json.loads(path.read_text()))
