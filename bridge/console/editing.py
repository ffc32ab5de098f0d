"""Forms for what people edit: optimistic, field by field, and in the event log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, QueryDict

from bridge.console.base import ConsoleAdmin, actor_of
from bridge.console.inputs import differences
from bridge.events import services as events
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor


class VersionedForm(forms.ModelForm):
    """Carries the version that the person saw. Another one in the database: nothing is changed.

    The form then says field by field what is there now, and carries that version: saving again is decided with it.
    """

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    # What opens a new row: the page sets it on the class that it makes for one request.
    opener: ClassVar[Callable[[VersionedForm], Any] | None] = None
    opened: Any = None
    initial_version = 0

    def full_clean(self) -> None:
        """When everything else is right, a new row is opened by its service, whose refusal is an error of the form."""
        super().full_clean()
        opener = type(self).opener
        if opener is None or not self.is_bound or self.errors or not self.instance._state.adding:
            return
        try:
            self.opened = opener(self)
        except BridgeError as error:
            self.refuse(error)

    def refuse(self, error: BridgeError) -> None:
        """Beside the fields that it names, or above the form."""
        named = {name: told for name, told in error.data.get("errors", {}).items() if name in self.fields}
        for name, told in named.items():
            self.add_error(name, [one["message"] for one in told])
        if not named:
            self.add_error(None, f"{error.title}. {error.detail}")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and not self.instance._state.adding:
            self.initial_version = self.instance.version
            self.fields["seen_version"].initial = self.initial_version

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance._state.adding:
            return cleaned
        # The form's transaction holds this lock until the row is saved.
        model = type(self.instance)
        actual = (
            model._default_manager.select_for_update(no_key=True)
            .filter(pk=self.instance.pk)
            .values_list("version", flat=True)
            .first()
        )
        seen = self.cleaned_data.get("seen_version")
        if seen != actual:
            self._tell_what_is_there()
            raise ValidationError(
                "Somebody changed this in the meantime: you saw version %(seen)s, it is now %(actual)s. "
                "Nothing was changed. Beside each field that differs is what is there now. Saving again writes what "
                "stands in the form.",
                code="stale_version",
                params={"seen": seen, "actual": actual},
            )
        return cleaned

    def _tell_what_is_there(self) -> None:
        """The version goes with what is shown here, not with what the lock found: a still newer one is refused too."""
        for name, theirs, yours in differences(self):
            self.add_error(name, f"Now “{theirs}”; yours is “{yours}”.")
        data = QueryDict(mutable=True)
        data.update(self.data)
        data[self.add_prefix("seen_version")] = str(self.initial_version)
        self.data = data


class VersionedAdmin(ConsoleAdmin):
    """Fields that people edit. A change saves only those fields, raises the version and writes an event."""

    form = VersionedForm
    event_subject = ""

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list | tuple:
        fieldsets = list(super().get_fieldsets(request, obj))
        if obj is not None and self.has_change_permission(request, obj):
            name, options = fieldsets[0]
            fields = [field for field in options["fields"] if field != "seen_version"]
            fieldsets[0] = (name, {**options, "fields": [*fields, "seen_version"]})
        return fieldsets

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and actor_of(request) is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and actor_of(request) is not None

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = actor_of(request)
        if actor is None:
            raise PermissionDenied
        if not change:
            obj.pk = form.opened.pk  # opened with the last step of the form's validation, in this transaction
            return
        changed = [name for name in form.changed_data if name not in ("seen_version", "version")]
        if not changed:
            return
        obj.version = form.cleaned_data["seen_version"] + 1
        obj.save(update_fields=[*changed, "version"])
        data = {"fields": sorted(changed)}
        fact = events.Fact(
            self.event_subject, obj.pk, f"{self.event_subject}.edited", obj.status, obj.version, data=data
        )
        events.append(facts=[fact], actor=actor, at=clock.now())

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        actor = actor_of(request)
        if obj is None and actor is not None:
            form.opener = staticmethod(lambda filled: self.open_row(filled.cleaned_data, actor))
        return form

    def open_row(self, data: dict[str, Any], actor: Actor) -> Model:
        """Open a row through the app's service. Its `BridgeError` becomes an error of the form."""
        raise PermissionDenied
