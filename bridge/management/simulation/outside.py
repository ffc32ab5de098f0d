"""What happens beyond Bridge: callbacks arrive, account holders use their accounts, time passes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from standardwebhooks.webhooks import Webhook

from bridge.kernel.money import display
from bridge.management.simulation.house import MERIDIAN, Notice
from bridge.management.simulation.run import Run
from transfers.api.callbacks import CallbackView

DAY = 86_400
PAUSES = (1, 5, 5, 30, 31, 31, 61, 61, 61, 120, 300, 300, 900, 3_600, 3_600, 6 * 3_600, DAY, 2 * DAY, 5 * DAY)
_view = CallbackView.as_view()


def deliver(run: Run) -> None:
    """What is due arrives; sometimes in another order, again, or later."""
    due = run.house.due()
    if run.crashing and run.chance(0.2):
        run.rng.shuffle(due)
    for number, notice in enumerate(due):
        if run.crashing and run.chance(0.1):
            run.house.later(notice, run.rng.choice((10, 3_600)))
            continue
        if run.crashing and run.chance(0.1):
            run.house.later(notice, 0)
        try:
            receive(run, notice)
        except BaseException:  # no answer: the bank comes again with this one and with the rest
            for missed in due[number:]:
                run.house.later(missed, 30)
            raise


def receive(run: Run, notice: Notice) -> None:
    """One callback over the API, signed as the bank signs it."""
    data = notice.payload["data"]
    said = f"{data['kind']} {data['status']}, {data['settled_amount']} credited, {data['returned_amount']} sent back"
    run.story.tell(f"{notice.institution} calls back about {data['key'][-6:]}: {said}")
    body = json.dumps(notice.payload).encode()
    now = datetime.now(UTC)  # the signature's own time is the machine's: it says nothing about the run
    secret = settings.BRIDGE_GATEWAYS[notice.institution]["webhook_secret"]
    signature = Webhook(secret).sign(notice.id, now, body.decode())
    request = WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/api/v1/callbacks/{notice.institution}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_WEBHOOK_ID": notice.id,
            "HTTP_WEBHOOK_TIMESTAMP": str(int(now.timestamp())),
            "HTTP_WEBHOOK_SIGNATURE": signature,
            "SERVER_NAME": "bridge.invalid",
            "SERVER_PORT": "443",
            "wsgi.input": io.BytesIO(body),
        }
    )
    answer = _view(request, institution=notice.institution)
    if answer.status_code != 202:
        run.violate("callbacks are accepted", f"{notice.id}: {answer.status_code} {answer.data}")


def pause(run: Run) -> None:
    """Time passes."""
    seconds = run.rng.choice(PAUSES)
    run.time.advance(seconds)
    run.house.post()
    run.story.tell(f"{_words(seconds)} later")


def spend(run: Run) -> None:
    """The investor uses the account for something else."""
    account = run.rng.choice(run.accounts)
    there = run.house.books.accounts[MERIDIAN, account.reveal_number()]
    amount = min(run.rng.choice((10_000_00, 100_000_00)), max(there.available, 0))
    if run.chance(0.4):
        amount = -amount or -50_000_00
    run.house.books.move(there, run.house.books.outside(account.currency), amount)
    verb, much = "spends" if amount >= 0 else "is paid", display(abs(amount), account.currency)
    run.story.tell(f"the holder of {run.story.name('account', account.id)} {verb} {much}")


def close_or_open(run: Run) -> None:
    """An account at one of the banks is closed, or open again."""
    customers = [row for row in run.house.books.accounts.values() if row.routing]
    account = run.rng.choice(customers)
    account.is_open = not account.is_open
    run.story.tell(f"{account.institution} {'opens' if account.is_open else 'closes'} account ···{account.number[-4:]}")


def _words(seconds: int) -> str:
    for size, word in ((DAY, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {word}{'s' if number > 1 else ''}"
    return "at once"
