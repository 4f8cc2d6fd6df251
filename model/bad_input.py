"""The error that users of the engines may see."""

from __future__ import annotations


class BadInput(Exception):
    """A trace, configuration or choice is malformed. The text names file, line or step, field, and what was expected."""
