"""The bank itself: pure Python, no input or output, no clock and no randomness of its own."""

from bridge.sandbox.model.bank import Bank
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.delivery import Behaviour, Delivery, Problem
from bridge.sandbox.model.faults import Call, Fault, FaultPlan, FaultRule
from bridge.sandbox.model.records import Account, Instruction, Owner, Status, Terms
from bridge.sandbox.model.settings import InstitutionSettings, Rail, Settings

__all__ = [
    "Account",
    "Bank",
    "Behaviour",
    "Books",
    "Call",
    "Delivery",
    "Fault",
    "FaultPlan",
    "FaultRule",
    "InstitutionSettings",
    "Instruction",
    "Owner",
    "Problem",
    "Rail",
    "Settings",
    "Status",
    "Terms",
]
