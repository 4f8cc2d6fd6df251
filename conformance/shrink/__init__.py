"""Shrinks a divergence by delta debugging on the target where it was observed."""
