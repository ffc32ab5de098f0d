"""Timings, each beside a reference taken in the same run: machines are shared and noisy, only ratios mean something."""
