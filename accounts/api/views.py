from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import queries
from accounts.api.serializers import (
    AccountQuery,
    AccountSerializer,
    BalanceSerializer,
    render_accounts,
    render_balance,
)
from accounts.models import InvestorAccount
from bridge.kernel.api.fields import read_query
from bridge.kernel.api.headers import etag
from bridge.kernel.api.paging import newest_first
from bridge.kernel.api.roles import EVERYBODY, sees_everything
from bridge.kernel.api.schema import ETAG, documented, page_of
from bridge.kernel.api.views import READS, BridgeView, path_id
from bridge.kernel.errors import NotFound


def _visible(user: Any) -> QuerySet[InvestorAccount]:
    return InvestorAccount.objects.all() if sees_everything(user) else queries.accounts_of(user)


def _account(request: Request, text: str) -> InvestorAccount:
    """Raises `NotFound`, the same for an unknown account and somebody else's."""
    account = _visible(request.user).filter(pk=path_id("account", text)).first()
    if account is None:
        raise NotFound(what="account")
    return account


class AccountsView(BridgeView):
    allowed = {"GET": EVERYBODY}
    reads_query = READS

    @documented(
        operation_id="list_accounts",
        tag="accounts",
        summary="List accounts",
        parameters=[AccountQuery],
        answers={200: page_of(AccountSerializer, "Account")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(AccountQuery, request)
        filters = {name: wanted[name] for name in ("currency", "status", "investor") if name in wanted}
        accounts = _visible(request.user).filter(**filters)
        page = newest_first(accounts, request, wanted)
        return Response(page.render(render_accounts))


class AccountView(BridgeView):
    allowed = {"GET": EVERYBODY}

    @documented(
        operation_id="read_account",
        tag="accounts",
        summary="Read an account",
        parameters=[ETAG],
        answers={200: AccountSerializer},
        refusals=[404],
    )
    def get(self, request: Request, account: str) -> Response:
        found = _account(request, account)
        return Response(render_accounts([found])[0], headers={"ETag": etag(found.version)})


class BalanceView(BridgeView):
    allowed = {"GET": EVERYBODY}

    @documented(
        operation_id="read_balance",
        tag="accounts",
        summary="Read an account's balance",
        description="To look at: a transfer is decided on a fresh answer of the institution.",
        answers={200: BalanceSerializer},
        refusals=[404],
    )
    def get(self, request: Request, account: str) -> Response:
        account_id = path_id("account", account)
        owner = None if sees_everything(request.user) else request.user.pk
        kept = queries.kept_balance(account_id, owner=owner)
        balance = kept or queries.display_balance(_account(request, account))
        return Response(render_balance(account_id, balance))
