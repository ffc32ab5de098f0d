from transfers.models.callback import InboundCallback
from transfers.models.controls import Alarm, Circuit, Stop
from transfers.models.instruction import BankInstruction
from transfers.models.parameters import Parameters
from transfers.models.reconciliation import BankStatement, Break, ReconciliationRun
from transfers.models.transfer import Transfer
from transfers.models.treasury import FloatMovement, Receipt
from transfers.models.work import Work

__all__ = [
    "Alarm",
    "BankInstruction",
    "BankStatement",
    "Break",
    "Circuit",
    "FloatMovement",
    "InboundCallback",
    "Parameters",
    "Receipt",
    "ReconciliationRun",
    "Stop",
    "Transfer",
    "Work",
]
