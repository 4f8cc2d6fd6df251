"""A real Pulsar broker, started from wheels and jars, and what is set up on it."""
