"""The sandbox bank over HTTP: one process, one store, no Django."""
