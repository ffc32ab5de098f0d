"""Gateways to the institutions that hold funds' money, from `BRIDGE_GATEWAYS`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from bridge.kernel.gateway import InstitutionGateway
from bridge.kernel.gateways import GatewayRegistry

_registry = GatewayRegistry(side="fund")


def gateway_for(institution: str) -> InstitutionGateway:
    """The gateway to an institution. Raises `UnknownInstitution`, naming those that are configured."""
    return _registry.gateway_for(institution)


def institutions() -> list[str]:
    """Codes of all institutions of this side."""
    return _registry.institutions()


def use_gateways(mapping: Mapping[str, InstitutionGateway]) -> AbstractContextManager[None]:
    """Inside the block these gateways come first, in every thread of the process. For simulations and tests."""
    return _registry.use_gateways(mapping)
