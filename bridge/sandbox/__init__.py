"""The sandbox bank: it plays the institutions that Bridge talks to, in its own process with its own store.

`model` is pure Python; `server` serves it over HTTP; `inprocess` wraps it for simulations and benchmarks; `client`
speaks its wire format. Nothing here imports Django.
"""
