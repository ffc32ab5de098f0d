"""What every page of the console has, and the read-only kind. Forms are in `editing`, actions in `acting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, DateTimeField, Field, Model, Q, QuerySet, UUIDField
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from bridge.console import finding, pages
from bridge.console.lists import CarefulAdmin
from bridge.console.paging import BoundedPaginator
from bridge.console.spelling import Plainly
from bridge.kernel.api.roles import roles_of
from bridge.kernel.results import Actor, Channel, Role

CharField.register_lookup(Plainly)  # names are searched `plainly`


def actor_of(request: HttpRequest, *, among: frozenset[Role] | None = None) -> Actor | None:
    """Who acts, in the first of their roles that is `among` those asked for; nothing where they have none."""
    roles = roles_of(request.user)
    fitting = sorted(roles if among is None else roles & among)
    if not fitting:
        return None
    return Actor(id=str(request.user.pk), role=fitting[0], channel=Channel.ADMIN, label=request.user.get_username())


class ConsoleAdmin(CarefulAdmin):
    """What all pages have: search by id, bounded counts, no deleting, the event log as history."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    list_fullwidth = True
    list_filter_sheet = True
    compressed_fields = True
    show_facets = "never"  # type: ignore[assignment]
    change_form_template = "console/page.html"
    # kind of TypeID → column of this model
    id_columns: ClassVar[Mapping[str, str]] = {}

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[Any]) -> Sequence[Any]:
        return self.list_display_links or list(list_display)[:1]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(db_field, DateTimeField):
            field.help_text = f"{field.help_text} In UTC.".strip()
        return field

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Ids first, by index; then parts of ids; then `find`; then the text columns."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        columns = finding.columns_for(term, self.id_columns)
        if columns is not None:
            wanted = Q(pk__in=[])
            for column, value in columns.items():
                wanted |= Q(**{column: value})
            return queryset.filter(wanted), False
        shortened = finding.rows_for(term, self.id_columns)
        if shortened is not None:
            return queryset.filter(shortened), False
        found = self.find(term)
        if found is not None:
            return queryset.filter(found), False
        return super().get_search_results(request, queryset, term)

    def find(self, term: str) -> Q | None:
        """What else a text may mean; nothing leaves it to `search_fields`."""
        return None

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = dict(extra_context or {})
        if request.method == "GET":
            row = self.get_object(request, unquote(object_id))
            if row is not None and self.has_view_permission(request, row):
                context["sections"] = pages.sections(request, row)
                context.update(self.page_context(request, row))
        return super().change_view(request, object_id, form_url, context)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Options[Any], object_id: str
    ) -> HttpResponseRedirect:
        """Django asks whether it was deleted; here nothing is."""
        self.message_user(request, f"There is no {opts.verbose_name} with this id.", messages.WARNING)
        return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))

    def page_context(self, request: HttpRequest, row: Model) -> dict[str, Any]:
        """More for the template of one row's page."""
        return {"verbs": pages.buttons(request, row)}

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """There is one history: the event log. Its subjects are rows with a uuid; of others it tells nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not isinstance(self.model._meta.pk, UUIDField):
            messages.info(request, "The event log tells nothing about rows of this kind.")
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        return HttpResponseRedirect(reverse("admin:events_event_changelist") + f"?subject_id__exact={object_id}")

    # Django's own log of changes would be a second history.
    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        return None

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        return None


class ReadOnlyAdmin(ConsoleAdmin):
    """Rows that only services write. Nobody adds or changes one here, a superuser neither."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return list(self.get_fields(request, obj))
