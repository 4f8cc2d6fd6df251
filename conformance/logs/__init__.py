"""Event logs: read, checked line by line, joined, validated, and explained where they leave the specification."""
