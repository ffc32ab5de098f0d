"""Calls to institutions: no transaction open, several at a time, one report for every call that was made.

Each institution has so many calls at a time as its parameters say: a slow one does not keep the others waiting.
Once an institution has fallen silent the rest of a batch is not called: those have no report. What was heard goes to
the institution's circuit.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from accounts.gateway import registry as investor_side
from accounts.models import InvestorAccount
from bridge.kernel import clock, compiled, crashpoints, pool, rows
from bridge.kernel.crashpoints import Moment
from bridge.kernel.gateway import GatewayUnavailable, InstitutionGateway, InstructionKind, Order, Outcome, Report
from bridge.kernel.transactions import require_no_transaction
from funds.gateway import registry as fund_side
from funds.models import Fund
from transfers.controls import circuits
from transfers.engine.breakers import Breaker
from transfers.models import BankInstruction
from transfers.policy import policy
from transfers.services.orders import AT_THE_FUND

KINDS = {kind.value: kind for kind in InstructionKind}

logger = logging.getLogger(__name__)


def submit(instructions: Sequence[BankInstruction]) -> list[Report]:
    """Send each instruction once. Whatever goes wrong after the intent was committed is an unknown outcome."""
    require_no_transaction()
    _find_owners(instructions)
    numbers: dict[uuid.UUID, str] = {}  # of funds: a batch has many orders for one of them
    gateways: dict[tuple[bool, str], InstitutionGateway] = {}
    work = []
    for row in instructions:
        at_fund, institution = row.account_id is None, row.institution
        owner: Any = row.fund if at_fund else row.account
        number = numbers.get(owner.id) if at_fund else None
        if number is None:
            number = owner.reveal_number()
            if at_fund:
                numbers[owner.id] = number
        gateway = gateways.get((at_fund, institution))
        if gateway is None:
            gateway = gateways[at_fund, institution] = _gateway(row)
        order = Order(
            key=row.key,
            kind=KINDS[row.kind],
            institution=institution,
            account_number=number,
            routing_number=owner.routing_number,
            amount=row.amount,
            currency=row.currency,
            reference=row.recalls.key if row.recalls_id is not None and row.recalls is not None else row.reference,
            rail=row.rail,
        )
        work.append((row, _sender(gateway, order)))
    return _all(work)


def find(instructions: Sequence[BankInstruction]) -> list[Report]:
    """Ask what became of each instruction, by its key."""
    require_no_transaction()
    return _all([(row, _finder(_gateway(row), row)) for row in instructions])


def answers(institution: str) -> bool:
    """Whether anybody is there: the smallest question that there is."""
    require_no_transaction()
    try:
        next(iter(gateway_at(institution).activity(clock.now())), None)
    except GatewayUnavailable as error:
        return error.answered
    except Exception:  # a fault of the adapter
        logger.exception("%s could not be asked", institution)
        return False
    return True


def _sender(gateway: InstitutionGateway, order: Order) -> Callable[[], Report]:
    def send() -> Report:
        crashpoints.reach_leg(order.kind, Moment.CALLING)
        report = gateway.submit(order)
        crashpoints.reach_leg(order.kind, Moment.CALLED)
        return report

    return send


def _finder(gateway: InstitutionGateway, row: BankInstruction) -> Callable[[], Report]:
    def ask() -> Report:
        report = gateway.find(row.key)
        crashpoints.reach_leg(row.kind, Moment.ASKED)
        return report

    return ask


def _all(work: Sequence[tuple[BankInstruction, Callable[[], Report]]]) -> list[Report]:
    rules = {institution: policy(institution=institution) for institution in {row.institution for row, _ in work}}
    breakers = {institution: Breaker(rule.circuit_failures) for institution, rule in rules.items()}

    def call(item: tuple[BankInstruction, Callable[[], Report]]) -> Report | None:
        row, ask = item
        breaker = breakers[row.institution]
        if breaker.silent:
            return None
        report = _one(row.key, ask)
        breaker.heard(report)
        return report

    lanes = {institution: rule.calls_at_once for institution, rule in rules.items()}
    reports = pool.in_lanes(call, work, lane=lambda item: item[0].institution, at_once=lanes)
    circuits.heard({institution: breaker.answers for institution, breaker in breakers.items()})
    return [report for report in reports if report is not None]


def _one(key: str, call: Callable[[], Report]) -> Report:
    try:
        return call()
    except Exception as error:  # a fault of the adapter says nothing about what the bank did
        logger.exception("call for %s failed", key)
        return Report(key=key, outcome=Outcome.UNKNOWN, code="adapter_fault", reason=type(error).__name__)


def _gateway(row: BankInstruction) -> InstitutionGateway:
    side = fund_side if row.kind in AT_THE_FUND else investor_side
    return side.gateway_for(row.institution)


def gateway_at(institution: str) -> InstitutionGateway:
    """The gateway to an institution, whichever side it serves. Raises `UnknownInstitution`."""
    side = investor_side if institution in investor_side.institutions() else fund_side
    return side.gateway_for(institution)


def _find_owners(instructions: Sequence[BankInstruction]) -> None:
    """Let each instruction know whom it is about, where the service that made it has not said so."""
    for name, model in (("fund", Fund), ("account", InvestorAccount)):
        unknown = [row for row in instructions if _is_about(row) == name and name not in row._state.fields_cache]
        if unknown:
            found: Iterable[Any] = compiled.by_key(model, {getattr(row, f"{name}_id") for row in unknown})
            rows.relate(unknown, name, {owner.id: owner for owner in found})


def _is_about(row: BankInstruction) -> str:
    return "fund" if row.account_id is None else "account"
