"""The event log: what a process records so that its behavior can be checked against the specification."""
