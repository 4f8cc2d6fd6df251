"""A protocol as a TLA+ module, and a bounded model of it for TLC: an independent reading of the statement by third-party tools."""
