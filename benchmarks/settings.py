"""Django as `make run` has it, on the benchmark's own servers, with banks that answer at once."""

from __future__ import annotations

from bridge.settings.local import *  # noqa: F403
from bridge.settings.local import BRIDGE_GATEWAYS, BRIDGE_POLICY, REST_FRAMEWORK

BRIDGE_GATEWAYS = {
    code: {"side": entry["side"], "adapter": "benchmarks.bank.InstantBank", "url": ""}
    for code, entry in BRIDGE_GATEWAYS.items()
}
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": dict.fromkeys(("api", "sign_in", "callback"))}

# The demo asks an institution again after 5 seconds. On a busy machine a large batch takes longer than that to write,
# and another worker would ask a bank that keeps nothing, until its circuit opens: wait longer than for a real bank.
BRIDGE_POLICY = {name: wait for name, wait in BRIDGE_POLICY.items() if name not in ("answer", "ask_first")} | {
    "answer": 300,
    "lease": 300,
}
