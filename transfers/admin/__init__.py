"""The transfers' part of the operations console."""

from transfers.admin import breaks, callback, closing, instruction, sections, transfer, work

__all__ = ["breaks", "callback", "closing", "instruction", "sections", "transfer", "work"]
