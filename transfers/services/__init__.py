"""The only code that changes a transfer. Each function is one durable unit of work over a list."""

from transfers.services.closing import continue_closings
from transfers.services.deciding import (
    approve_transfers,
    cancel_transfers,
    expire_transfers,
    hold_transfers,
    promote_waitlist,
    reject_transfers,
    release_transfers,
)
from transfers.services.depositing import begin_deposits, settle_deposits
from transfers.services.freezing import freeze_transfers
from transfers.services.holding import hold_back_withdrawals
from transfers.services.recalling import begin_recalls, give_up_recalls, recall_transfers, settle_recalls
from transfers.services.requesting import (
    CheckResult,
    Opened,
    RenderEach,
    TransferRequest,
    check_transfers,
    request_transfers,
    request_transfers_once,
)
from transfers.services.rescheduling import block_transfers, not_sent, postpone_work, resend_instructions
from transfers.services.unwinding import begin_refunds, refund_transfers, retry_transfers, settle_refunds
from transfers.services.withdrawing import begin_withdrawals, settle_withdrawals

__all__ = [
    "CheckResult",
    "Opened",
    "RenderEach",
    "TransferRequest",
    "approve_transfers",
    "begin_deposits",
    "begin_recalls",
    "begin_refunds",
    "begin_withdrawals",
    "block_transfers",
    "cancel_transfers",
    "check_transfers",
    "continue_closings",
    "expire_transfers",
    "freeze_transfers",
    "give_up_recalls",
    "hold_back_withdrawals",
    "hold_transfers",
    "not_sent",
    "postpone_work",
    "promote_waitlist",
    "recall_transfers",
    "refund_transfers",
    "reject_transfers",
    "release_transfers",
    "request_transfers",
    "request_transfers_once",
    "resend_instructions",
    "retry_transfers",
    "settle_deposits",
    "settle_recalls",
    "settle_refunds",
    "settle_withdrawals",
]
