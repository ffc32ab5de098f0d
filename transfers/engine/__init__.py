"""The engine: finds due work in batches, calls gateways outside any transaction, hands replies to services."""

from transfers.engine.loop import drain

__all__ = ["drain"]
