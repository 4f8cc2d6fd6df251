"""Event logs: read, checked line by line, put into causal order, validated, and explained where they leave the specification."""
