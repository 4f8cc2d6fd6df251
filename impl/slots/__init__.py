"""The topology of the design document: one topic per VPC, one shared subscription, and a slot of keys for each host."""
