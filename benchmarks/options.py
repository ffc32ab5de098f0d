"""Values of options that would only show after minutes that they are of no use."""

from __future__ import annotations

import argparse
from pathlib import Path


def positive(text: str) -> int:
    """For argparse: a whole number, 1 or more."""
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def new_file(text: str) -> Path:
    """For argparse: a file that can be made, or written over."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, or is in none")
    return path
