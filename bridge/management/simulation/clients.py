"""What API clients do: ask for transfers under keys, ask again when no answer came, call them off."""

from __future__ import annotations

from typing import Any

from bridge.kernel import ids
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.money import display
from bridge.kernel.results import Change, Refused
from bridge.management.simulation.run import CLIENT, INVESTOR, Run, Wish
from transfers import facts, services
from transfers.api.rendering import render_each, render_one
from transfers.models import Transfer
from transfers.policy import policy
from transfers.states import CANCELLABLE

MOST = 10  # requests of a run, or a few more
ROUTE = "/api/v1/transfers"
AMOUNTS = (*[25_000_00, 40_000_00, 40_000_00, 75_000_00, 100_000_00] * 3, 250_000_00)


def ask(run: Run) -> None:
    """A new request, now and then several in one call."""
    if len(run.wishes) >= MOST:
        return ask_again(run)
    wishes = [_wish(run) for _ in range(run.rng.choice((1, 1, 1, 1, 2, 5)))]
    run.wishes += wishes
    return _send(run, wishes)


def ask_again(run: Run) -> None:
    """The same request once more: because no answer came, or because a client is like that."""
    open_ = [wish for wish in run.wishes if wish.told is None and not wish.refused]
    if open_ or run.wishes:
        _send(run, [run.rng.choice(open_ or run.wishes)])


def ask_all_again(run: Run) -> None:
    """Every client that still waits for its answer."""
    for wish in [wish for wish in run.wishes if wish.told is None and not wish.refused]:
        _send(run, [wish])


def cancel(run: Run) -> None:
    """The investor has changed its mind, mostly while it still may."""
    rows = Transfer.objects.order_by("id")
    may = list(rows.filter(state__in=CANCELLABLE) if run.chance(0.9) else rows)
    if not may:
        return
    row = run.rng.choice(may)
    change = Change(row.id, row.version if run.chance(0.5) else None)
    run.story.tell(f"the investor calls {run.story.transfer(row.id)} off")
    key = _key(f"cancel-{row.id}-{run.rng.randrange(3)}", f"{ROUTE}/{row.public_id}/cancel", {})
    answer = services.cancel_transfers(changes=[change], actor=INVESTOR, key=key, render=render_one(inside=False))
    assert isinstance(answer, Answer)
    if not answer.replayed:
        run.told.append((row.id, answer.body["version"], answer.body["state"]))


def _wish(run: Run) -> Wish:
    account, fund = run.rng.choice(run.accounts), run.rng.choice(run.funds)
    if account.currency != fund.currency and run.chance(0.95):
        account = run.rng.choice([row for row in run.accounts if row.currency == fund.currency] or [account])
    amount = run.rng.choice(AMOUNTS) if run.chance(0.9) else run.rng.randrange(1, 300_000_00)
    request = services.TransferRequest(account.id, fund.id, amount, account.currency, external_id="")
    return Wish(request, f"key-{len(run.wishes)}-{run.rng.randrange(10**9)}", CLIENT if run.chance(0.5) else INVESTOR)


def _key(name: str, route: str, body: Any) -> Key:
    return Key.of(principal="1", method="POST", route=route, key=name, body=body)


def _send(run: Run, wishes: list[Wish]) -> None:
    for wish in wishes:
        wanted = wish.request
        run.story.tell(
            f"a client asks for {display(wanted.amount, wanted.currency)} from "
            f"{run.story.name('account', wanted.source_account_id)} to {run.story.name('fund', wanted.fund_id)}"
        )
    requests = [wish.request for wish in wishes]
    known = facts.gather(
        account_ids={request.source_account_id for request in requests}, max_age=policy().balance_age_create
    )
    answers = services.request_transfers_once(
        requests=requests,
        keys=[_key(wish.key, ROUTE, [str(wish.request)]) for wish in wishes],
        actor=wishes[0].actor,
        facts=known,
        render=render_each(status=201, location=ROUTE, inside=True),
    )
    for wish, answer in zip(wishes, answers, strict=True):
        _hear(run, wish, answer)


def _hear(run: Run, wish: Wish, answer: Answer | Refused) -> None:
    if isinstance(answer, Refused):
        run.story.tell(f"  refused: {answer.error.detail}")
        wish.refused = wish.told is None
        if wish.told is not None:
            run.violate("c: what was accepted exists", f"{wish.key} was accepted, and is refused when asked again")
        return
    found = ids.decode("transfer", answer.body["id"])
    if run.crashing and run.chance(0.1):
        run.story.tell("  the answer is lost on its way to the client")
        return
    run.story.tell(f"  {run.story.transfer(found)}: {answer.body['state']}{' (replayed)' if answer.replayed else ''}")
    if wish.told not in (None, found):
        run.violate("c: one key, one transfer", f"{wish.key}: told of {wish.told}, then of {found}")
    wish.told = found
    if not answer.replayed:
        run.told.append((found, answer.body["version"], answer.body["state"]))
