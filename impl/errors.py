"""The errors that a user of the implementation can meet. Each carries one sentence that names the place and the remedy."""

from __future__ import annotations


class EnvironmentProblem(Exception):
    """The environment is not ready: no broker, no network, no Java, a port in use. Ends a command with exit code 4."""


class BadDeployment(Exception):
    """A file, name or setting from the user is wrong. Ends a command with exit code 2."""


class Unreachable(EnvironmentProblem):
    """The broker does not answer at the moment. The operation can be retried; the text names it."""


class NotAllowed(BadDeployment):
    """The broker refuses: the token, the permission or the topic is missing. A retry does not help."""


class SlotTaken(Unreachable):
    """The broker refused a consumer because another one holds a slot of its range. A retry waits until that one leaves."""


class StandsBy(Unreachable):
    """Another instance is the leader. A retry waits until it is gone; the text names what it leads."""


class Deposed(EnvironmentProblem):
    """Another instance has taken over. Nothing that this one does has any effect, so it must stop."""
