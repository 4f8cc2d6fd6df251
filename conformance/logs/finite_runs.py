"""The beginning of a deployment's run, read off its logs, as a run of the statement in a finite world.

Lines are matched as validation matches them, so they come in an order that can have been. What a line names becomes a member of
the world: its first host `h1`, its second `h2`, and so on. The world has one more of each number than the run, so that what is
permitted next is seen. All agents are correct: others keep no log. Logs tell the on-demand protocol's constants; the message
queue's thresholds they do not, so its lines are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from conformance.logs.merging import merged
from conformance.logs.names import constants
from conformance.logs.reading import LogFile, Record, recalled
from conformance.logs.validate import Validation
from impl.cli.exits import Exit, Problem
from model.language import Action
from model.language.terms import Individual, Number
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.runs import executed
from model.reference.state import Element, Occurrence, Trace, initial_state
from spec.on_demand.protocol import PROTOCOL


def run_of(files: Sequence[LogFile], *, steps_max: int) -> Trace:
    """The first steps of the deployment that these logs are of, as many at most.

    Raises:
        Problem: a line is no line of a log, the logs do not conform so far, or tell no step of the on-demand protocol.
    """
    named = [line for record in _matched(files, steps_max) if (line := _step(record)) is not None]
    if not named:
        raise Problem(f"{files[0].file}: no line is about a step of {PROTOCOL.name}; name its logs", Exit.BAD_INPUT)
    members, bounds = _Members(), dict.fromkeys((number.__name__ for number in PROTOCOL.numbers), 1)
    steps = []
    for action, attributes in named[:steps_max]:
        choices: list[tuple[str, Element]] = []
        for parameter in action.parameters:
            value = attributes[parameter.name]
            if issubclass(parameter.sort, Number):
                bounds[parameter.sort.__name__] = max(bounds[parameter.sort.__name__], int(value) + 1)
            choices.append(
                (
                    parameter.name,
                    members.name(parameter.sort, value) if issubclass(parameter.sort, Individual) else value,
                )
            )
        steps.append(Occurrence(action.name, tuple(choices)))
    world = members.world(bounds)
    interpreter = Interpreter(PROTOCOL, world)
    start = Trace(PROTOCOL.name, world, (initial_state(PROTOCOL, world),), (), "The beginning of what logs tell.")
    run = executed(interpreter, start, steps)
    assert run is not None, "lines that fit are a run"
    return run


def _matched(files: Sequence[LogFile], steps_max: int) -> Iterator[Record]:
    """The lines in the order in which they fit, until so many steps are surely among them."""
    validation = Validation(protocols=[PROTOCOL])
    validation.recent = deque()
    records = merged([iter(file) for file in files], validation.joining)
    steps = 0
    for record in records:
        verdict = validation.feed(record)
        if verdict is not None:
            raise Problem(f"{record.place}: the logs do not conform there; ask ondemand validate why", verdict.exit)
        while validation.recent:
            matched = recalled(validation.recent.popleft())
            steps += _step(matched) is not None
            yield matched
            if steps >= steps_max:
                return
    verdict = validation.finish()
    yield from map(recalled, validation.recent)
    if verdict.verdict == "diverges":
        raise Problem(f"{files[0].file}: the logs do not conform; ask ondemand validate why", verdict.exit)


_ACTIONS = {f"{PROTOCOL.name}.{action.name}": action for action in PROTOCOL.actions}


def _step(record: Record) -> tuple[Action, dict[str, Any]] | None:
    """The action that a line tells of, with its choices; a restart that keeps everything is none."""
    action = _ACTIONS.get(record.line.event)
    return (action, dict(record.line.attributes)) if action is not None else None


class _Members:
    """What the lines name, by sort, each with a name in the world."""

    def __init__(self) -> None:
        self._names: dict[type[Individual], dict[str, str]] = {sort: {} for sort in PROTOCOL.sorts}

    def name(self, sort: type[Any], word: object) -> str:
        """The name of a member in the world."""
        names = self._names[sort]
        return names.setdefault(str(word), f"{sort.title[0]}{len(names) + 1}")

    def world(self, bounds: dict[str, int]) -> Configuration:
        """A world of all that was named."""
        known = constants(PROTOCOL, frozenset(), {})
        sorts = {sort.__name__: sort for sort in PROTOCOL.sorts}
        pods, hosts = self._names[sorts["Pod"]], self._names[sorts["Host"]]
        vpcs: dict[tuple[Element, ...], Element] = {
            (name,): self.name(sorts["Vpc"], known["vpc_of"](word)) for word, name in pods.items()
        }
        correct = frozenset((name,) for word, name in hosts.items() if known["correct"](word))
        members = {name: tuple(self._names[sort].values()) or (f"{sort.title[0]}1",) for name, sort in sorts.items()}
        return Configuration("logs", members, bounds, {"correct": correct, "vpc_of": vpcs})
