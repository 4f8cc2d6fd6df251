"""The step that fits an observation with the fewest fields changed.

An observation states its choices, the messages that it sent, and entries of the state after it. An enabled step differs from it in
some of these; the nearest step differs in the fewest. The search first tries the same action unchanged, and the other actions that
take the same message; then with one choice changed, then two, and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from model.explaining.reasons import Message, taken_message
from model.explaining.scene import Environment, Scene
from model.language import Action
from model.language.terms import Variable
from model.language.walk import free
from model.matching.compiled import Changes
from model.reference.state import Element, Tuple

TRIED_MAX: Final = 200
"""Choices tried for one action and one set of open parameters."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a step was observed to do."""

    action: str
    choices: Mapping[str, Element]
    """By parameter; some may be missing."""
    sent: tuple[Tuple, ...] | None = None
    """Messages, each as its name and arguments; None: not stated."""
    after: Mapping[str, tuple[tuple[Any, ...], ...]] | None = None
    """Entries by symbol: the arguments, then the value."""
    took: Message | None = None
    """The message that it took, if it is known other than from its choices."""


TOOK: Final = "message taken"
"""The field of a difference in the message that was taken."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of the observation, and its value in a step."""

    field: str
    """`action`, `attributes.version`, `sent`, `after.told(h1, red/1)`"""
    observed: Any
    """None: nothing."""
    expected: Any


@dataclass(frozen=True, slots=True)
class Nearest:
    """An enabled step, and how the observation differs from it."""

    action: str
    choices: tuple[tuple[str, Element], ...]
    differences: tuple[Difference, ...]


def given_by(action: Action, choices: Mapping[str, Element]) -> dict[Variable, Element]:
    """The known choices, by parameter."""
    return {parameter: choices[parameter.name] for parameter in action.parameters if parameter.name in choices}


def differences(scene: Scene, action: Action, choices: Tuple, seen: Observation) -> list[Difference]:
    """How the observation differs from this step: choices, messages, entries, and the message it took."""
    found: list[Difference] = []
    if action.name != seen.action:
        found.append(Difference("action", seen.action, action.name))
    for variable, value in zip(action.parameters, choices, strict=True):
        observed = seen.choices.get(variable.name)
        if observed is not None and observed != value:
            found.append(Difference(f"attributes.{variable.name}", observed, value))
    changes = scene.changes(action, choices)
    if seen.sent is not None:
        found += _of_messages(scene, changes, seen.sent)
    for name, entries in (seen.after or {}).items():
        for *arguments, value in entries:
            entry = tuple(arguments)
            expected = changes.get((name, entry), None)
            expected = scene.get(name, entry) if expected is None else expected
            if expected != value:
                place = f"after.{name}({', '.join(map(str, entry))})"
                found.append(Difference(place, value, expected))
    if seen.took is not None:
        taken = list(taken_message(scene, action, dict(zip(action.parameters, choices, strict=True))))
        found += [Difference(TOOK, message, seen.took) for message in taken if message != seen.took]
    return found


def _of_messages(scene: Scene, changes: Changes, sent: Sequence[Tuple]) -> Iterator[Difference]:
    """Messages that differ: each observed one, paired with an expected one of the same name if there is one."""
    wanted = {(name, *arguments) for (name, arguments), value in changes.items() if value and name in scene.messages}
    seen = {tuple(message) for message in sent}
    missing, odd = sorted(wanted - seen, key=str), sorted(seen - wanted, key=str)
    for message in odd:
        alike = [other for other in missing if other[0] == message[0]]
        if alike:
            other = min(alike, key=lambda other: sum(a != b for a, b in zip(message, other, strict=True)))
            missing.remove(other)
            yield Difference("sent", message, other)
        else:
            yield Difference("sent", message, None)
    for message in missing:
        yield Difference("sent", None, message)


def nearest(scene: Scene, seen: Observation) -> Nearest | None:
    """The step with the fewest differences; the first of several. None: no step of these kinds is enabled."""
    best: tuple[int, Nearest] | None = None
    for open_, action, known in _candidates(scene, seen):
        if best is not None and best[0] <= open_:
            break  # changing more choices only adds differences
        for choices in scene.choices(action, known, TRIED_MAX):
            found = differences(scene, action, choices, seen)
            if best is None or _weight(found) < best[0]:
                named = tuple(zip((parameter.name for parameter in action.parameters), choices, strict=True))
                best = _weight(found), Nearest(action.name, named, tuple(found))
    return best[1] if best else None


def _weight(found: Sequence[Difference]) -> int:
    """The size of a change: another action, or another message taken, counts as two fields; a message sent counts its fields."""
    weight = 0
    for difference in found:
        if difference.field in ("action", TOOK):
            weight += 2
        elif difference.field == "sent" and difference.observed is not None and difference.expected is not None:
            weight += sum(a != b for a, b in zip(difference.observed, difference.expected, strict=True))
        else:
            weight += 1
    return weight


def _candidates(scene: Scene, seen: Observation) -> Iterator[tuple[int, Action, Environment]]:
    """Actions with some of their choices fixed, fewer and fewer; and how many are not."""
    action = scene.actions[seen.action]
    given = given_by(action, seen.choices)
    others = list(alternatives(scene, action, given))
    for count in range(min(len(given), 3) + 1):
        for changed in combinations(given, count):
            yield count, action, {variable: value for variable, value in given.items() if variable not in changed}
        if count == 0:
            yield from ((0, other, known) for other, known in others)


def alternatives(scene: Scene, action: Action, given: Environment) -> Iterator[tuple[Action, Environment]]:
    """Other actions that take the same messages, with the choices that this determines."""
    taken = {
        take.symbol: tuple(scene.value(argument, given) for argument in take.arguments)
        for take in action.takes
        if all(free(argument) <= given.keys() for argument in take.arguments)
    }
    if not taken:
        return
    for other in scene.protocol.actions:
        if other is action or {take.symbol for take in other.takes} != set(taken) or other.role is not action.role:
            continue
        known: dict[Variable, Element] = {}
        for take in other.takes:
            for argument, value in zip(take.arguments, taken[take.symbol], strict=True):
                if isinstance(argument, Variable):
                    known[argument] = value
        yield other, known
