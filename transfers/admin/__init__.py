"""The transfers' part of the operations console."""

from transfers.admin import breaks, callback, instruction, sections, transfer, work

__all__ = ["breaks", "callback", "instruction", "sections", "transfer", "work"]
