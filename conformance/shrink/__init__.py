"""Shrinks a divergence: on a model of the observed failure, confirmed on the target where it was observed."""
