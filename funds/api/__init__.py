"""Funds and places in them over REST."""
