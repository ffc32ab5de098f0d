"""Roles of people: groups of Django with these names, and what each may see in the console.

What a role may *do* to money is decided by services; a permission here only opens pages. A superuser without a group
has no role, and so may look but not act.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from bridge.kernel.results import Role

STAFF = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR)
PEOPLE = (Role.INVESTOR, Role.SERVICE, *STAFF)
APPS = ("kernel", "events", "approvals", "accounts", "ledger", "funds", "transfers", "notifications")
UNSEEN = {"view_credential", "view_idempotencykey"}  # for compliance and auditors only

# Pages with forms, by role. Everything else that people do goes through an action that asks a service.
FORMS: dict[Role, tuple[str, ...]] = {
    Role.MAKER: (
        "accounts.add_investor",
        "accounts.change_investor",
        "accounts.add_investoraccount",
        "accounts.change_investoraccount",
        "funds.add_fund",
        "funds.change_fund",
    ),
    Role.COMPLIANCE: ("accounts.change_investor",),
}


@transaction.atomic
def ensure_groups() -> dict[str, Group]:
    """Make the groups of all roles with exactly their permissions, and return them by name. Safe to repeat.

    Needs the permissions that `migrate` makes.
    """
    views = Permission.objects.filter(content_type__app_label__in=APPS, codename__startswith="view_")
    groups = {}
    for role in PEOPLE:
        group, _ = Group.objects.get_or_create(name=str(role))
        granted: list[Permission] = []
        if role in STAFF:
            granted = [
                permission
                for permission in views
                if permission.codename not in UNSEEN or role in (Role.COMPLIANCE, Role.AUDITOR)
            ]
        granted += _named(FORMS.get(role, ()))
        group.permissions.set(granted)
        groups[group.name] = group
    return groups


def _named(names: Iterable[str]) -> list[Permission]:
    found = []
    for name in names:
        app, _, codename = name.partition(".")
        found.append(Permission.objects.get(content_type__app_label=app, codename=codename))
    return found
