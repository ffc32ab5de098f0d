"""The adapter to a sandbox institution that holds investors' money."""

from __future__ import annotations

from typing import ClassVar

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.client import SandboxGateway


class SandboxInvestorBank(SandboxGateway):
    """Takes withdrawals and refunds; anything else is a mistake of the caller and raises `ValueError`."""

    kinds: ClassVar[frozenset[InstructionKind]] = frozenset({InstructionKind.WITHDRAWAL, InstructionKind.REFUND})
