"""A divergence made small: on a model of what was seen to be wrong, and confirmed on the target where it was seen."""
