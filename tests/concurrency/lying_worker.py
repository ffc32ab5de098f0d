"""An engine in a process of its own whose machine's clock is wrong: `python -m tests.concurrency.lying_worker JSON`.

Everything that this process asks the machine's clock gets the lie, except the signatures of its calls to the bank: a
bank refuses what was signed ten minutes ago.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from typing import Any

given: dict[str, Any] = json.loads(sys.argv[1])
lie: float = given["lie"]
honest, honest_time, honest_ns = datetime.datetime, time.time, time.time_ns


class _Kind(type(honest)):  # type: ignore[misc]
    def __instancecheck__(cls, thing: object) -> bool:
        return isinstance(thing, honest)


class LyingDatetime(honest, metaclass=_Kind):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return honest.now(tz) + datetime.timedelta(seconds=lie)

    @classmethod
    def utcnow(cls) -> Any:
        return honest.utcnow() + datetime.timedelta(seconds=lie)


datetime.datetime = LyingDatetime  # type: ignore[misc]
time.time = lambda: honest_time() + lie
time.time_ns = lambda: honest_ns() + int(lie * 10**9)


def main() -> None:
    import django
    from django.db import connections

    django.setup()
    connections.databases["default"].update(given["database"])

    from django.utils import timezone

    from accounts.gateway import registry as investor_side
    from accounts.gateway.sandbox import SandboxInvestorBank
    from bridge.sandbox import client
    from funds.gateway import registry as fund_side
    from funds.gateway.sandbox import SandboxFundBank
    from transfers.engine import drain

    client.datetime = honest  # type: ignore[attr-defined]
    assert abs((timezone.now() - honest.now(datetime.UTC)).total_seconds() - lie) < 60
    investors = SandboxInvestorBank("meridian", **given["meridian"])
    fund_bank = SandboxFundBank("harbor", **given["harbor"])
    with investor_side.use_gateways({"meridian": investors}), fund_side.use_gateways({"harbor": fund_bank}):
        print(drain(batch=given["batch"]))


if __name__ == "__main__":
    main()
