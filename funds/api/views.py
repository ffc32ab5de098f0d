from __future__ import annotations

from typing import Any

from django.db.models import BigIntegerField, Count, IntegerField, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel.api.fields import read_query
from bridge.kernel.api.headers import etag
from bridge.kernel.api.paging import newest_first
from bridge.kernel.api.roles import EVERYBODY, sees_everything
from bridge.kernel.api.schema import ETAG, documented, page_of
from bridge.kernel.api.views import READS, BridgeView, path_id
from bridge.kernel.errors import NotFound
from funds.api.serializers import (
    AllocationQuery,
    AllocationSerializer,
    FundQuery,
    FundSerializer,
    render_allocations,
    render_funds,
)
from funds.models import Allocation, Fund, Reservation


def _funds(user: Any) -> QuerySet[Fund]:
    """A draft is the firm's own matter."""
    confirmed = (
        Allocation.objects.filter(fund=OuterRef("pk"), confirmed__gt=0)
        .order_by()
        .values("fund")
        .annotate(number=Count("pk"))
        .values("number")
    )
    funds = Fund.objects.select_related("capacity").annotate(
        seats_confirmed=Coalesce(Subquery(confirmed, output_field=IntegerField()), 0)
    )
    return funds if sees_everything(user) else funds.exclude(status=Fund.Status.DRAFT)


def _with_quiet(allocations: QuerySet[Allocation]) -> QuerySet[Allocation]:
    """As their investor reads them: what a freeze gave back quietly is in `quiet`, and still counts as reserved."""
    given_back = (
        Reservation.objects.filter(allocation=OuterRef("pk"), quiet=True)
        .order_by()
        .values("allocation")
        .annotate(sum=Sum("amount"))
        .values("sum")
    )
    return allocations.annotate(quiet=Coalesce(Subquery(given_back, output_field=BigIntegerField()), 0))


class FundsView(BridgeView):
    allowed = {"GET": EVERYBODY}
    reads_query = READS

    @documented(
        operation_id="list_funds",
        tag="funds",
        summary="List funds",
        parameters=[FundQuery],
        answers={200: page_of(FundSerializer, "Fund")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(FundQuery, request)
        filters = {name: wanted[name] for name in ("status", "kind", "currency") if name in wanted}
        funds = _funds(request.user).filter(**filters)
        page = newest_first(funds, request, wanted)
        return Response(page.render(render_funds))


class FundView(BridgeView):
    allowed = {"GET": EVERYBODY}

    @documented(
        operation_id="read_fund",
        tag="funds",
        summary="Read a fund",
        parameters=[ETAG],
        answers={200: FundSerializer},
        refusals=[404],
    )
    def get(self, request: Request, fund: str) -> Response:
        found = _funds(request.user).filter(pk=path_id("fund", fund)).first()
        if found is None:
            raise NotFound(what="fund")
        return Response(render_funds([found])[0], headers={"ETag": etag(found.version)})


class AllocationsView(BridgeView):
    allowed = {"GET": EVERYBODY}
    reads_query = READS

    @documented(
        operation_id="list_allocations",
        tag="funds",
        summary="List places in funds",
        parameters=[AllocationQuery],
        answers={200: page_of(AllocationSerializer, "Allocation")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(AllocationQuery, request)
        filters = {name: wanted[name] for name in ("fund", "investor") if name in wanted}
        allocations = Allocation.objects.select_related("fund").filter(**filters)
        if not sees_everything(request.user):
            allocations = _with_quiet(allocations.filter(investor__user=request.user.pk))
        page = newest_first(allocations, request, wanted)
        return Response(page.render(render_allocations))
