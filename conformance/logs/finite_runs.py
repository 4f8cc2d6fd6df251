"""The beginning of a deployment's run, read from its logs, as a run of the statement in a finite configuration.

Lines are matched as in validation, so they come in causal order. Names in lines become members of the configuration: the first
host is `h1`, the second `h2`, and so on. Each number has a bound one above the run's maximum, so that the next permitted steps
exist. All agents are correct: Byzantine ones keep no log. Logs contain the constants of the on-demand protocol but not the
thresholds of the message queue, so lines of the message queue are skipped.
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
    """The first steps of the deployment that wrote these logs, at most `steps_max`.

    Raises:
        Problem: a line is invalid, the logs do not conform up to there, or contain no step of the on-demand protocol.
    """
    named = [line for record in _matched(files, steps_max) if (line := _step(record)) is not None]
    if not named:
        raise Problem(f"{files[0].file}: no line records a step of {PROTOCOL.name}; name its logs", Exit.BAD_INPUT)
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
    configuration = members.configuration(bounds)
    interpreter = Interpreter(PROTOCOL, configuration)
    state = initial_state(PROTOCOL, configuration)
    start = Trace(PROTOCOL.name, configuration, (state,), (), "The beginning of the run in the logs.")
    run = executed(interpreter, start, steps)
    assert run is not None, "matched lines form a run"
    return run


def _matched(files: Sequence[LogFile], steps_max: int) -> Iterator[Record]:
    """The matched lines in causal order, until they contain `steps_max` steps."""
    validation = Validation(protocols=[PROTOCOL])
    validation.recent = deque()
    records = merged([iter(file) for file in files], validation.causal_order)
    steps = 0
    for record in records:
        verdict = validation.feed(record)
        if verdict is not None:
            raise Problem(
                f"{record.place}: the logs do not conform there; run ondemand validate for the reason", verdict.exit
            )
        while validation.recent:
            matched = recalled(validation.recent.popleft())
            steps += _step(matched) is not None
            yield matched
            if steps >= steps_max:
                return
    verdict = validation.finish()
    yield from map(recalled, validation.recent)
    if verdict.verdict == "diverges":
        raise Problem(f"{files[0].file}: the logs do not conform; run ondemand validate for the reason", verdict.exit)


_ACTIONS = {f"{PROTOCOL.name}.{action.name}": action for action in PROTOCOL.actions}


def _step(record: Record) -> tuple[Action, dict[str, Any]] | None:
    """The action that a line records, with its choices; None for stutters, such as a restart that keeps all state."""
    action = _ACTIONS.get(record.line.event)
    return (action, dict(record.line.attributes)) if action is not None else None


class _Members:
    """The names in lines, by sort, with their names in the configuration."""

    def __init__(self) -> None:
        self._names: dict[type[Individual], dict[str, str]] = {sort: {} for sort in PROTOCOL.sorts}

    def name(self, sort: type[Any], logged: object) -> str:
        """The member for a name in a line."""
        names = self._names[sort]
        return names.setdefault(str(logged), f"{sort.title[0]}{len(names) + 1}")

    def configuration(self, bounds: dict[str, int]) -> Configuration:
        """A configuration of all names so far."""
        known = constants(PROTOCOL, frozenset(), {})
        sorts = {sort.__name__: sort for sort in PROTOCOL.sorts}
        pods, hosts = self._names[sorts["Pod"]], self._names[sorts["Host"]]
        vpcs: dict[tuple[Element, ...], Element] = {
            (name,): self.name(sorts["Vpc"], known["vpc_of"](logged)) for logged, name in pods.items()
        }
        correct = frozenset((name,) for logged, name in hosts.items() if known["correct"](logged))
        members = {name: tuple(self._names[sort].values()) or (f"{sort.title[0]}1",) for name, sort in sorts.items()}
        return Configuration("logs", members, bounds, {"correct": correct, "vpc_of": vpcs})
