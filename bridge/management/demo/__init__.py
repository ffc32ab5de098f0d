"""A firm that looks real, and a batch of transfers of every kind: `demo_data`, `demo` and `demo_token`. Sandbox only."""
