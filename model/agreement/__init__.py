"""Protocols drawn at random, and the comparison of all engines on each."""
