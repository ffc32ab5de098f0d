"""Transfers over REST: parse, gather facts, one service call, render."""
