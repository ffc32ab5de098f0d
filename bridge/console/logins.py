"""Logins, roles and tokens, for superusers. Replaces the pages that Django and other packages bring.

Only a superuser opens them; nobody sees a token, a password's hash or a second factor's key.
"""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, when
from bridge.console.lists import CarefulAdmin


class LoginAdmin(UserAdmin, CarefulAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_staff", "is_active", "signed_in")
    list_filter = ("groups", "is_staff", "is_active", "is_superuser")
    list_fullwidth = True
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # what a login did stays attributed to it; deactivate it instead

    @display(description="roles")
    def roles(self, user: User) -> str:
        names = sorted(group.name for group in user.groups.all())
        return format_html_join(" ", "{}", ((badge(name, colour="blue"),) for name in names))

    @display(description="last sign-in", ordering="last_login")
    def signed_in(self, user: User) -> str:
        return when(user.last_login)


class RoleAdmin(GroupAdmin, CarefulAdmin):
    """The roles' permissions are made by `bridge.roles.ensure_groups`."""

    list_fullwidth = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SuperuserAdmin(ReadOnlyAdmin):
    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class TokenAdmin(SuperuserAdmin):
    list_display = ("beginning", "user", "created", "expiry")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    ordering = ("-created",)
    fields = ("user", "created", "expiry")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(request, obj)  # revokes it at once

    @display(description="token")
    def beginning(self, token: AuthToken) -> str:
        return f"{token.token_key[:4]}…"


class SecondFactorAdmin(SuperuserAdmin):
    list_display = ("name", "user", "state", "last_used_at")
    list_select_related = ("user",)
    fields = ("user", "name", "confirmed", "throttling_failure_count", "created_at", "last_used_at")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_view_permission(
            request, obj
        )  # of a lost phone: its owner signs in without, and sets up another

    @display(description="state")
    def state(self, device: TOTPDevice) -> str:
        return badge("confirmed") if device.confirmed else badge("pending", "not confirmed")


class AttemptAdmin(SuperuserAdmin):
    list_display = ("username", "ip_address", "attempt_time")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "attempt_time", "user_agent", "path_info")


def register() -> None:
    site = admin.site
    pages = {
        User: LoginAdmin,
        Group: RoleAdmin,
        AuthToken: TokenAdmin,
        TOTPDevice: SecondFactorAdmin,
        AccessAttempt: AttemptAdmin,
        AccessLog: AttemptAdmin,
        AccessFailureLog: AttemptAdmin,
    }
    for model, page in pages.items():
        if site.is_registered(model):
            site.unregister(model)
        site.register(model, page)
