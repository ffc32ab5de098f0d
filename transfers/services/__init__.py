"""The only code that changes a transfer. Each function is one durable unit of work over a list."""

from transfers.services.deciding import (
    approve_transfers,
    cancel_transfers,
    expire_transfers,
    hold_transfers,
    promote_waitlist,
    reject_transfers,
)
from transfers.services.depositing import begin_deposits, settle_deposits
from transfers.services.freezing import freeze_transfers
from transfers.services.requesting import CheckResult, TransferRequest, check_transfers, request_transfers
from transfers.services.rescheduling import block_transfers, postpone_work, resend_instructions
from transfers.services.unwinding import begin_refunds, refund_transfers, retry_transfers, settle_refunds
from transfers.services.withdrawing import begin_withdrawals, settle_withdrawals

__all__ = [
    "CheckResult",
    "TransferRequest",
    "approve_transfers",
    "begin_deposits",
    "begin_refunds",
    "begin_withdrawals",
    "block_transfers",
    "cancel_transfers",
    "check_transfers",
    "expire_transfers",
    "freeze_transfers",
    "hold_transfers",
    "postpone_work",
    "promote_waitlist",
    "refund_transfers",
    "reject_transfers",
    "request_transfers",
    "resend_instructions",
    "retry_transfers",
    "settle_deposits",
    "settle_refunds",
    "settle_withdrawals",
]
