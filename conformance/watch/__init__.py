"""Watches a running deployment: sources of lines, checkpoints, and metrics."""
