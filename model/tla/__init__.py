"""A protocol as a TLA+ module, and a bounded world of it for TLC: another reading of the statement, by other people's tools."""
