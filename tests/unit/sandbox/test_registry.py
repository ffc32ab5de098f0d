"""Which gateway talks to which institution."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from accounts.gateway.sandbox import SandboxInvestorBank
from bridge.kernel import gateways
from bridge.kernel.gateways import GatewayRegistry, UnknownInstitution

CONFIGURED = {
    "meridian": {
        "adapter": "accounts.gateway.sandbox.SandboxInvestorBank",
        "side": "investor",
        "url": "http://127.0.0.1:9",
        "api_key": "key",
        "secret": "secret",
    }
}


@pytest.fixture
def registry(monkeypatch) -> GatewayRegistry:
    monkeypatch.setattr(gateways, "settings", SimpleNamespace(BRIDGE_GATEWAYS=CONFIGURED))
    return GatewayRegistry(side="investor")


def test_gateway_is_made_once_from_its_settings(registry):
    gateway = registry.gateway_for("meridian")
    assert isinstance(gateway, SandboxInvestorBank)
    assert registry.gateway_for("meridian") is gateway


def test_secrets_of_callbacks_in_a_rotation_are_no_business_of_the_adapter(monkeypatch):
    configured = {"meridian": {**CONFIGURED["meridian"], "callback_secrets": ["new", "old"]}}
    monkeypatch.setattr(gateways, "settings", SimpleNamespace(BRIDGE_GATEWAYS=configured))

    assert isinstance(GatewayRegistry(side="investor").gateway_for("meridian"), SandboxInvestorBank)


def test_unknown_institution_is_an_error_that_names_those_there_are(registry):
    with pytest.raises(UnknownInstitution, match=r"'nobank'.*There are: meridian"):
        registry.gateway_for("nobank")


def test_institution_of_the_other_side_is_unknown(registry, monkeypatch):
    with pytest.raises(UnknownInstitution, match="There are: none"):
        GatewayRegistry(side="fund").gateway_for("meridian")


def test_injected_gateways_come_first_and_only_inside_the_block(registry):
    ours = object()
    with registry.use_gateways({"meridian": ours, "extra": ours}):
        assert registry.gateway_for("meridian") is ours
        assert registry.institutions() == ["extra", "meridian"]
    assert registry.gateway_for("meridian") is not ours
