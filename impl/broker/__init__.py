"""A real Pulsar broker, started from wheels and jars, and its configuration: topics, permissions, tokens and hosts."""
