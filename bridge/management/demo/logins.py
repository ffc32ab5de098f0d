"""The demo's logins: made once, with passwords that derive from this installation's own secret key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from bridge.kernel.results import Role
from bridge.management.demo.catalogue import LOGINS, Login
from bridge.roles import STAFF, ensure_groups


def password_of(username: str) -> str:
    """Twenty characters, different in every installation, the same at every start of one."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"demo login {username}".encode(), hashlib.sha256).digest()
    text = base64.b32encode(digest).decode().lower()[:20]
    return "-".join(text[start : start + 5] for start in range(0, 20, 5))


def ensure_logins() -> dict[str, User]:
    """Make those that are missing, with their roles, and return all by name. People's changes to them stay."""
    groups = ensure_groups()
    found = {user.username: user for user in User.objects.filter(username__in=[login.username for login in LOGINS])}
    missing = [login for login in LOGINS if login.username not in found]
    with ThreadPoolExecutor(max_workers=4) as pool:  # hashing takes long on purpose, and lets other threads run
        hashes = list(pool.map(make_password, [password_of(login.username) for login in missing]))
    for login, hashed in zip(missing, hashes, strict=True):
        user = User.objects.create(
            username=login.username,
            password=hashed,
            first_name=login.name[:150],
            email=f"{login.username}@example.com",
            is_staff=login.is_superuser or any(role in STAFF for role in login.roles),
            is_superuser=login.is_superuser,
        )
        user.groups.set([groups[str(role)] for role in login.roles])
        found[login.username] = user
    return found


def with_role(role: Role) -> list[Login]:
    """The demo's logins of a role, in their order."""
    return [login for login in LOGINS if role in login.roles]


def write_table(path: Path) -> list[dict[str, Any]]:
    """Write down who may sign in how, for the owner of this installation only."""
    rows = [
        {
            "username": login.username,
            "password": password_of(login.username),
            "role": ", ".join(map(str, login.roles)) or "superuser, looks but does not act",
        }
        for login in LOGINS
    ]
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(rows, file, indent=2)
        file.write("\n")
    draft.replace(path)
    return rows
