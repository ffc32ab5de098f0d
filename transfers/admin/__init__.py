"""The transfers' part of the operations console."""

from transfers.admin import (
    breaks,
    callback,
    closing,
    controls,
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
    "closing",
    "controls",
    "floats",
    "instruction",
    "parameters",
    "receipts",
    "sections",
    "transfer",
    "work",
]
