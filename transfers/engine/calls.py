"""Calls to institutions: no transaction open, several at a time, one report for every instruction."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from accounts.gateway import registry as investor_side
from accounts.models import InvestorAccount
from bridge.kernel.gateway import InstitutionGateway, InstructionKind, Order, Outcome, Report
from bridge.kernel.transactions import require_no_transaction
from funds.gateway import registry as fund_side
from funds.models import Fund
from transfers.models import BankInstruction
from transfers.services.orders import AT_THE_FUND

AT_ONCE = 16

logger = logging.getLogger(__name__)


def submit(instructions: Sequence[BankInstruction]) -> list[Report]:
    """Send each instruction once. Whatever goes wrong after the intent was committed is an unknown outcome."""
    require_no_transaction()
    numbers = _account_numbers(instructions)
    work = []
    for row in instructions:
        number, routing = numbers[row.id]
        order = Order(
            key=row.key,
            kind=InstructionKind(row.kind),
            institution=row.institution,
            account_number=number,
            routing_number=routing,
            amount=row.amount,
            currency=row.currency,
            reference=row.recalls.key if row.recalls is not None else row.reference,
        )
        work.append((row.key, _sender(_gateway(row), order)))
    return _all(work)


def find(instructions: Sequence[BankInstruction]) -> list[Report]:
    """Ask what became of each instruction, by its key."""
    require_no_transaction()
    return _all([(row.key, _finder(_gateway(row), row.key)) for row in instructions])


def _sender(gateway: InstitutionGateway, order: Order) -> Callable[[], Report]:
    return lambda: gateway.submit(order)


def _finder(gateway: InstitutionGateway, key: str) -> Callable[[], Report]:
    return lambda: gateway.find(key)


def _all(work: Sequence[tuple[str, Callable[[], Report]]]) -> list[Report]:
    if len(work) == 1:
        return [_one(*work[0])]
    with ThreadPoolExecutor(min(AT_ONCE, max(len(work), 1))) as pool:
        return list(pool.map(lambda item: _one(*item), work))


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


def _account_numbers(instructions: Sequence[BankInstruction]) -> dict[object, tuple[str, str]]:
    """Whom each instruction is about, unsealed for the adapter only."""
    funds = _funds_of({row.transfer_id for row in instructions if row.kind in AT_THE_FUND})
    accounts = InvestorAccount.objects.in_bulk({row.account_id for row in instructions if row.account_id})
    found: dict[object, tuple[str, str]] = {}
    for row in instructions:
        owner: Fund | InvestorAccount = funds[row.transfer_id] if row.account_id is None else accounts[row.account_id]
        found[row.id] = (owner.reveal_number(), owner.routing_number)
    return found


def _funds_of(transfer_ids: set[uuid.UUID]) -> dict[uuid.UUID, Fund]:
    pairs = dict(Fund.objects.filter(transfers__in=transfer_ids).values_list("transfers__id", "id"))
    funds = Fund.objects.in_bulk(set(pairs.values()))
    return {transfer_id: funds[fund_id] for transfer_id, fund_id in pairs.items()}
