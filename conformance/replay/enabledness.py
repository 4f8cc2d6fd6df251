"""What a core says that it could do, and what it does when it is told to, compared with what the specification enables.

A trace shows what is done in it, not what else could be done: a core that would report a change before all have
confirmed it follows every trace that does not ask it to. So after each step the process that took it is asked both ways.

- What it lists as due, or says that it may do, is enabled, and all of it that eventualities count on is listed. (To do less than
  is permitted is permitted; `conformance.replay.unexercised` tells.)
- What is not enabled it refuses, whatever is chosen, or does nothing.

- What else it says of its state is so: every question that a service asks is a view of it.
- A message from an unauthorized sender changes nothing.

Bounds of a configuration do not count here, since no core knows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from impl.messages import Message
from model.language import Action
from model.reference.interpreter import Interpreter
from model.reference.state import Element, State, Tuple, elements


@dataclass(frozen=True)
class UnauthorizedMessage:
    """An input that must change nothing, such as a message in another's name, or of a kind that is not for the process."""

    what: str
    hand: Callable[[], Any]
    """Hands it to the core."""
    answer: frozenset[Message] = frozenset()
    """What may be sent all the same, and has to be."""


View = tuple[str, Any, Any]
"""What a core is asked, what the specification's state says, and what the core says."""

Possible = Mapping[str, frozenset[Tuple]]
"""By the name of an `SpontaneousAction`: the choices for which it is enabled."""


@dataclass(frozen=True)
class SpontaneousAction:
    """A spontaneous action of a role, by one call of its core."""

    name: str
    actions: tuple[str, ...]
    """The specification's actions that it may be, by the core's choice."""
    parameters: tuple[str, ...]
    """The choices that the call names, in the specification's words. An agent's call does not name its own host."""


class EnabledList(NamedTuple):
    """What a core says that it could do now."""

    question: str
    spontaneous: tuple[str, ...]
    """By name; it lists what is possible of any of them."""
    said: frozenset[Tuple]


def own(name: str, *parameters: str) -> SpontaneousAction:
    """An action that is a call by itself."""
    return SpontaneousAction(name, (name,), parameters)


class Enabledness:
    """The choices of a configuration, and which of them are enabled."""

    def __init__(self, interpreter: Interpreter, spontaneous: Iterable[SpontaneousAction]) -> None:
        self._interpreter = interpreter
        self._owns = tuple(spontaneous)
        actions = {action.name: action for action in interpreter.protocol.actions}
        self._actions = {each_own.name: actions[each_own.actions[0]] for each_own in self._owns}
        self._each = {each_own.name: actions[each_own.actions[0]].role.each is not None for each_own in self._owns}
        self._places = {
            (each_own.name, name): tuple(
                [parameter.name for parameter in actions[name].parameters].index(part) for part in each_own.parameters
            )
            for each_own in self._owns
            for name in each_own.actions
        }
        sorts = {
            each_own.name: {parameter.name: parameter.sort for parameter in actions[each_own.actions[0]].parameters}
            for each_own in self._owns
        }
        self.choices: Mapping[str, tuple[Tuple, ...]] = {
            each_own.name: tuple(
                product(
                    *(elements(sorts[each_own.name][part], interpreter.configuration) for part in each_own.parameters)
                )
            )
            for each_own in self._owns
        }
        """By the name of an `SpontaneousAction`: everything that may be chosen."""
        self._roles = {
            each_own.name: "" if self._each[each_own.name] else actions[each_own.actions[0]].role.name.lower()
            for each_own in self._owns
        }

    def action(self, own: SpontaneousAction) -> Action:
        """The action, or the first of those that it may be."""
        return self._actions[own.name]

    def differing(self, listing: EnabledList, possible: Possible) -> tuple[list[Tuple], list[Tuple]]:
        """What a core has to list and does not, and what it lists and must not."""
        _, spontaneous, listed = listing
        if len(spontaneous) == 1 and listed == possible[spontaneous[0]]:
            return [], []  # nearly always, and asked at every step
        fair = [item for item in spontaneous if self._actions[item].fair]
        wanted = frozenset[Tuple]().union(*(possible[item] for item in fair))
        permitted = frozenset[Tuple]().union(*(possible[item] for item in spontaneous))
        return sorted(wanted - listed), sorted(listed - permitted)

    @lru_cache(maxsize=64)  # noqa: B019 # it is asked for at every step, and kept no longer than its configuration
    def spontaneous_of(self, process: str, hosts: tuple[Element, ...]) -> tuple[SpontaneousAction, ...]:
        """The spontaneous actions of a process."""
        role = "" if process in hosts else process
        return tuple(each_own for each_own in self._owns if self._roles[each_own.name] == role)

    def possible(self, process: str, spontaneous: Iterable[SpontaneousAction], state: State) -> Possible:
        """What is enabled for a process."""
        found = {}
        for item in spontaneous:
            keys: set[Tuple] = set()
            for name in item.actions:
                places = self._places[item.name, name]
                for choices in self._interpreter.guarded(state, name):
                    if not self._each[item.name] or choices[0] == process:
                        keys.add(tuple(choices[place] for place in places))
            found[item.name] = frozenset(keys)
        return found


@lru_cache(maxsize=32)
def enabledness(interpreter: Interpreter, spontaneous: tuple[SpontaneousAction, ...]) -> Enabledness:
    """One for all runs of a configuration."""
    return Enabledness(interpreter, spontaneous)
