"""A firm that looks real, and batches of transfers of every kind: `demo_data`, `demo`, `demo_token`. Sandbox only."""
