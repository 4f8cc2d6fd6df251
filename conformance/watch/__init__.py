"""Watching a deployment while it runs: where its lines come from, what is kept of a watch, and what it says."""
