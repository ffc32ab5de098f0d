"""The OpenAPI 3.1 document: what a real institution's adapter has to provide, and the sandbox's controls."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from bridge.sandbox.server.schemas import SCHEMAS, ref, text, whole
from bridge.sandbox.wire import IDEMPOTENCY_KEY, REPLAYED, SIGNATURE, TIMESTAMP

ABOUT = f"""It plays the institutions that hold investors' and funds' money, and the bank that keeps the settlement
account. Amounts are integers in minor units.

**Sign-in.** Every `/v1` and `/control` request carries `Authorization: Bearer <api key>`, `{TIMESTAMP}` (seconds since
1970, real time, at most five minutes off) and `{SIGNATURE}`: the hexadecimal HMAC-SHA256, with the principal's secret,
over timestamp, method, target (path with query) and body, joined by line feeds. Else 401.

**Idempotency.** `{IDEMPOTENCY_KEY}` is permanent. The same key with the same body gets the first answer again
(`{REPLAYED}: true`) and never acts twice; with another body 422 `key_reused`. A rejection is an answer too.

**Callbacks.** Changes that no reply has told are posted to `<callback URL>/<institution>`, at least once, until a 2xx,
signed as Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`)."""

Row = tuple[str, str, str, str, str, str]  # method, path, tag, summary, request schema, answer "status schema"
ROWS: list[Row] = [
    ("get", "/healthz", "Open", "Is it up?", "", "200 Health"),
    ("get", "/openapi.json", "Open", "This document.", "", "200 *"),
    ("get", "/docs", "Open", "This document as a page.", "", "200 text/html"),
    ("post", "/v1/{institution}/instructions", "Institution", "Submit an order.", "Order", "201 Instruction"),
    ("get", "/v1/{institution}/instructions/{key}", "Institution", "What became of it.", "", "200 Instruction"),
    ("get", "/v1/{institution}/instructions", "Institution", "All that it ever took.", "", "200 InstructionPage"),
    ("get", "/v1/{institution}/accounts/{number}/balance", "Institution", "An account's balance.", "", "200 Balance"),
    ("get", "/v1/{institution}/activity", "Institution", "The institution's own record.", "", "200 ActivityPage"),
    ("get", "/v1/settlement/{currency}/statement", "Settlement account", "One day's lines.", "", "200 Statement"),
    ("get", "/v1/settlement/{currency}/balance", "Settlement account", "Its balance.", "", "200 Balance"),
    ("post", "/control/accounts", "Control", "Create or update accounts.", "AccountsInput", "200 AccountsPut"),
    ("get", "/control/accounts", "Control", "All accounts.", "", "200 Accounts"),
    ("post", "/control/clock", "Control", "Move the clock forward.", "ClockMove", "200 Clock"),
    ("get", "/control/clock", "Control", "The sandbox's time.", "", "200 Clock"),
    ("post", "/control/faults", "Control", "Inject a fault.", "FaultInput", "201 Fault"),
    ("get", "/control/faults", "Control", "The faults in force.", "", "200 Faults"),
    ("delete", "/control/faults", "Control", "Remove one fault, or all.", "", "200 Removed"),
    ("post", "/control/instructions/{key}/settle", "Control", "Settle now; also late or again.", "Decision",
     "200 Instruction"),
    ("post", "/control/instructions/{key}/reject", "Control", "Reject an acknowledged one now.", "Decision",
     "200 Instruction"),
    ("post", "/control/instructions/{key}/return", "Control", "Send back what has settled.", "Decision",
     "200 Instruction"),
    ("post", "/control/settlement/{currency}/movements", "Control", "Money under no key of ours.", "Movement",
     "201 StatementLine"),
    ("get", "/control/settings", "Control", "How the bank behaves.", "", "200 Settings"),
    ("post", "/control/settings", "Control", "Change some of it.", "SettingsInput", "200 Settings"),
    ("post", "/control/reset", "Control", "Forget everything.", "", "200 Reset"),
    ("get", "/control/books", "Control", "Everything, for proofs.", "", "200 Books"),
]  # fmt: skip

PATH_PARAMETERS = {
    "institution": text("Code of an institution.", examples=["meridian", "harbor"]),
    "key": text("An idempotency key."),
    "number": text("An account number."),
    "currency": text("ISO 4217.", pattern="^[A-Z]{3}$", examples=["USD"]),
}
ONE_OF_TWO = {"name": "institution", "in": "query", "schema": text("Needed when two institutions know the key.")}
PAGES: list[dict[str, Any]] = [
    {"name": "cursor", "in": "query", "schema": text("`next_cursor` of the page before.")},
    {"name": "limit", "in": "query", "schema": whole("Rows per page.", minimum=1, maximum=2000, default=500)},
]
QUERY: dict[str, list[dict[str, Any]]] = {
    "get /v1/{institution}/instructions": PAGES,
    "get /v1/{institution}/activity": [
        {"name": "since", "in": "query", "schema": text("Lines from this time on.", format="date-time")},
        *PAGES,
    ],
    "get /v1/settlement/{currency}/statement": [
        {"name": "date", "in": "query", "required": True, "schema": text("A day.", format="date")},
        {
            "name": "format",
            "in": "query",
            "schema": text(enum=["json", "camt053", "bai2", "mt940", "csv"], default="json"),
        },
    ],
    "get /control/accounts": [{"name": "institution", "in": "query", "schema": text("Only these.")}],
    "delete /control/faults": [{"name": "id", "in": "query", "schema": whole("Only this one.")}],
    "post /control/instructions/{key}/settle": [ONE_OF_TWO],
    "post /control/instructions/{key}/reject": [ONE_OF_TWO],
    "post /control/instructions/{key}/return": [ONE_OF_TWO],
}


@cache
def document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for row in ROWS:
        paths.setdefault(row[1], {})[row[0]] = _operation(row)
    signed = {"name": SIGNATURE, "in": "header", "type": "apiKey", "description": f"With {TIMESTAMP}; see above."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sandbox bank", "version": "1.0.0", "description": ABOUT},
        "tags": [{"name": tag} for tag in ("Institution", "Settlement account", "Control", "Open")],
        "paths": paths,
        "webhooks": {"instruction": {"post": _webhook()}},
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}, "signature": signed},
        },
    }


def _operation(row: Row) -> dict[str, Any]:
    method, path, tag, summary, takes, gives = row
    status, shape = gives.split(" ")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    operation: dict[str, Any] = {
        "operationId": f"{method}_{re.sub(r'[^a-z0-9]+', '_', path).strip('_')}",
        "tags": [tag],
        "summary": summary,
        "parameters": parameters + QUERY.get(f"{method} {path}", []),
        "responses": {status: _answer(shape)},
        "security": [] if tag == "Open" else [{"key": [], "signature": []}],
    }
    if takes:
        body = {"application/json": {"schema": ref(takes)}}
        operation["requestBody"] = {"required": takes != "Decision", "content": body}
    if tag != "Open":
        operation["responses"] |= _refusals(path, bool(takes))
    if takes == "Order":
        header = {"name": IDEMPOTENCY_KEY, "in": "header", "required": True, "schema": text(maxLength=255)}
        operation["parameters"].append(header)
        operation["responses"]["422"] = _problem("Rejected (and kept), or a key used with another body.", "Rejection")
        operation["responses"]["500"] = _problem("Injected: it may have acted.")
    if shape == "Statement":
        for kind in ("application/xml", "text/plain", "text/csv"):
            operation["responses"]["200"]["content"][kind] = {"schema": text()}
    return operation


def _answer(shape: str) -> dict[str, Any]:
    if shape == "text/html":
        return {"description": "A page.", "content": {shape: {"schema": text()}}}
    schema = {"type": "object"} if shape == "*" else ref(shape)
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _refusals(path: str, takes: bool) -> dict[str, Any]:
    refusals = {"400": _problem("Malformed."), "401": _problem("Not signed in, or the signature does not fit.")}
    if "{" in path:
        refusals["404"] = _problem("There is no such thing.")
    if "/instructions/{key}/" in path:
        refusals["409"] = _problem("Not possible in this state.")
    if path.endswith("/clock") and takes:
        refusals["422"] = _problem("The clock would go back.")
    return refusals


def _problem(about: str, shape: str = "Problem") -> dict[str, Any]:
    return {"description": about, "content": {"application/problem+json": {"schema": ref(shape)}}}


def _webhook() -> dict[str, Any]:
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "summary": "What has become of an instruction, at least once, until a 2xx.",
        "parameters": [{"name": name, "in": "header", "required": True, "schema": text()} for name in headers],
        "requestBody": {"content": {"application/json": {"schema": ref("Callback")}}},
        "responses": {"2XX": {"description": "Taken; it is not sent again."}},
    }
