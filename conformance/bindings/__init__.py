"""Bindings: for the protocols of slots and of failover, how each step of a run is made to happen on the implementation."""
