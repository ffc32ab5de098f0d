"""The demo as a client of the REST API: patient with a server that restarts, because every write carries its key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

IN_FLIGHT = "request_in_flight"
_PAUSE = 0.3
_BUSY = (429, 500, 502, 503, 504)
Params = Sequence[tuple[str, str]]


class ApiSilent(Exception):
    """The API gave no answer in time; the message says what was tried."""


class ApiRefused(Exception):
    """The server that answers is not ours, or is not well; the message says so in words."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    replayed: bool = False

    @property
    def code(self) -> str:
        """Of a problem document."""
        return str(self.body.get("code", ""))


class Api:
    """Thread-safe. `deadline` is a moment of `time.monotonic()`: until then a call without an answer is repeated."""

    def __init__(self, base_url: str, *, deadline: float, at_once: int) -> None:
        limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=0)
        self._base_url = base_url
        self._client = httpx.Client(base_url=f"{base_url}/api/v1", timeout=30.0, limits=limits, trust_env=False)
        self._deadline = deadline

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, *, token: str, params: Params = ()) -> dict[str, Any]:
        """Raises `ApiSilent`, and `ApiRefused` for anything but a 200: the demo only reads what is there."""
        answer = self._call("GET", path, token=token, params=params)
        if answer.status != httpx.codes.OK:
            why = answer.body.get("detail") or "it does not look like Bridge"
            raise ApiRefused(f"The server at {self._base_url} answered GET {path} with HTTP {answer.status}: {why}")
        return answer.body

    def pages(self, path: str, *, token: str, params: Params = ()) -> list[dict[str, Any]]:
        """Every row of a list."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            more = [("cursor", cursor)] if cursor else []
            page = self.get(path, token=token, params=[*params, ("limit", "200"), *more])
            rows += page["results"]
            if not page["next"]:
                return rows
            cursor = httpx.URL(page["next"]).params["cursor"]

    def post(self, path: str, *, token: str, body: dict[str, Any], key: str = "") -> Answer:
        """Sent again under its key until there is an answer. Raises `ApiSilent`, and `ApiRefused` for a 401."""
        return self._call("POST", path, token=token, body=body, key=key)

    def _call(
        self,
        method: str,
        path: str,
        *,
        token: str,
        body: dict[str, Any] | None = None,
        key: str = "",
        params: Params = (),
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": key} if key else {})}
        why = "the time is over"
        while time.monotonic() < self._deadline:
            try:
                reply = self._client.request(method, path, json=body, headers=headers, params=list(params))
                answer = Answer(reply.status_code, _object(reply), "Idempotent-Replayed" in reply.headers)
                if reply.status_code == httpx.codes.UNAUTHORIZED:
                    raise ApiRefused(
                        f"The server at {self._base_url} does not know the demo's logins: it belongs to another "
                        "checkout or another database. Stop it, or start this one with make run."
                    )
                if reply.status_code not in _BUSY and answer.code != IN_FLIGHT:
                    return answer
                why = f"HTTP {reply.status_code} {answer.code}".strip()
            except httpx.HTTPError as error:
                why = type(error).__name__
            time.sleep(_PAUSE)
        raise ApiSilent(f"{method} {path} got no answer in time; the last attempt: {why}")


def _object(reply: httpx.Response) -> dict[str, Any]:
    try:
        value = reply.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
