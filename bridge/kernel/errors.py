"""Errors that people and programs read: a stable `code`, a message that says what to do, an HTTP status, data."""

from __future__ import annotations

from typing import Any, ClassVar


class BridgeError(Exception):
    """Base of every error that Bridge raises on purpose. Subclasses live beside the function that raises them."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = "The request could not be carried out"
    message: ClassVar[str] = "The request could not be carried out."

    def __init__(self, message: str | None = None, **data: Any) -> None:
        self.data = data
        self.detail = message or self.message.format(**data)
        super().__init__(self.detail)


class MalformedId(BridgeError):
    code = "malformed_id"
    title = "Malformed identifier"
    message = "This is no {kind} id. It begins with '{prefix}' followed by 26 characters."


class NotFound(BridgeError):
    """Also for what exists but belongs to somebody else: the two cannot be told apart."""

    code = "not_found"
    status = 404
    title = "Not found"
    message = "There is no such {what}, or it is not yours to see."


class StaleVersion(BridgeError):
    code = "stale_version"
    status = 412
    title = "Changed in the meantime"
    message = "Somebody changed it: you saw version {expected}, it is now {actual}. Read it again and decide anew."


class NotAllowed(BridgeError):
    code = "not_allowed"
    status = 403
    title = "Not allowed"
    message = "Your role does not allow this."


class WrongState(BridgeError):
    code = "wrong_state"
    status = 409
    title = "Not possible in this state"
    message = "A transfer that is {state} cannot be {verb}."


class IdempotencyKeyMissing(BridgeError):
    code = "idempotency_key_missing"
    title = "Idempotency-Key missing"
    message = "Send an Idempotency-Key header: a string of your own of up to 255 characters, new for each request."


class IdempotencyKeyMalformed(BridgeError):
    code = "idempotency_key_malformed"
    title = "Idempotency-Key malformed"
    message = "An Idempotency-Key has 1 to 255 printable ASCII characters, none of them a blank at an end."


class IdempotencyKeyReused(BridgeError):
    code = "idempotency_key_reused"
    status = 422
    title = "Idempotency-Key already used"
    message = "This key was used with another body. Use a new key for a new request."


class RequestInFlight(BridgeError):
    code = "request_in_flight"
    status = 409
    title = "Still in flight"
    message = "A request with this key is being worked on. Ask again in a moment with the same key."
