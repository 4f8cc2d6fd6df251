"""The topology of the design document, repaired as far as possible: one topic for a VPC, and one slot of its keys per host."""
