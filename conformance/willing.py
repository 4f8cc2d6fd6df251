"""What a core says that it could do, and what it does when it is told to, beside what the specification enables.

A trace shows what is done in it, and nothing of what could be done besides: a core that would report a change before all have
confirmed it follows every trace that does not ask it to. So after each step the process that took it is asked both ways.

- What it lists as due, or says that it may do, is enabled, and all of it that eventualities count on is listed. (To do less than
  is permitted is permitted; `conformance.permissive` tells.)
- What is not enabled it refuses, whatever is chosen, or does nothing.

- What else it says of its state is so: every question that a service asks is a view of it.
- What comes from a stranger changes nothing.

Bounds of a configuration do not count here: they are the world's, and no core knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from impl.messages import Message
from model.interpreter import Interpreter
from model.state import Element, State, Tuple, elements
from spec.language import Action


@dataclass(frozen=True)
class Stranger:
    """Something that must change nothing: a message in another's name or of a kind that is not for the process, for one."""

    what: str
    hand: Callable[[], Any]
    """Hands it to the core."""
    answer: frozenset[Message] = frozenset()
    """What may be sent all the same, and has to be."""


View = tuple[str, Any, Any]
"""What a core is asked, what the specification's state says, and what the core says."""

Possible = Mapping[str, frozenset[Tuple]]
"""By the name of an `Own`: the choices for which it is enabled."""


@dataclass(frozen=True)
class Own:
    """Something that a role does of its own accord, by one call of its core."""

    name: str
    actions: tuple[str, ...]
    """The specification's actions that it may be, by the core's choice."""
    parameters: tuple[str, ...]
    """The choices that the call names, in the specification's words. An agent's call does not name its own host."""


class Listing(NamedTuple):
    """What a core says that it could do now."""

    question: str
    owns: tuple[str, ...]
    """By name; it lists what is possible of any of them."""
    said: frozenset[Tuple]


def own(name: str, *parameters: str) -> Own:
    """An action that is a call by itself."""
    return Own(name, (name,), parameters)


class Willing:
    """The choices of a configuration, and which of them are enabled."""

    def __init__(self, interpreter: Interpreter, owns: Iterable[Own]) -> None:
        self._interpreter = interpreter
        self._owns = tuple(owns)
        actions = {action.name: action for action in interpreter.protocol.actions}
        self._actions = {one.name: actions[one.actions[0]] for one in self._owns}
        self._each = {one.name: actions[one.actions[0]].role.each is not None for one in self._owns}
        self._places = {
            (one.name, name): tuple(
                [parameter.name for parameter in actions[name].parameters].index(part) for part in one.parameters
            )
            for one in self._owns
            for name in one.actions
        }
        sorts = {
            one.name: {parameter.name: parameter.sort for parameter in actions[one.actions[0]].parameters}
            for one in self._owns
        }
        self.choices: Mapping[str, tuple[Tuple, ...]] = {
            one.name: tuple(
                product(*(elements(sorts[one.name][part], interpreter.configuration) for part in one.parameters))
            )
            for one in self._owns
        }
        """By the name of an `Own`: everything that may be chosen."""
        self._roles = {
            one.name: "" if self._each[one.name] else actions[one.actions[0]].role.name.lower() for one in self._owns
        }

    def action(self, own: Own) -> Action:
        """The action, or the first of those that it may be."""
        return self._actions[own.name]

    def differing(self, listing: Listing, possible: Possible) -> tuple[list[Tuple], list[Tuple]]:
        """What a core has to list and does not, and what it lists and may not."""
        _, owns, listed = listing
        if len(owns) == 1 and listed == possible[owns[0]]:
            return [], []  # nearly always, and asked at every step
        fair = [one for one in owns if self._actions[one].fair]
        wanted = frozenset[Tuple]().union(*(possible[one] for one in fair))
        permitted = frozenset[Tuple]().union(*(possible[one] for one in owns))
        return sorted(wanted - listed), sorted(listed - permitted)

    @lru_cache(maxsize=64)  # noqa: B019 # it is asked for at every step, and kept no longer than its configuration
    def owns_of(self, process: str, hosts: tuple[Element, ...]) -> tuple[Own, ...]:
        """What a process does of its own accord."""
        role = "" if process in hosts else process
        return tuple(one for one in self._owns if self._roles[one.name] == role)

    def possible(self, process: str, owns: Iterable[Own], state: State) -> Possible:
        """What is enabled for a process."""
        found = {}
        for one in owns:
            keys: set[Tuple] = set()
            for name in one.actions:
                places = self._places[one.name, name]
                for choices in self._interpreter.guarded(state, name):
                    if not self._each[one.name] or choices[0] == process:
                        keys.add(tuple(choices[place] for place in places))
            found[one.name] = frozenset(keys)
        return found


@lru_cache(maxsize=32)
def willing(interpreter: Interpreter, owns: tuple[Own, ...]) -> Willing:
    """One for all runs of a configuration."""
    return Willing(interpreter, owns)
