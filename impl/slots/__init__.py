"""The topology of the design document: one topic per VPC, one shared subscription, a slot of keys for each host."""
