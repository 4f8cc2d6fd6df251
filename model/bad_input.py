"""What a user of the engines can run into."""

from __future__ import annotations


class BadInput(Exception):
    """A trace, configuration or choice is malformed: the text names file, line or step, field, and what was expected."""
