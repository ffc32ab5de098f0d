"""Settings by place: `local` (embedded services), `test`, `simulation`, `production`; what they share is `base`.

The environment decides what differs between machines. docs/CONFIGURATION.md lists every variable.
"""
