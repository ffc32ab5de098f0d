"""Approvals over REST: what waits for a second person, and being one."""
