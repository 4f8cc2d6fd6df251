"""What a user of the implementation can run into, each with one sentence that names the place and the remedy."""

from __future__ import annotations


class EnvironmentProblem(Exception):
    """The surroundings are not fit: no broker, no network, no Java, a port in use. Ends a command with exit code 4."""


class BadDeployment(Exception):
    """A file, name or setting that the user gave is wrong. Ends a command with exit code 2."""


class Unreachable(EnvironmentProblem):
    """The broker does not answer now. What was asked for may be tried again; the text names what that was."""


class NotAllowed(BadDeployment):
    """The broker answers, and refuses: the token, the permission or the topic is not there. Trying again does not help."""


class SlotTaken(Unreachable):
    """The broker refused a consumer, since another one attends a slot of its range. Asking again waits for that one to leave."""


class StandsBy(Unreachable):
    """Another instance leads. Asking again waits for it to be gone; the text names what it leads."""


class Deposed(EnvironmentProblem):
    """Another instance has taken over: nothing that this one does counts any more, and it has to stop."""
