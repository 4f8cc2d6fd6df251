"""What all declarations have in common."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Final, TypeVar

D = TypeVar("D", bound="Declaration")


@dataclass(frozen=True, slots=True)
class Source:
    """Where something is declared."""

    file: str
    """The full path."""
    line: int
    """The line of the name, from 1; of the first decorator if the file can no longer be read."""


class Misdeclared(TypeError):
    """What a module declares cannot be part of a protocol. The text is one sentence, behind file and line if they are known."""

    def __init__(self, sentence: str, source: Source | None) -> None:
        super().__init__(f"{source.file}, line {source.line}: {sentence}" if source is not None else sentence)
        self.sentence = sentence
        self.source = source


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


def content(declaration: Declaration) -> str:
    """All that a declaration states, as text: every attribute of it except prose and its place.

    What it reads by a definition is part of it; of other declarations that it mentions, only the name.
    """
    stated = {
        name: value
        for name, value in sorted(vars(declaration).items())
        if name != "doc" and not name.startswith("_") and not isinstance(value, FunctionType)
    }
    # A sort is identified by its name: its module's location is not part of the statement.
    return re.sub(r"<class '[\w.]*?(\w+)'>", r"\1", f"{type(declaration).__name__} {stated}")


def declared_by(function: Callable[..., object], made: D) -> D:
    """The declaration, with the source position of its function.

    Raises:
        Misdeclared: the module has declared something else under the function's name, which would vanish in silence.
    """
    code = function.__code__
    earlier = function.__globals__.get(function.__name__) if function.__qualname__ == function.__name__ else None
    if isinstance(earlier, Declaration) and (earlier._begins is None or earlier._begins.line != code.co_firstlineno):
        place = Source(code.co_filename, code.co_firstlineno)
        raise Misdeclared(f"{function.__name__} is declared twice in this module; rename one of them", place)
    object.__setattr__(made, "_begins", Source(code.co_filename, code.co_firstlineno))
    function.__globals__.setdefault(_MADE, []).append((function.__name__, made))
    return made


_MADE: Final = "__declarations__"
"""Where a module's namespace has what its functions have declared."""


def made_in(module: ModuleType) -> list[tuple[str, Declaration]]:
    """Everything that functions of a module declare, wherever it is kept, with the names of these functions."""
    return list(vars(module).get(_MADE, ()))
