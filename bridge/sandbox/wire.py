"""The sandbox's wire format, known to both sides: names of headers, signatures, and how an answer becomes a report.

A request is signed with HMAC-SHA256 over its time, method, target (path with query) and body, each on a line of its
own, so that none of them can be changed or replayed later. Callbacks follow the Standard Webhooks specification.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from bridge.kernel.gateway import Activity, Balance, Outcome, Report

TOLERANCE_SECONDS = 300
IDEMPOTENCY_KEY = "Idempotency-Key"
TIMESTAMP = "X-Timestamp"
SIGNATURE = "X-Signature"
REPLAYED = "Idempotent-Replayed"
CONTROL = "control"  # the principal that may use the control routes
# Bridge's rails by what the sandbox's institutions call theirs. Empty: the institution's default.
RAILS = {"": "", "ach": "ach", "same_day_ach": "ach", "fedwire": "wire", "fednow": "wire", "rtp": "wire"}


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What two sides share. `webhook_secret` signs callbacks and has the form that Standard Webhooks prescribes."""

    api_key: str
    secret: str
    webhook_secret: str


def derive_credentials(master: str, principal: str) -> Credentials:
    """One master secret gives every principal (an institution's code, or `control`) its own credentials.

    Both processes that know the master derive the same ones, so a demo has a single secret to pass around.
    """

    def part(purpose: str) -> bytes:
        return hmac.new(master.encode(), f"{principal}/{purpose}".encode(), sha256).digest()

    return Credentials(
        api_key=f"sbx_{principal}_{part('api-key').hex()[:40]}",
        secret=part("signing").hex(),
        webhook_secret="whsec_" + b64encode(part("webhook")).decode(),
    )


def signature(secret: str, timestamp: str, method: str, target: str, body: bytes) -> str:
    text = f"{timestamp}\n{method}\n{target}\n".encode() + body
    return hmac.new(secret.encode(), text, sha256).hexdigest()


def signed_headers(credentials: Credentials, method: str, target: str, body: bytes, now: datetime) -> dict[str, str]:
    """`now` is real time, never the sandbox's."""
    timestamp = str(int(now.timestamp()))
    return {
        "Authorization": f"Bearer {credentials.api_key}",
        TIMESTAMP: timestamp,
        SIGNATURE: signature(credentials.secret, timestamp, method, target, body),
    }


def parse_moment(text: str) -> datetime:
    """Raises `ValueError` for what is no time with an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time needs an offset from UTC")
    return at.astimezone(UTC)


def whole(value: Any) -> int:
    """Minor units as JSON has them. A fraction, a text or a truth value is no amount; nobody rounds a bank's money."""
    if type(value) is not int or abs(value) >= 1 << 63:
        raise TypeError("an amount is a whole number of minor units")
    return value


def report_from(body: Mapping[str, Any]) -> Report:
    """An instruction as the bank shows it, read as a report. Raises `KeyError`, `TypeError`, `ValueError`."""
    return Report(
        key=str(body["key"]),
        outcome=Outcome(body["status"]),
        institution_reference=str(body["institution_reference"]),
        settled_amount=whole(body["settled_amount"]),
        returned_amount=whole(body["returned_amount"]),
        fee=whole(body["fee"]),
        code=str(body["code"]),
        reason=str(body["reason"]),
        at=parse_moment(body["at"]),
        return_fee=whole(body.get("return_fee", 0)),
        interest=whole(body.get("interest", 0)),
    )


def balance_from(body: Mapping[str, Any]) -> Balance:
    return Balance(
        available=whole(body["available"]),
        current=whole(body["current"]),
        currency=str(body["currency"]),
        at=parse_moment(body["at"]),
    )


def activity_from(body: Mapping[str, Any]) -> Activity:
    texts = ("id", "key", "kind", "direction", "currency", "account_last4", "institution_reference", "code")
    return Activity(
        amount=whole(body["amount"]), at=parse_moment(body["at"]), **{name: str(body[name]) for name in texts}
    )
