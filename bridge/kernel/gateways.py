"""Which gateway talks to which institution: configuration in `BRIDGE_GATEWAYS`, one instance per process.

    BRIDGE_GATEWAYS = {
        "meridian": {"adapter": "accounts.gateway.sandbox.SandboxInvestorBank", "side": "investor",
                     "url": "http://127.0.0.1:8100", "api_key": "…", "secret": "…", "webhook_secret": "…"},
    }

Members beside `adapter`, `side`, `url` and `callback_secrets` go to the adapter's constructor by name. Callbacks are
verified where they arrive, with `callback_secrets` or, without them, `webhook_secret` or `secret`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, cast

from django.conf import settings
from django.utils.module_loading import import_string

from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import InstitutionGateway

Side = Literal["investor", "fund"]
_NOT_THE_ADAPTERS = ("adapter", "side", "url", "callback_secrets")


class UnknownInstitution(BridgeError):
    code = "unknown_institution"
    status = 422
    title = "Unknown institution"
    message = "No gateway to the institution '{institution}' is configured for the {side} side. There are: {known}."


class GatewayRegistry:
    """The gateways of one side. Thread-safe."""

    def __init__(self, *, side: Side) -> None:
        self._side = side
        self._lock = threading.Lock()
        self._made: dict[str, InstitutionGateway] = {}
        self._injected: list[Mapping[str, InstitutionGateway]] = []

    def gateway_for(self, institution: str) -> InstitutionGateway:
        """The gateway to an institution, made at its first use. Raises `UnknownInstitution`, naming those there are."""
        for mapping in reversed(self._injected):
            if institution in mapping:
                return mapping[institution]
        gateway = self._made.get(institution)
        if gateway is not None:
            return gateway
        with self._lock:
            if institution not in self._made:
                self._made[institution] = self._make(institution)
            return self._made[institution]

    def institutions(self) -> list[str]:
        """Codes of the institutions configured for this side, and of those injected."""
        return sorted({*self._configured(), *(code for mapping in self._injected for code in mapping)})

    @contextmanager
    def use_gateways(self, mapping: Mapping[str, InstitutionGateway]) -> Iterator[None]:
        """Inside the block these gateways come first, in every thread of the process. For simulations and tests."""
        self._injected.append(mapping)
        try:
            yield
        finally:
            self._injected.remove(mapping)

    def _configured(self) -> dict[str, dict[str, Any]]:
        configured = cast("dict[str, dict[str, Any]]", getattr(settings, "BRIDGE_GATEWAYS", {}))
        return {code: entry for code, entry in configured.items() if entry["side"] == self._side}

    def _make(self, institution: str) -> InstitutionGateway:
        entry = self._configured().get(institution)
        if entry is None:
            known = ", ".join(self.institutions()) or "none"
            raise UnknownInstitution(institution=institution, side=self._side, known=known)
        adapter = import_string(entry["adapter"])
        rest = {name: value for name, value in entry.items() if name not in _NOT_THE_ADAPTERS}
        return cast("InstitutionGateway", adapter(institution=institution, base_url=entry["url"], **rest))
