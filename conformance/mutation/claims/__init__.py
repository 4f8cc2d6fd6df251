"""Mutants of what is claimed, beside the actions: whether the evidence shows how much each claim says."""
