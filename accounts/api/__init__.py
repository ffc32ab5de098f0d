"""Investor accounts over REST: a login sees those of its investors, staff and services all."""
