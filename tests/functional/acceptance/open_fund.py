"""`python -m tests.functional.acceptance.open_fund CODE SEATS`: one more fund in a running stack; prints its id."""

from __future__ import annotations

import sys
from datetime import timedelta

import django


def main(code: str, seats: int) -> str:
    from bridge.kernel import clock
    from bridge.management.demo.data import ACTOR, bank_control
    from funds.services import NewFund, open_funds

    number, routing = f"99{sum(code.encode()):06d}", "026009593"
    account = {"institution": "harbor", "number": number, "routing": routing, "currency": "USD", "owner": "fund"}
    bank_control().call("POST", "/control/accounts", {"accounts": [account]})
    row = NewFund(
        code=code,
        name=f"Fund {code}",
        kind="venture",
        currency="USD",
        institution="harbor",
        account_number=number,
        routing_number=routing,
        opens_at=clock.now() - timedelta(days=1),
        status="open",
        minimum=100_00,
        seat_limit=seats,
    )
    (fund,) = open_funds(rows=[row], actor=ACTOR)
    return fund.public_id


if __name__ == "__main__":
    django.setup()
    print(main(sys.argv[1], int(sys.argv[2])))
