"""A balance kept for display knows whose it is: it is thrown away when its investor may have got another login."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from accounts import cache
from accounts.models import Investor, InvestorAccount


def connect() -> None:
    """Called once, when the apps are ready."""
    post_save.connect(_forget, sender=Investor, dispatch_uid="accounts.forget_balances")


def _forget(*, instance: Investor, created: bool, **_: Any) -> None:
    if created:
        return
    held = list(InvestorAccount.objects.filter(investor=instance).values_list("pk", flat=True))
    if held:
        transaction.on_commit(lambda: cache.invalidate(held))
