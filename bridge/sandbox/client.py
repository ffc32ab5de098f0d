"""The sandbox bank's clients: the gateway that the adapters share, the settlement account, and the controls.

Imports neither the server nor Django. Longer than most modules: the three share how answers are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import quote, urlencode

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bridge.kernel.gateway import (
    AccountRef,
    Activity,
    Balance,
    GatewayUnavailable,
    InstructionKind,
    InvalidCallback,
    Order,
    Outcome,
    Report,
)
from bridge.kernel.http import NoReply, Reply, Transport
from bridge.sandbox.wire import (
    CONTROL,
    IDEMPOTENCY_KEY,
    RAILS,
    Credentials,
    activity_from,
    balance_from,
    report_from,
    signed_headers,
)

OK, CREATED, MALFORMED, NOT_FOUND, REFUSED, SERVER_ERROR = 200, 201, 400, 404, 422, 500
T = TypeVar("T")
BAD_ANSWER = (KeyError, TypeError, ValueError, AttributeError, RecursionError, ArithmeticError)


class ControlRefused(Exception):
    """The sandbox bank refused a control call."""


def _transport(institution: str, base_url: str, credentials: Credentials, timeout: float) -> Transport:
    def sign(method: str, target: str, body: bytes) -> Mapping[str, str]:
        return signed_headers(credentials, method, target, body, datetime.now(UTC))

    return Transport(institution=institution, base_url=base_url, sign=sign, timeout=timeout)


class SandboxGateway:
    """`InstitutionGateway` to one institution of the sandbox bank. Thread-safe; connections are the process's."""

    kinds: ClassVar[frozenset[InstructionKind]] = frozenset(InstructionKind)
    page_size: ClassVar[int] = 2000  # lines of activity per call; the bank's most

    def __init__(
        self,
        institution: str,
        base_url: str,
        api_key: str,
        secret: str,
        timeout: float = 10.0,
        webhook_secret: str = "",
    ) -> None:
        self.institution = institution
        self._webhook_secret = webhook_secret
        self._transport = _transport(institution, base_url, Credentials(api_key, secret, webhook_secret), timeout)

    def submit(self, order: Order) -> Report:
        """Send once. No reply, a 5xx or an answer that makes no sense is `UNKNOWN`, and so is a key that the bank saw
        with another body: it may have acted under it. Only the bank's own refusal is `REJECTED`."""
        if order.kind not in self.kinds:
            raise ValueError(f"a {order.kind} is not for {type(self).__module__}")
        body = {
            "kind": order.kind.value,
            "amount": order.amount,
            "currency": order.currency,
            "account_number": order.account_number,
            "routing_number": order.routing_number,
            "reference": order.reference,
        }
        if RAILS[order.rail]:
            body["rail"] = RAILS[order.rail]
        try:
            reply = self._transport.send(
                method="POST",
                target=f"/v1/{self.institution}/instructions",
                route="/v1/{institution}/instructions",
                body=json.dumps(body, separators=(",", ":")).encode(),
                headers={IDEMPOTENCY_KEY: order.key},
            )
            return self._submitted(order.key, reply)
        except NoReply as error:
            return _unknown(order.key, "no_reply", f"No reply: {error}")
        except BAD_ANSWER:
            return _unknown(order.key, "bad_answer", "The answer makes no sense.")

    def _submitted(self, key: str, reply: Reply) -> Report:
        if reply.status in (OK, CREATED):
            return report_from(_object(reply))
        if reply.status == REFUSED and "instruction" in (document := _object(reply)):
            return report_from(document["instruction"])
        if reply.status == MALFORMED and _object(reply)["code"] == "malformed":
            return Report(key=key, outcome=Outcome.REJECTED, code="malformed", reason=str(_object(reply)["detail"]))
        code = "key_reused" if reply.status == REFUSED else f"http_{reply.status}"
        return _unknown(key, code, f"The institution answered with HTTP {reply.status}.")

    def find(self, key: str) -> Report:
        """What the institution knows under our key. `UNKNOWN` when it does not answer, after retries."""
        try:
            reply = self._transport.read(
                target=f"/v1/{self.institution}/instructions/{quote(key, safe='')}",
                route="/v1/{institution}/instructions/{key}",
            )
            if reply.status == NOT_FOUND and _object(reply)["code"] == "not_found":
                return Report(key=key, outcome=Outcome.NOT_FOUND)
            if reply.status == OK:
                return report_from(_object(reply))
        except GatewayUnavailable as error:
            return _unknown(key, "no_reply", error.why)
        except BAD_ANSWER:
            return _unknown(key, "bad_answer", "The answer makes no sense.")
        return _unknown(key, f"http_{reply.status}", f"The institution answered with HTTP {reply.status}.")

    def balance(self, account: AccountRef) -> Balance:
        """Raises `GatewayUnavailable`, also for an account that the institution does not know."""
        target = f"/v1/{self.institution}/accounts/{quote(account.account_number, safe='')}/balance"
        document = _read(self._transport, target, "/v1/{institution}/accounts/{number}/balance")
        return _sensible(self.institution, balance_from, document)

    def activity(self, since: datetime) -> Iterator[Activity]:
        """Line by line, page by page, oldest first. Raises `GatewayUnavailable`, between pages too."""
        for line in self._lines("activity", {"since": since.isoformat()}):
            yield _sensible(self.institution, activity_from, line)

    def record(self) -> Iterator[Report]:
        """Every instruction that the institution ever took, oldest first. Raises `GatewayUnavailable`."""
        for row in self._lines("instructions", {}):
            yield _sensible(self.institution, report_from, row)

    def _lines(self, what: str, query: Mapping[str, str]) -> Iterator[Any]:
        """Of all pages. A page whose cursor has been there before would go round for ever."""
        cursor, seen = "0", set[str]()
        while cursor:
            seen.add(cursor)
            asked = urlencode({**query, "cursor": cursor, "limit": str(self.page_size)})
            page = _read(self._transport, f"/v1/{self.institution}/{what}?{asked}", f"/v1/{{institution}}/{what}")
            lines, cursor = page.get("results", []), str(page.get("next_cursor") or "")
            if not isinstance(lines, list) or cursor in seen:
                raise GatewayUnavailable(self.institution, "the answer makes no sense")
            yield from lines

    def callback(self, headers: Mapping[str, str], body: bytes) -> tuple[str, Report]:
        """A received callback as its stable message id and a report. Raises `InvalidCallback`."""
        try:
            # The library lets several kinds of error through for hostile input.
            payload = Webhook(self._webhook_secret).verify(body, dict(headers))
            message_id = next(value for name, value in headers.items() if name.lower() == "webhook-id")
        except (WebhookVerificationError, StopIteration, RuntimeError, *BAD_ANSWER) as error:
            raise InvalidCallback(type(error).__name__) from error
        return message_id, self.reading(payload)

    def reading(self, payload: Mapping[str, Any]) -> Report:
        """The JSON of a callback that was verified when it came, as a report. Raises `InvalidCallback`."""
        return read_callback(payload)


class SettlementAccount:
    """Our settlement account at the sandbox bank: its balance and its statements."""

    def __init__(self, base_url: str, api_key: str, secret: str, timeout: float = 30.0) -> None:
        self._transport = _transport("settlement", base_url, Credentials(api_key, secret, ""), timeout)

    def balance(self, currency: str) -> Balance:
        target = f"/v1/settlement/{currency}/balance"
        document = _read(self._transport, target, "/v1/settlement/{currency}/balance")
        return _sensible("settlement", balance_from, document)

    def statement(self, currency: str, day: date, shape: str = "json") -> bytes:
        """One day's statement as the bank sends it: json, camt053, bai2, mt940 or csv."""
        target = f"/v1/settlement/{currency}/statement?{urlencode({'date': day.isoformat(), 'format': shape})}"
        reply = self._transport.read(target=target, route="/v1/settlement/{currency}/statement")
        if reply.status != OK:
            raise GatewayUnavailable("settlement", f"HTTP {reply.status}")
        return reply.content


class SandboxControl:
    """The control routes, for demos and tests. Raises `ControlRefused` with what the bank said."""

    def __init__(self, base_url: str, api_key: str, secret: str, timeout: float = 60.0) -> None:
        self._transport = _transport(CONTROL, base_url, Credentials(api_key, secret, ""), timeout)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One control call, for example `call("POST", "/control/clock", {"advance_seconds": 86400})`."""
        content = json.dumps(body).encode() if body is not None else b""
        try:
            reply = self._transport.send(method=method, target=path, route="/control", body=content)
        except NoReply as error:
            raise ControlRefused(f"no reply: {error}") from error
        if reply.status not in (OK, CREATED):
            raise ControlRefused(f"{method} {path}: {reply.content.decode(errors='replace')}")
        return _object(reply)


def read_callback(payload: Mapping[str, Any]) -> Report:
    """What a callback says. Raises `InvalidCallback`."""
    try:
        return report_from(payload["data"])
    except BAD_ANSWER as error:
        raise InvalidCallback(type(error).__name__) from error


def _read(transport: Transport, target: str, route: str) -> dict[str, Any]:
    reply = transport.read(target=target, route=route)
    if reply.status != OK:
        refused = reply.status < SERVER_ERROR
        raise GatewayUnavailable(transport.institution, f"HTTP {reply.status}", answered=refused)
    return _sensible(transport.institution, _object, reply)


def _sensible(institution: str, read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except BAD_ANSWER as error:
        raise GatewayUnavailable(institution, "the answer makes no sense") from error


def _object(reply: Reply) -> dict[str, Any]:
    value = reply.json()
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return cast("dict[str, Any]", value)


def _unknown(key: str, code: str, reason: str) -> Report:
    return Report(key=key, outcome=Outcome.UNKNOWN, code=code, reason=reason)
