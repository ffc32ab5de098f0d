"""What is done by the day: reconciliation, statements, looking at breaks."""

from __future__ import annotations

from datetime import timedelta

from bridge.kernel.results import Change
from bridge.management.simulation.run import CLOCKWORK, MAKERS, Run
from transfers.models import Break
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile
from transfers.reconciliation.services import resolve_breaks
from transfers.reconciliation.statements import StatementRefused


def reconcile_(run: Run) -> None:
    """Today's books or yesterday's are compared with the banks'."""
    day = run.time.now().date() - timedelta(days=run.rng.choice((0, 1)))
    found = reconcile(date=day, actor=CLOCKWORK)
    run.story.tell(f"reconciliation of {day}: {found.matched} agree, {found.open_breaks} differences are open")


def import_(run: Run) -> None:
    """A day's statement of the settlement account is fetched and kept, if it is whole."""
    day = run.time.now().date() - timedelta(days=run.rng.choice((0, 1, 1, 2)))
    currency = run.rng.choice(sorted({fund.currency for fund in run.funds}))
    content = run.house.inprocess.settlement().statement(currency, day)
    run.story.tell(f"the {currency} statement of {day} comes, {len(content)} bytes")
    try:
        kept = import_statement(name="statement.json", content=content, actor=CLOCKWORK)
    except StatementRefused as refused:
        run.story.tell(f"  refused: {refused.detail}")
    else:
        run.imported.append((kept.account, kept.date))


def explain(run: Run) -> None:
    """A person explains a difference; that moves no money."""
    open_ = list(Break.objects.filter(resolved_at__isnull=True).order_by("institution", "reference"))
    if open_:
        row = run.rng.choice(open_)
        run.story.tell(f"a difference about {row.reference[-6:]} is explained")
        resolve_breaks(changes=[Change(row.pk)], actor=run.rng.choice(MAKERS), resolution="The bank confirmed it.")
