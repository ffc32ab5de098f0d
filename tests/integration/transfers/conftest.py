from __future__ import annotations

from tests.functional.conftest import bridge

__all__ = ["bridge"]
