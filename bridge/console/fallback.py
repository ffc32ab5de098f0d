"""Every table of Bridge has a page: those without one of their own get a plain one, to read."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.postgres.fields import ArrayField
from django.db import models

from bridge.console.base import ReadOnlyAdmin
from bridge.roles import APPS

HIDDEN = ("sealed", "_index", "secret", "digest", "hash", "password")
COLUMNS = 6


def shown_fields(model: type[models.Model]) -> list[str]:
    """The columns of a model that may be seen."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if not any(word in field.name for word in HIDDEN) and not isinstance(field, models.BinaryField)
    ]


def register(site: AdminSite) -> None:
    """Give the models of Bridge's apps that have no page a plain one."""
    for label in APPS:
        if label not in apps.app_configs:
            continue
        for model in apps.get_app_config(label).get_models():
            if not site.is_registered(model):
                site.register(model, _page(model))


def _page(model: type[models.Model]) -> type[ReadOnlyAdmin]:
    fields = shown_fields(model)
    wide = {
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, (models.JSONField, models.TextField, ArrayField))
    }
    related = [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.name in fields
    ]
    attributes: dict[str, Any] = {
        "fields": fields,
        "list_display": ["__str__", *[name for name in fields if name not in wide and name != "id"][:COLUMNS]],
        "list_select_related": related or False,
        "ordering": ["-pk"],
    }
    return type(f"{model.__name__}Admin", (ReadOnlyAdmin,), attributes)
