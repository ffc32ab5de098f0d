"""Pages that take nothing from an address or a form on trust: what is no key, no filter or no text is told, not raised.

A list that does not understand its address says so and shows no row, instead of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin import ChoicesFieldListFilter, SimpleListFilter
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import prepare_lookup_value
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from unfold.admin import ModelAdmin
from unfold.views import ChangeList
from unfold.widgets import UnfoldForeignKeyRawIdWidget

from bridge.console.named import NamedFilter

NUL = "\x00"
LONGEST = 200


class CarefulList(ChangeList):
    """`not_understood` where the address asks for what this list does not have; it is empty then."""

    not_understood = False

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet:
        if not self.not_understood:
            try:
                _check_address(request.GET)
                found = super().get_queryset(request, exclude_parameters)
                _check_values(self.filter_specs)
            except (IncorrectLookupParameters, DisallowedModelAdminLookup):
                self._give_up()
            else:
                return found
        return super().get_queryset(request, exclude_parameters).none()

    def get_filters(self, request: HttpRequest) -> Any:
        """With what Django drops in silence: the condition of a filter that has but one choice, and so is not shown."""
        found = super().get_filters(request)
        shown, remaining = found[0], found[2]
        known = {name for filter_ in shown for name in filter_.expected_parameters()} | set(remaining)
        asked = self.get_filters_params()
        remaining |= {name: prepare_lookup_value(name, asked[name]) for name in asked.keys() - known}
        return found

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except IncorrectLookupParameters:  # no such page of it
            self._give_up()
            self.queryset = self.get_queryset(request)
            super().get_results(request)

    def _give_up(self) -> None:
        self.not_understood, self.page_num = True, 1
        self.params: dict[str, Any] = {}
        self.filter_params: dict[str, Any] = {}


def _check_address(given: QueryDict) -> None:
    """Raises `IncorrectLookupParameters`."""
    texts = [text for name, values in given.lists() for text in (name, *values)]
    if ERROR_FLAG in given or any(NUL in text for text in texts) or any(name.endswith("regex") for name in given):
        raise IncorrectLookupParameters


def _check_values(filters: Sequence[Any]) -> None:
    """A filter with choices was given one of them. Raises `IncorrectLookupParameters`."""
    for found in filters:
        if isinstance(found, ChoicesFieldListFilter):
            known = {str(value) for value, _ in found.field.flatchoices}
            wrong = any(value not in known for value in found.lookup_val or ())
        elif isinstance(found, SimpleListFilter) and not isinstance(found, NamedFilter):
            value = found.value()
            wrong = bool(value) and value not in {str(known) for known, _ in found.lookup_choices}
        else:
            wrong = False
        if wrong:
            raise IncorrectLookupParameters


def is_value(field: Field, text: str) -> bool:
    """Whether a text can be a value of that column at all."""
    try:
        field.to_python(text)
    except (ValidationError, ValueError):
        return False
    return NUL not in text


class CarefulAutocomplete(AutocompleteSelect):
    """Draws a form again also where what was chosen is no key."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        target = self.field.target_field
        return super().optgroups(name, [text for text in value if not text or is_value(target, str(text))], attr)


class PlainKey(UnfoldForeignKeyRawIdWidget):
    """The key and what it names, for people who may not open the pages of that model."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "related_url": "", "link_url": ""}


class CarefulAdmin(ModelAdmin):
    """What every page of the console begins with, those that other packages bring too."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CarefulList

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        made = super().get_changelist_instance(request)
        if getattr(made, "not_understood", False) and request.method == "GET":
            asked = request.GET.urlencode()
            asked = f"{asked[:LONGEST]}…" if len(asked) > LONGEST else asked
            messages.error(request, f"This list has no such filter or page: {asked}. No rows are shown; choose anew.")
        return made

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        if NUL in str(object_id):
            raise Http404
        return super().get_object(request, object_id, from_field)

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        key = self.opts.pk
        if all(is_value(key, text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return super().response_action(request, queryset)
        messages.error(request, "What was ticked is not in this list. Nothing was changed; tick it again.")
        return HttpResponseRedirect(request.get_full_path())

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        other = db_field.remote_field
        if db_field.name in self.raw_id_fields and not _may_see(request, other.model):
            kwargs.setdefault("widget", PlainKey(other, self.admin_site, using=kwargs.get("using")))
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", CarefulAutocomplete(db_field, self.admin_site, using=kwargs.get("using")))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _may_see(request: HttpRequest, model: type[Model]) -> bool:
    return bool(request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"))
