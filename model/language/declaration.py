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
    """The whole path."""
    line: int
    """Of the name, from 1 on; of the first decorator, if the file is not there to be read any more."""


class Declaration:
    """Anything a protocol module declares. Identity is what counts; the name is for readers."""

    name: str = ""
    doc: str = ""
    _begins: Source | None = None

    @property
    def source(self) -> Source | None:
        """Where it is declared; none: by no function. No part of the statement, and so of no digest."""
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
    """The declaration, which remembers where the function that makes it stands."""
    code = function.__code__
    object.__setattr__(made, "_begins", Source(code.co_filename, code.co_firstlineno))
    return made
