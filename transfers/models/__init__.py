from transfers.models.callback import InboundCallback
from transfers.models.instruction import BankInstruction
from transfers.models.reconciliation import BankStatement, Break, ReconciliationRun
from transfers.models.transfer import Transfer
from transfers.models.work import Work

__all__ = ["BankInstruction", "BankStatement", "Break", "InboundCallback", "ReconciliationRun", "Transfer", "Work"]
