"""Settings by place: `local` (embedded services), `test`, `production`; what they share is `base`.

The environment decides what differs between machines. docs/CONFIGURATION.md lists every variable.
"""
