"""What all declarations have in common."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

D = TypeVar("D", bound="Declaration")


@dataclass(frozen=True, slots=True)
class Source:
    """Where something is declared."""

    file: str
    """The full path."""
    line: int
    """The line of the name, from 1; of the first decorator if the file can no longer be read."""


class Declaration:
    """Anything that a protocol module declares. Declarations are compared by identity; the name is for readers."""

    name: str = ""
    doc: str = ""
    _begins: Source | None = None

    @property
    def source(self) -> Source | None:
        """Where it is declared; None if by no function. Not part of the statement or of any digest."""
        if self._begins is None:
            return None
        file, first = self._begins.file, self._begins.line
        for number, text in enumerate(linecache.getlines(file)[first - 1 :], first):
            if re.match(r"\s*def ", text):
                return Source(file, number)
        return self._begins

    def __repr__(self) -> str:
        return self.name


def declared_by(function: Callable[..., object], made: D) -> D:
    """The declaration, with the source position of its function."""
    code = function.__code__
    object.__setattr__(made, "_begins", Source(code.co_filename, code.co_firstlineno))
    return made
