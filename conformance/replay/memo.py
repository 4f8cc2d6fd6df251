"""A cache of what the specification says in a state, for states that occur again.

Many implementations that follow one trace go through the same states, and each time the same is asked of the specification. A
replay remembers for itself alone, unless it is given a memo that others use too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from model.reference.state import State

T = TypeVar("T")


class Memo:
    """Answers by state and question. It grows with the states, and is never emptied."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, Hashable], tuple[State, Any]] = {}

    def get(self, state: State, question: Hashable, answer: Callable[[], T]) -> T:
        """The answer to a question about this very state, found once."""
        place = (id(state), question)
        found = self._answers.get(place)
        if found is None:
            # The state is kept too, so that no other one ever has its identity.
            found = self._answers[place] = (state, answer())
        value: T = found[1]
        return value
