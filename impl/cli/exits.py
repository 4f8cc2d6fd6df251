"""The exit codes of commands, and which one wins when several apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """The exit codes of every command."""

    HOLDS = 0
    """Everything that was asked holds, conforms, or is done."""
    VIOLATED = 1
    """A promise is violated, or a target diverges from the specification."""
    BAD_INPUT = 2
    """The usage or the input is wrong; one sentence names the place and the remedy."""
    UNDECIDED = 3
    """An engine stopped before it could tell: a bound, a time limit, an unknown. Never a pass."""
    ENVIRONMENT = 4
    """No broker, no Java, no network, or a port in use."""
    CRASHED = 70
    """The program failed by a mistake of its own; its sentence names a file to send. Never a verdict."""


EXIT_OF: Final[Mapping[str, Exit]] = {
    "holds": Exit.HOLDS,
    "conforms": Exit.HOLDS,
    "violated": Exit.VIOLATED,
    "diverges": Exit.VIOLATED,
    "undecided": Exit.UNDECIDED,
}
"""The exit code for each verdict."""

_PRECEDENCE = (Exit.CRASHED, Exit.BAD_INPUT, Exit.ENVIRONMENT, Exit.VIOLATED, Exit.UNDECIDED)


def worst(codes: Iterable[Exit]) -> Exit:
    """The exit code of a command whose parts ended with these codes: the first of 70, 2, 4, 1, 3 wins."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), Exit.HOLDS)


class Problem(Exception):
    """A command cannot continue; the text is one sentence that names the place and the remedy."""

    def __init__(self, sentence: str, code: Exit) -> None:
        super().__init__(sentence)
        self.code = code
