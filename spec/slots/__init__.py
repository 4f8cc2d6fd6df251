"""The design document's own topology, repaired as far as it can be: one topic for a VPC, and a slot of its keys for each host."""
