"""The transfers' part of the operations console."""

from transfers.admin import (
    breaks,
    callback,
    circuits,
    closing,
    controls,
    finders,
    floats,
    instruction,
    parameters,
    receipts,
    sections,
    transfer,
    work,
)

__all__ = [
    "breaks",
    "callback",
    "circuits",
    "closing",
    "controls",
    "finders",
    "floats",
    "instruction",
    "parameters",
    "receipts",
    "sections",
    "transfer",
    "work",
]
