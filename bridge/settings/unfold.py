"""The look of the admin: name, sidebar and search. Colours are in bridge/static/bridge/console.css."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may(model: str) -> Callable[[HttpRequest], bool]:
    app, _, name = model.partition(".")
    return lambda request: bool(request.user.has_perm(f"{app}.view_{name}"))


def _list(title: str, icon: str, model: str, query: str = "", badge: str = "") -> dict[str, Any]:
    """An entry of the sidebar that opens a list, for people who may see it."""
    name = model.replace(".", "_")
    # The address is known only when the URLs are: a callable is asked at every page.
    link = lambda request: f"{reverse_lazy(f'admin:{name}_changelist')}{query}"  # noqa: E731
    entry = {"title": title, "icon": icon, "link": link, "permission": _may(model)}
    if badge:
        entry |= {"badge": badge, "badge_variant": "danger"}
    return entry


def _page(title: str, icon: str, model: str, url: str) -> dict[str, Any]:
    """An entry that opens a page of its own, for people who may see that model."""
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{url}"), "permission": _may(model)}


def _group(title: str, *items: dict[str, Any], collapsible: bool = False) -> dict[str, Any]:
    return {"title": title, "separator": True, "collapsible": collapsible, "items": list(items)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Bridge",
    "SITE_HEADER": "Bridge",
    "SITE_SUBHEADER": "Operations console",
    "SITE_SYMBOL": "account_balance",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("bridge/favicon.svg")},
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "transfers.admin.dashboard.dashboard",
    "STYLES": [lambda request: static("bridge/console.css")],
    "ACCOUNT": {
        "navigation": [
            {"title": "Second factor", "link": reverse_lazy("admin:second_factor")},
            {"title": "Change password", "link": reverse_lazy("admin:password_change")},
        ]
    },
    "COMMAND": {"search_callback": "bridge.admin_site.jump"},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": True,
        "navigation": [
            {"items": [{"title": "What needs me now?", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            _group(
                "Decisions",
                _list("Approvals", "approval", "approvals.approval", badge="bridge.approvals.admin.badge_of"),
                _list("In review", "rate_review", "transfers.transfer", "?state=in_review"),
            ),
            _group(
                "Control",
                _page("Controls", "tune", "transfers.stop", "transfers_controls"),
                _list("Stops", "block", "transfers.stop"),
                _list("Parameters", "manage_history", "transfers.parameters"),
            ),
            _group(
                "Transfers",
                _list("Transfers", "swap_horiz", "transfers.transfer"),
                _list("Bank instructions", "send", "transfers.bankinstruction"),
                _page("All that is open", "checklist", "transfers.work", "transfers_open"),
                _list("Work", "pending_actions", "transfers.work"),
                _list("Verifications", "rule", "funds.verification"),
            ),
            _group(
                "Investors",
                _list("Investors", "group", "accounts.investor"),
                _list("Investor accounts", "account_balance_wallet", "accounts.investoraccount"),
                _list("Balance observations", "visibility", "accounts.balanceobservation"),
            ),
            _group(
                "Funds",
                _list("Funds", "apartment", "funds.fund"),
                _list("Allocations", "event_seat", "funds.allocation"),
                _list("Reservations", "bookmark", "funds.reservation"),
                _list("Subscription papers", "history_edu", "funds.subscription"),
                _list("Closings", "hourglass_bottom", "funds.closing"),
            ),
            _group(
                "Criteria",
                _page("Rules", "gavel", "funds.ruleparameters", "funds_rule_list"),
                _list("Values and drafts", "tune", "funds.ruleparameters"),
                _page("Replay", "history_toggle_off", "funds.ruleparameters", "funds_rule_replay"),
                _list("Overrides", "rule_settings", "funds.ruleoverride"),
            ),
            _group(
                "Treasury",
                _page("Float", "savings", "transfers.floatmovement", "transfers_float"),
                _list("Receipts", "move_to_inbox", "transfers.receipt"),
                _list("Float movements", "payments", "transfers.floatmovement"),
            ),
            _group(
                "Reconciliation",
                _list("Breaks", "difference", "transfers.break", "?resolved=open"),
                _list("Runs", "fact_check", "transfers.reconciliationrun"),
                _list("Callbacks", "call_received", "transfers.inboundcallback"),
            ),
            _group(
                "Ledger",
                _list("Ledger accounts", "account_tree", "ledger.ledgeraccount"),
                _list("Postings", "receipt_long", "ledger.posting"),
                _list("Entries", "list_alt", "ledger.entry"),
            ),
            _group(
                "Record",
                _list("Events", "history", "events.event"),
                _list("Seals", "verified", "events.seal"),
                _list("Notifications", "notifications", "notifications.notification"),
            ),
            _group(
                "System",
                _list("Logins", "person", "auth.user"),
                _list("Roles", "badge", "auth.group"),
                _list("API tokens", "key", "knox.authtoken"),
                _list("Second factors", "phonelink_lock", "otp_totp.totpdevice"),
                _list("Credentials", "vpn_key", "accounts.credential"),
                _list("Idempotency keys", "repeat_one", "kernel.idempotencykey"),
                _list("Fund capacities", "speed", "funds.fundcapacity"),
                _list("Epochs", "restore", "events.epoch"),
                _list("Clock", "schedule", "kernel.clockoffset"),
                _list("Sign-in attempts", "lock", "axes.accessattempt"),
                collapsible=True,
            ),
        ],
    },
}

# A second factor's key is for its owner's app, not for the pages of the admin.
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# Where a sign-in without a wish leads.
LOGIN_REDIRECT_URL = "admin:index"
