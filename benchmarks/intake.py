"""How fast requests come in over HTTP: one by one and in bulk."""

from __future__ import annotations

import json
from typing import Any

from benchmarks import web
from benchmarks.people import People, requests

CLIENTS = 8
BULK_CLIENTS = 4


def single(server: web.Web, people: People, *, count: int) -> float:
    """`POST /transfers` per second from 8 clients: rules, hold, place, event, idempotency key, each committed."""
    jobs = []
    for number, request in enumerate(requests(people, people.funds, count)):
        body, key = web.as_body(request), f"single-{request.amount}-{number}"
        jobs.append(lambda body=body, key=key: server.post("/api/v1/transfers", body, key))
    seconds, answers = web.in_parallel(jobs, clients=CLIENTS)
    for status, text in answers:
        if status != 201 or json.loads(text)["state"] != "approved":
            raise RuntimeError(f"POST /transfers answered {status}: {text[:300]!r}")
    return count / seconds


def bulk(server: web.Web, people: People, *, rows: int, per_request: int) -> float:
    """Rows per second of `POST /transfers/bulk` from 4 clients, with as many requests for each: none works alone."""
    round_of_all = BULK_CLIENTS * per_request
    rows = max(1, round(rows / round_of_all)) * round_of_all
    wanted = requests(people, people.funds, rows)
    jobs = []
    for start in range(0, rows, per_request):
        part = wanted[start : start + per_request]
        body = json.dumps(
            {"transfers": [web.as_json(one, idempotency_key=f"bulk-{one.amount}-{start}") for one in part]}
        ).encode()
        jobs.append(lambda body=body: server.post("/api/v1/transfers/bulk", body))
    seconds, answers = web.in_parallel(jobs, clients=BULK_CLIENTS)
    for status, text in answers:
        _all_approved(status, text)
    return rows / seconds


def _all_approved(status: int, text: bytes) -> None:
    if status != 200:
        raise RuntimeError(f"POST /transfers/bulk answered {status}: {text[:300]!r}")
    results: list[dict[str, Any]] = json.loads(text)["results"]
    for row in results:
        if row["status"] != 201 or row["transfer"]["state"] != "approved":
            raise RuntimeError(f"a row of POST /transfers/bulk was answered {row}")
