"""Who and what is in a run: few investors, tight funds, drawn from the seed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from accounts import services as accounts
from bridge.management.simulation.house import HARBOR, MERIDIAN, ROUTING
from bridge.management.simulation.run import SETUP, Run
from bridge.sandbox.model import Owner
from funds import services as funds

CURRENCIES = ("USD", "USD", "USD", "EUR", "JPY")


def open_everything(run: Run) -> None:
    """Investors, accounts and funds, at Bridge and at the banks."""
    currencies = ["USD"] if run.chance(0.7) else ["USD", run.rng.choice(CURRENCIES)]
    names = [f"Investor {number}" for number in range(1, run.rng.choice((2, 3, 4)) + 1)]
    people = [accounts.NewInvestor("natural_person", name) for name in names]
    investors = accounts.open_investors(rows=people, actor=SETUP)
    rows = [
        accounts.NewAccount(
            investors[number % len(investors)].id,
            MERIDIAN,
            f"Account {number + 1}",
            run.rng.choice(currencies),
            f"4{number:07d}",
            ROUTING,
        )
        for number in range(len(investors) + run.rng.choice((0, 1, 2)))
    ]
    run.accounts = accounts.open_accounts(rows=rows, actor=SETUP)
    for row in rows:
        balance = run.rng.choice((120_000_00, 500_000_00, 5_000_000_00, 5_000_000_00))
        run.house.open_account(MERIDIAN, row.account_number, row.currency, Owner.INVESTOR, balance)
    wanted = [_fund(run, number, currencies) for number in range(run.rng.choice((1, 2, 3)))]
    run.funds = funds.open_funds(rows=wanted, actor=SETUP)
    for fund in wanted:
        run.house.open_account(HARBOR, fund.account_number, fund.currency, Owner.FUND, 0)


def _fund(run: Run, number: int, currencies: list[str]) -> funds.NewFund:
    rng, moment = run.rng, run.time.now()
    values: dict[str, Any] = {
        "seat_limit": rng.choice((None, 1, 2, 3, 3, 50)),
        "hard_cap": rng.choice((None, None, 120_000_00, 300_000_00, 9_000_000_00)),
        "minimum": rng.choice((1, 1, 1, 1_000_00, 30_000_00)),
        "maximum": rng.choice((None, None, None, 200_000_00)),
        "second_person_above": rng.choice((None, None, 50_000_00)),
        "escrow_minimum": rng.choice((None, None, None, None, 100_000_00)),
        "on_deposit_failure": rng.choice(("refund", "hold")),
        "closes_at": moment + timedelta(days=rng.choice((2, 30, 90, 400, 400))),
    }
    return funds.NewFund(
        code=f"fund-{number}",
        name=f"Fund {number + 1}",
        kind="venture",
        currency=rng.choice(currencies),
        institution=HARBOR,
        account_number=f"8{number:07d}",
        routing_number=ROUTING,
        opens_at=moment - timedelta(days=30),
        status="open",
        **values,
    )
