"""Closing a fund from the command line. Longer than most modules: one command with six doors, each of which explains
itself to people; splitting it would scatter one table and its words.
"""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel import ids
from bridge.kernel.api.roles import roles_of
from bridge.kernel.errors import BridgeError
from bridge.kernel.money import display
from bridge.kernel.results import ENGINE, Actor, Change, Channel, Refused, Role
from bridge.management.output import console_for
from funds.models import Closing, Fund
from transfers.closing import Below, Method, Plan, PlanKind, Terms
from transfers.closing_approvals import CHECKERS, MAKERS, kind_of, payload_of
from transfers.closing_overview import Overview, closing_overview, plan_closing
from transfers.services import closing as closings

CUT = ("target", "method", "below")


class Command(BaseCommand):
    help = (
        "Close a fund: without a plan, list what is open; with one, show what it would do. --propose asks for it as "
        "one login, --approve carries it out as another. The fund must be 'closing' (admin: Start closing)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", metavar="CODE", help="the fund's code")
        parser.add_argument("--plan", choices=[str(kind) for kind in PlanKind])
        parser.add_argument("--target", type=int, metavar="N", help="cut back to this much, in minor units (cents)")
        parser.add_argument("--method", choices=[str(each) for each in Method], help="of a cut back (pro-rata)")
        parser.add_argument(
            "--below",
            choices=[str(each) for each in Below],
            help="investors whom a cut leaves below the fund's minimum stay (keep) or are out entirely (out) (keep)",
        )
        doing = parser.add_mutually_exclusive_group()
        doing.add_argument("--preview", action="store_true", help="show the plan and write nothing (the default)")
        doing.add_argument("--propose", action="store_true", help="ask for a second person's approval of the plan")
        doing.add_argument("--approve", metavar="APR_ID", help="approve a proposed plan and carry it out")
        doing.add_argument("--withdraw", metavar="APR_ID", help="take a proposed plan back")
        doing.add_argument(
            "--resume", action="store_true", help="go on with this fund's approved plan, as the engine does"
        )
        parser.add_argument("--as", dest="login", metavar="USERNAME", help="who proposes or approves")
        parser.add_argument("--reason", default="", help="why; kept with the approval")
        parser.add_argument("--expect", metavar="HASH", help="propose only if the plan still has this hash")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        fund = Fund.objects.filter(code=options["code"]).first()
        if fund is None:
            raise CommandError(f"There is no fund {options['code']!r}.")
        _refuse_unused(options)
        try:
            if options["approve"]:
                body = self._approve(fund, options)
            elif options["withdraw"]:
                body = self._withdraw(fund, options)
            elif options["resume"]:
                body = self._resume(fund, options)
            elif options["plan"] is None:
                if options["propose"]:
                    raise CommandError("Say which plan: --plan settle, cut-back or return-all.")
                body = self._overview(fund, options)
            else:
                body = self._plan(fund, options)
        except BridgeError as error:
            raise CommandError(error.detail) from error
        if options["json"]:
            self.stdout.write(json.dumps(body))

    def _overview(self, fund: Fund, options: dict[str, Any]) -> dict[str, Any]:
        overview = closing_overview(fund_id=fund.id)
        if not options["json"]:
            _show_overview(console_for(self.stdout), overview)
        return {
            "fund": fund.code,
            "status": fund.status,
            "currency": fund.currency,
            "settled": overview.is_settled,
            "phases": {
                str(phase): {"count": count, "amount": overview.money[phase]}
                for phase, count in overview.counts.items()
            },
            "open": [
                {
                    "transfer": row.public_id,
                    "investor": row.investor,
                    "state": row.state,
                    "phase": str(row.phase),
                    "amount": row.amount,
                    "blocker": row.blocker_code,
                    "why": row.blocker_message,
                }
                for row in overview.positions
            ],
            **_progress(fund),
        }

    def _plan(self, fund: Fund, options: dict[str, Any]) -> dict[str, Any]:
        given = {name: options[name] for name in CUT if options[name] is not None}
        terms = Terms.of(given, kind=options["plan"])
        actor = None
        if options["propose"]:  # who may not ask, or asks too early, is told so before a long table
            actor = _actor(options["login"], MAKERS)
            closings.may_begin(fund, terms, _running(fund).first())
        plan = plan_closing(fund_id=fund.id, terms=terms)
        console = console_for(self.stdout)
        if not options["json"]:
            _show_plan(console, fund, plan)
        body = {"fund": fund.code, "status": fund.status, **plan.as_json()}
        if actor is None:
            return body
        if options["expect"] not in (None, plan.hash):
            raise CommandError("Something changed since: the plan now has another hash. Look at it again.")
        payload = payload_of(plan.terms, plan.hash)
        approval = approvals.propose(
            proposal=Proposal(kind_of(plan.terms.kind), fund.id, payload, options["reason"]), actor=actor
        )
        if not options["json"]:
            console.print(
                f"Asked for: {approval.summary}. Somebody else approves it with\n"
                f"  manage.py close_fund {fund.code} --approve {approval.public_id} --as USERNAME",
                soft_wrap=True,
            )
        return {**body, "approval": approval.public_id}

    def _resume(self, fund: Fund, options: dict[str, Any]) -> dict[str, Any]:
        if not _running(fund).exists():
            done, said = 0, f"Nothing is running for {fund.code}."
            body = {"steps_done": done, **_progress(fund)}
        else:
            done = _carry_on(fund)
            body = {"steps_done": done, **_progress(fund)}
            closing = body["closing"]
            said = (
                f"{fund.code}: {done} steps of the plan '{closing['kind']}' were done now, {closing['pending']} are "
                f"left. The plan is {closing['state']}."
            )
        if not options["json"]:
            self.stdout.write(said)
        return body

    def _withdraw(self, fund: Fund, options: dict[str, Any]) -> dict[str, Any]:
        actor, approval = _actor(options["login"], MAKERS), _approval(fund, options["withdraw"])
        results = approvals.withdraw(changes=[Change(approval.id, reason=options["reason"])], actor=actor)
        assert isinstance(results, list)
        (result,) = results
        if isinstance(result, Refused):
            raise result.error
        if not options["json"]:
            self.stdout.write(f"{approval.summary}: taken back.")
        return {"fund": fund.code, "approval": approval.public_id, "state": result.state}

    def _approve(self, fund: Fund, options: dict[str, Any]) -> dict[str, Any]:
        actor = _actor(options["login"], CHECKERS)
        approval = _approval(fund, options["approve"])
        (result,) = approvals.approve(changes=[Change(approval.id, reason=options["reason"])], actor=actor)
        if isinstance(result, Refused):
            raise result.error
        _carry_on(fund)
        body = {"fund": fund.code, "approval": approval.public_id, "state": result.state, **_progress(fund)}
        if not options["json"]:
            closing = body["closing"]
            console_for(self.stdout).print(
                f"{approval.summary}: approved. {closing['done']} of {closing['done'] + closing['pending']} steps are "
                f"done; the others follow when their money rests. The plan is {closing['state']}.",
                soft_wrap=True,
            )
        return body


def _refuse_unused(options: dict[str, Any]) -> None:
    """What would be ignored is refused: whoever wrote it meant something by it."""
    cut = [f"--{name}" for name in CUT if options[name] is not None]
    if cut and options["plan"] != PlanKind.CUT_BACK:
        raise CommandError(f"Only --plan cut-back takes {', '.join(cut)}.")
    if options["plan"] and (door := next((name for name in ("approve", "withdraw", "resume") if options[name]), None)):
        raise CommandError(f"--{door} goes by the plan that was asked for: leave --plan out.")
    if options["expect"] and not options["propose"]:
        raise CommandError("--expect goes with --propose.")


def _approval(fund: Fund, public_id: str) -> Approval:
    kinds = [kind_of(kind) for kind in PlanKind]
    number = ids.decode("approval", public_id)
    found = Approval.objects.filter(pk=number, subject_id=fund.id, kind__in=kinds).first()
    if found is None:
        raise CommandError(f"There is no closing of {fund.code} under {public_id}.")
    return found


def _actor(username: str | None, roles: frozenset[Role]) -> Actor:
    """The login that acts. It needs one of these roles; being a superuser is none."""
    if not username:
        raise CommandError("Say who acts: --as USERNAME.")
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active login {username!r}.")
    mine = sorted(roles_of(user) & roles)
    if not mine:
        raise CommandError(f"{username} has none of the roles that may do this: {', '.join(sorted(roles))}.")
    return Actor(str(user.pk), mine[0], Channel.COMMAND, user.get_username())


def _running(fund: Fund) -> QuerySet[Closing]:
    return Closing.objects.filter(fund=fund, state=Closing.State.RUNNING).order_by("id")


def _carry_on(fund: Fund) -> int:
    """Go on with this fund's plan only; returns how many steps were done."""
    running = list(_running(fund).values_list("id", flat=True))
    return sum(closings.carry_on(closing_id=closing_id, actor=ENGINE) for closing_id in running)


def _progress(fund: Fund) -> dict[str, Any]:
    closing = Closing.objects.filter(fund=fund).first()
    if closing is None:
        return {"closing": None}
    pending = closing.steps.filter(state="pending").count()
    done = closing.steps.count() - pending
    about = {"id": closing.public_id, "kind": closing.kind, "state": closing.state, "done": done, "pending": pending}
    return {"closing": about}


def _show_overview(console: Console, overview: Overview) -> None:
    fund, currency = overview.fund, overview.currency
    console.print(Text(f"{fund.name} ({fund.code}) is {fund.status}", style="bold"))
    table = Table("transfer", "investor", "state", "where", "amount", "blocker", "why")
    table.columns[4].justify = "right"
    for row in overview.positions:
        money = display(row.amount, currency)
        where, why = str(row.phase), Text(row.blocker_message)
        table.add_row(row.public_id, Text(row.investor), row.state, where, money, row.blocker_code, why)
    console.print(table)
    for phase, count in overview.counts.items():
        console.print(f"{phase}: {count}, {display(overview.money[phase], currency)}")
    if overview.running is not None:
        console.print(f"The plan '{overview.running.kind}' is being carried out.")
    console.print("Nothing is open." if overview.is_settled else "Plans: --plan settle, cut-back or return-all.")


def _show_plan(console: Console, fund: Fund, plan: Plan) -> None:
    console.print(Text(f"{plan.terms.kind} of {fund.name} ({fund.code}, {fund.status})", style="bold"))
    table = Table("transfer", "investor", "state", "now", "action", "keeps", "given back")
    for number in (3, 5, 6):
        table.columns[number].justify = "right"
    for item in plan.items:
        row = item.position
        money = [display(amount, plan.currency) for amount in (row.amount, item.keep, item.give_back)]
        table.add_row(row.public_id, Text(row.investor), row.state, money[0], str(item.action), money[1], money[2])
    console.print(table)
    said = [f"{name} {display(amount, plan.currency)}" for name, amount in plan.totals.items()]
    console.print(f"In total: {', '.join(said)}.", soft_wrap=True)
    console.print(f"Plan {plan.hash}", soft_wrap=True)
