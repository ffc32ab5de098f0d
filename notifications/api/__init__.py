"""Notifications over REST: what a login's investors, or operations, were told."""
