"""Mutants of the implementation's cores, and which check kills each."""
