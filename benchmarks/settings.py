"""Django as `make run` has it, on the benchmark's own servers, with banks that answer at once."""

from __future__ import annotations

from bridge.settings.local import *  # noqa: F403
from bridge.settings.local import BRIDGE_GATEWAYS, REST_FRAMEWORK

BRIDGE_GATEWAYS = {
    code: {"side": entry["side"], "adapter": "benchmarks.bank.InstantBank", "url": ""}
    for code, entry in BRIDGE_GATEWAYS.items()
}
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": dict.fromkeys(("api", "sign_in", "callback"))}
