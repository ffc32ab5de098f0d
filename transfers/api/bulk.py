"""Many transfers in one request: each row has its own key and its own outcome, as if it had come alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel import memory, problem
from bridge.kernel.api.fields import read_body
from bridge.kernel.api.parsing import StrictJSONParser
from bridge.kernel.api.roles import actor_of, principal_of, sees_everything
from bridge.kernel.api.schema import documented
from bridge.kernel.api.views import BridgeView
from bridge.kernel.errors import BridgeError, IdempotencyKeyReused
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.results import Actor, Refused, Role
from transfers import facts, services
from transfers.api.reading import read_row
from transfers.api.rendering import render_each
from transfers.api.requests import as_request, refuse
from transfers.api.serializers import BulkAnswerSerializer, BulkReader, BulkRowSerializer, BulkSerializer

ROWS_AT_ONCE = 500  # per transaction: keeps locks short, and one key's lock per row in PostgreSQL's lock table
Outcome = dict[str, Any]

logger = logging.getLogger(__name__)


class RowFailed(BridgeError):
    code = "internal_error"
    status = 500
    title = "Internal error"
    message = "This row failed on our side, alone; nothing was done for it. Give the request_id when you ask for help."


class BulkJSONParser(StrictJSONParser):
    def most(self) -> int:
        return settings.BRIDGE_MAX_BULK_BYTES


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is right by itself."""

    index: int
    request: services.TransferRequest
    key: Key


class TransferBulkView(BridgeView):
    allowed = {"POST": (Role.SERVICE,)}
    parser_classes = [BulkJSONParser]

    @documented(
        operation_id="request_transfers",
        tag="transfers",
        summary="Request up to 10,000 transfers",
        description=(
            "Each row is a body of `POST /transfers` with its own `idempotency_key`, and is answered by itself: "
            "`status` is what the single route would have answered. A row with errors does not stop the others. Rows "
            "are carried out in order, some hundred per transaction; when no answer comes, send the same body again."
        ),
        request=BulkSerializer,
        answers={200: BulkAnswerSerializer},
        writes=True,
    )
    def post(self, request: Request) -> Response:
        with memory.collected_between() as collect:
            return Response({"object": "transfer_bulk", "results": self._answer(request, collect)})

    def _answer(self, request: Request, collect: Callable[[], None]) -> list[Outcome]:
        given = read_body(BulkReader, request)["transfers"]
        outcomes: dict[int, Outcome] = {}
        first: dict[str, Row] = {}
        repeated: list[Row] = []
        for row in self._read(request, given, outcomes):
            if first.setdefault(row.key.key, row) is not row:
                repeated.append(row)
        self._carry_out(request, list(first.values()), outcomes, collect)
        for row in repeated:
            outcomes[row.index] = _again(request, row, first[row.key.key], outcomes)
        return [outcomes[index] for index in range(len(given))]

    def _read(self, request: Request, given: Sequence[Any], outcomes: dict[int, Outcome]) -> list[Row]:
        """The rows that are right; the others get their outcome at once."""
        reader, rows = BulkRowSerializer(), []
        scope = {"principal": principal_of(request), "method": "POST", "route": reverse("transfers")}
        for index, raw in enumerate(given):
            try:
                checked = read_row(raw, reader)
                body = {name: value for name, value in raw.items() if name != "idempotency_key"}
                rows.append(Row(index, as_request(checked), Key.of(**scope, key=checked["idempotency_key"], body=body)))
            except serializers.ValidationError as error:
                wrong = problem.InvalidFields(errors=problem.field_errors(error.detail))
                outcomes[index] = _refused(request, index, wrong)
            except BridgeError as error:
                outcomes[index] = _refused(request, index, refuse(error))
        return rows

    def _carry_out(
        self, request: Request, rows: Sequence[Row], outcomes: dict[int, Outcome], collect: Callable[[], None]
    ) -> None:
        """Ask each bank once for all rows, then open the transfers batch by batch."""
        seen = facts.gather_for_requests(row.request.source_account_id for row in rows)
        render = render_each(status=201, location=reverse("transfers"), inside=sees_everything(request.user))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            answers = isolated(part, actor=actor_of(request), seen=seen, render=render)
            for row, answer in zip(part, answers, strict=True):
                outcomes[row.index] = _outcome(request, row.index, answer)
            collect()


def isolated(
    rows: Sequence[Row], *, actor: Actor, seen: facts.Facts, render: services.RenderEach
) -> list[Answer | Refused]:
    """Open the transfers of these rows. When the batch fails, halve it until the poisoned row stands alone.

    A database that does not answer is nobody's poison: `OperationalError` and `InterfaceError` go through.
    """
    try:
        return services.request_transfers_once(
            requests=[row.request for row in rows],
            keys=[row.key for row in rows],
            actor=actor,
            facts=seen,
            render=render,
        )
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(rows) == 1:
            logger.exception("row %d of a bulk request failed", rows[0].index)
            return [Refused(None, RowFailed())]
        logger.warning("a batch of %d rows failed (%s), halving it", len(rows), error)
        middle = len(rows) // 2
        halves = (rows[:middle], rows[middle:])
        return [answer for half in halves for answer in isolated(half, actor=actor, seen=seen, render=render)]


def _outcome(request: Request, index: int, answer: Answer | Refused) -> Outcome:
    if isinstance(answer, Refused):
        return _refused(request, index, refuse(answer.error))
    return {
        "index": index,
        "status": answer.status,
        "idempotent_replayed": answer.replayed,
        "transfer": answer.body,
    }


def _refused(request: Request, index: int, error: BridgeError) -> Outcome:
    document = problem.describe(error, request=request._request)
    return {"index": index, "status": error.status, "idempotent_replayed": False, "error": document}


def _again(request: Request, row: Row, first: Row, outcomes: dict[int, Outcome]) -> Outcome:
    """A key for the second time in one body: the first row's outcome, or a refusal where the rows differ."""
    if row.key.body_hash != first.key.body_hash:
        return _refused(request, row.index, IdempotencyKeyReused())
    outcome = outcomes[first.index]
    return {**outcome, "index": row.index, "idempotent_replayed": "transfer" in outcome}
