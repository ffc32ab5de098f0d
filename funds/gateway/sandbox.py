"""The adapter to a sandbox institution that holds funds' money."""

from __future__ import annotations

from typing import ClassVar

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.client import SandboxGateway


class SandboxFundBank(SandboxGateway):
    """Takes deposits and recalls; anything else is a mistake of the caller and raises `ValueError`."""

    kinds: ClassVar[frozenset[InstructionKind]] = frozenset({InstructionKind.DEPOSIT, InstructionKind.RECALL})
