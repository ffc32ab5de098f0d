"""The table of `test_hostile_requests`: what is sent, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests import factories

URL = "/api/v1/transfers"
BIG = 10**15


@dataclass(frozen=True)
class Case:
    """`body`: changes to a good one, or bytes as they are. `at_fault`: the field that `errors` names."""

    name: str
    status: int
    code: str
    body: Any = field(default_factory=dict)
    at_fault: str = ""
    path: str = URL
    method: str = "POST"
    headers: dict[str, str | None] = field(default_factory=dict)


def raw(text: str) -> bytes:
    return text.encode()


CASES = [
    # wrong types and values
    Case("amount as text", 400, "invalid", {"amount": "250000"}, "amount"),
    Case("amount as a float", 400, "invalid", {"amount": 10.0}, "amount"),
    Case("amount with a fraction", 400, "invalid", {"amount": 10.5}, "amount"),
    Case("amount as a boolean", 400, "invalid", {"amount": True}, "amount"),
    Case("amount null", 400, "invalid", {"amount": None}, "amount"),
    Case("amount as a list", 400, "invalid", {"amount": [1]}, "amount"),
    Case("amount zero", 400, "invalid", {"amount": 0}, "amount"),
    Case("amount negative", 400, "invalid", {"amount": -1}, "amount"),
    Case("amount one too large", 400, "invalid", {"amount": BIG}, "amount"),
    Case("amount beyond 64 bits", 400, "invalid", {"amount": 2**70}, "amount"),
    Case("amount missing", 400, "invalid", {"amount": ...}, "amount"),
    Case("currency unknown", 400, "invalid", {"currency": "XXQ"}, "currency"),
    Case("currency in small letters", 400, "invalid", {"currency": "usd"}, "currency"),
    Case("currency as a number", 400, "invalid", {"currency": 840}, "currency"),
    Case("currency missing", 400, "invalid", {"currency": ...}, "currency"),
    Case("account as a number", 400, "invalid", {"source_account": 7}, "source_account"),
    Case("account id malformed", 400, "invalid", {"source_account": "acct_1"}, "source_account"),
    Case("account id of another kind", 400, "invalid", {"source_account": factories.typeid("fund")}, "source_account"),
    Case("account as an object", 400, "invalid", {"source_account": {"id": 1}}, "source_account"),
    Case(
        "account unknown", 422, "unknown_reference", {"source_account": factories.typeid("account")}, "source_account"
    ),
    Case("account of somebody else", 422, "unknown_reference", {"source_account": "theirs"}, "source_account"),
    Case("fund unknown", 422, "unknown_reference", {"fund": factories.typeid("fund")}, "fund"),
    Case("fund as SQL", 400, "invalid", {"fund": "fund_' OR 1=1 --"}, "fund"),
    Case("fund empty", 400, "invalid", {"fund": ""}, "fund"),
    Case("external id too long", 400, "invalid", {"external_id": "x" * 101}, "external_id"),
    Case("external id as a number", 400, "invalid", {"external_id": 12}, "external_id"),
    Case("metadata as a list", 400, "invalid", {"metadata": ["a"]}, "metadata"),
    Case("metadata with 51 names", 400, "invalid", {"metadata": {str(n): "" for n in range(51)}}, "metadata"),
    Case("metadata with a long name", 400, "invalid", {"metadata": {"n" * 41: ""}}, "metadata"),
    Case("metadata with an empty name", 400, "invalid", {"metadata": {"": ""}}, "metadata"),
    Case("metadata with a long value", 400, "invalid", {"metadata": {"a": "v" * 501}}, "metadata"),
    Case("metadata with a number", 400, "invalid", {"metadata": {"a": 1}}, "metadata"),
    Case("metadata nested", 400, "invalid", {"metadata": {"a": {"b": "c"}}}, "metadata"),
    Case("an unknown field", 400, "invalid", {"amout": 5}, "amout"),
    Case("a field that only we set", 400, "invalid", {"state": "completed"}, "state"),
    Case("several fields that only we set", 400, "invalid", {"version": 9, "livemode": True, "id": "trf_1"}, "version"),
    # broken bodies
    Case("no JSON", 400, "malformed_body", raw("amount=5")),
    Case("JSON cut off", 400, "malformed_body", raw('{"amount": 5')),
    Case("JSON with a comma too many", 400, "malformed_body", raw('{"amount": 5,}')),
    Case("NaN", 400, "malformed_body", raw('{"amount": NaN}')),
    Case("Infinity", 400, "malformed_body", raw('{"amount": -Infinity}')),
    Case("a number that overflows", 400, "malformed_body", raw('{"amount": 1e999}')),
    Case("a number of 5,000 digits", 400, "malformed_body", raw('{"amount": ' + "9" * 5000 + "}")),
    Case("a name twice", 400, "malformed_body", raw('{"amount": 5, "amount": 6}')),
    Case("not UTF-8", 400, "malformed_body", b'{"external_id": "\xff\xfe"}'),
    Case("a byte order mark", 400, "malformed_body", b"\xef\xbb\xbf{}"),
    Case("NUL in a value", 400, "malformed_body", {"external_id": "a\x00b"}),
    Case("NUL in metadata", 400, "malformed_body", {"metadata": {"a": "\x00"}}),
    Case("NUL in a name", 400, "malformed_body", {"metadata": {"a\x00": "b"}}),
    Case("half a surrogate pair", 400, "malformed_body", raw('{"external_id": "\\ud800"}')),
    Case("nested 100 levels", 400, "malformed_body", raw('{"metadata": ' + "[" * 100 + "]" * 100 + "}")),
    Case("nested 100,000 levels", 400, "malformed_body", raw("[" * 30_000)),
    Case("a list", 400, "invalid", raw("[]"), "body"),
    Case("a text", 400, "invalid", raw('"transfer"'), "body"),
    Case("null", 400, "invalid", raw("null"), "body"),
    Case("an empty body", 400, "invalid", b"", "amount"),
    Case("a body of 100 kB", 413, "too_large", raw('{"external_id": "' + "x" * 100_000 + '"}')),
    Case(
        "a form",
        415,
        "unsupported_media_type",
        raw("a=b"),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    Case("XML", 415, "unsupported_media_type", raw("<a/>"), headers={"Content-Type": "application/xml"}),
    # headers
    Case("no idempotency key", 400, "idempotency_key_missing", headers={"Idempotency-Key": None}),
    Case("an empty idempotency key", 400, "idempotency_key_missing", headers={"Idempotency-Key": ""}),
    Case(
        "an idempotency key of 256 characters", 400, "idempotency_key_malformed", headers={"Idempotency-Key": "k" * 256}
    ),
    Case("an idempotency key outside ASCII", 400, "idempotency_key_malformed", headers={"Idempotency-Key": "clé"}),
    Case("an idempotency key of blanks", 400, "idempotency_key_malformed", headers={"Idempotency-Key": "  "}),
    Case(
        "an idempotency key that begins with a blank",
        400,
        "idempotency_key_malformed",
        headers={"Idempotency-Key": " a"},
    ),
    Case("an idempotency key with a tab", 400, "idempotency_key_malformed", headers={"Idempotency-Key": "a\tb"}),
    Case("no token", 401, "not_authenticated", headers={"Authorization": None}),
    Case("a wrong token", 401, "invalid_token", headers={"Authorization": "Bearer " + "0" * 64}),
    Case("a token in pieces", 401, "invalid_token", headers={"Authorization": "Bearer a b"}),
    Case("a token with NUL", 401, "invalid_token", headers={"Authorization": "Bearer a\x00b"}),
    Case("a token outside ASCII", 401, "invalid_token", headers={"Authorization": "Bearer é"}),
    Case("another scheme", 401, "not_authenticated", headers={"Authorization": "Basic YTpi"}),
    Case("an answer in XML wanted", 406, "not_acceptable", headers={"Accept": "application/xml"}),
    # paths, methods and queries
    Case("PUT on the collection", 405, "method_not_allowed", method="PUT"),
    Case("PATCH on a transfer", 405, "method_not_allowed", path=URL + "/{transfer}", method="PATCH"),
    Case("DELETE on a transfer", 405, "method_not_allowed", path=URL + "/{transfer}", method="DELETE"),
    Case("an unknown transfer", 404, "not_found", path=URL + "/{unknown}", method="GET"),
    Case("no id at all", 404, "not_found", path=URL + "/none", method="GET"),
    Case("NUL in a path", 404, "not_found", path=URL + "/trf%00", method="GET"),
    Case("an unknown route", 404, "no_such_route", path="/api/v1/transferts", method="GET"),
    Case("climbing in a path", 404, "no_such_route", path="/api/v1/../../etc/passwd", method="GET"),
    Case("cancelling an unknown transfer", 404, "not_found", {"_": ...}, path=URL + "/{unknown}/cancel"),
    Case(
        "cancelling with a stale version",
        412,
        "stale_version",
        b"",
        path=URL + "/{transfer}/cancel",
        headers={"If-Match": '"99"'},
    ),
    Case(
        "cancelling with a bare version",
        400,
        "if_match_malformed",
        b"",
        path=URL + "/{transfer}/cancel",
        headers={"If-Match": "2"},
    ),
    Case(
        "cancelling with a weak tag",
        400,
        "if_match_malformed",
        b"",
        path=URL + "/{transfer}/cancel",
        headers={"If-Match": 'W/"2"'},
    ),
    Case("cancelling with another word", 400, "invalid", raw('{"why": "x"}'), "why", path=URL + "/{transfer}/cancel"),
    Case("approving as an investor", 403, "not_allowed", b"", path=URL + "/{transfer}/approve"),
    Case("a state that is none", 400, "invalid", path=URL + "?state=gone", method="GET", at_fault="state"),
    Case("a limit of zero", 400, "invalid", path=URL + "?limit=0", method="GET", at_fault="limit"),
    Case("a limit of words", 400, "invalid", path=URL + "?limit=many", method="GET", at_fault="limit"),
    Case("a cursor that is none", 400, "invalid", path=URL + "?cursor=%2e%2e", method="GET", at_fault="cursor"),
    Case("a cursor of another list", 400, "invalid", path=URL + "?cursor=AAAA", method="GET", at_fault="cursor"),
    Case("a filter that is none", 400, "invalid", path=URL + "?status=open", method="GET", at_fault="status"),
    Case("a filter given twice", 400, "invalid", path=URL + "?limit=1&limit=2", method="GET", at_fault="limit"),
    Case(
        "a time without an offset",
        400,
        "invalid",
        path=URL + "?created_after=2026-01-01T00:00:00",
        method="GET",
        at_fault="created_after",
    ),
    Case(
        "a time before all times",
        400,
        "invalid",
        path=URL + "?created_after=0001-01-01T00:00:00%2B14:00",
        method="GET",
        at_fault="created_after",
    ),
    Case("a fund id that is none in a filter", 400, "invalid", path=URL + "?fund=1", method="GET", at_fault="fund"),
    Case("NUL in a query", 400, "invalid", path=URL + "?external_id=%00", method="GET", at_fault="external_id"),
    Case("a bulk request of an investor", 403, "not_allowed", {"transfers": []}, path=URL + "/bulk"),
    Case("releasing as an investor", 403, "not_allowed", b"", path=URL + "/{transfer}/release"),
    Case("freezing as an investor", 403, "not_allowed", b"", path=URL + "/{transfer}/freeze"),
    Case("overriding as an investor", 403, "not_allowed", b"", path=URL + "/{transfer}/override"),
    Case("approvals as an investor", 403, "not_allowed", path="/api/v1/approvals", method="GET"),
    Case("a bad check", 400, "invalid", {"amount": "1"}, "amount", path=URL + "/check"),
    Case(
        "a check of somebody else's account",
        422,
        "unknown_reference",
        {"source_account": "theirs"},
        "source_account",
        path=URL + "/check",
    ),
]
