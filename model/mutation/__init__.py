"""Mutants of a statement, made by rule, and what the engines say of them."""
