"""Vectors: traces that together cover every goal of `conformance.vectors.coverage`, found by random runs from fixed seeds.

A run continues from a point where an earlier one reached a new goal; of all runs a few that cover everything are kept, each cut
after the last goal that it is kept for. The result depends only on the protocol, the configurations and the seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from conformance.configurations import of_scenarios
from conformance.data.files import kept
from conformance.replay.lockstep import replay
from conformance.replay.replays import FOUND, read_vectors, vectors_of
from conformance.replay.targets import Target, open_target
from conformance.vectors.coverage import Coverage, crash_actions, goals
from conformance.vectors.random_runs import extended, started, weights_of
from conformance.vectors.scenario import SUFFIX, dumps
from model.language import Protocol
from model.reference.interpreter import Interpreter, interpreter_of
from model.reference.runs import executed, prefix
from model.reference.state import Occurrence, State, Trace

STEPS_MORE: Final = 14
"""Steps that a run adds to its prefix."""
SCENARIOS_ONLY: Final = frozenset({"three-hosts", "a-group", "four-fifths"})
"""Configurations for scenarios only: random runs in them would reach no new goal."""
DELIVERIES_MORE: Final = 3
"""Maximal number of deliveries added to a chosen run, so that most steps of vectors are about messages."""
RUNS: Final = 30_000
LOOK_EVERY: Final = 2_000
"""Runs between two look-ahead searches."""
SEED: Final = 20260101

UNREACHABLE: Final[dict[str, str]] = {
    f"pair:restart:{second}": "an agent that has just started knows nothing and can only learn"
    for second in (
        "ask",
        "deliver",
        "drop",
        "drop_as_gone",
        "drop_as_refused",
        "evict",
        "learn_late",
        "release",
        "resume",
        "time_out",
        "receive",
        "consume",
    )
}
"""Unreachable goals, each with the reason."""


@dataclass(frozen=True)
class Candidate:
    """A run and the goals that it reaches, with the step that reaches each."""

    trace: Trace
    goals: dict[str, int]


def wanted_goals(protocol: Protocol) -> set[str]:
    """The goals that the vectors have to cover."""
    return goals(protocol) - set(UNREACHABLE)


def vectors(
    protocol: Protocol, progress: Callable[[int, int], None] | None = None
) -> list[tuple[Trace, list[tuple[int, str]]]]:
    """The vectors, each with the goals that it is kept for and the steps, from 0 on, that reach them.

    Raises:
        AssertionError: no run reaches a goal that is not in `UNREACHABLE`.
    """
    candidates = list(_candidates(protocol, progress))
    deliveries = {action.name for action in protocol.actions if action.takes}
    open_goals = wanted_goals(protocol)
    chosen = []
    while True:
        best = max(candidates, key=lambda candidate: _worth(candidate, open_goals, deliveries))
        gained = open_goals & set(best.goals)
        if not gained:
            break
        open_goals -= gained
        reached = sorted((best.goals[goal], goal) for goal in gained)
        chosen.append((_drained(prefix(best.trace, reached[-1][0] + 1), protocol, gained), reached))
    if open_goals:
        raise AssertionError(f"no run reaches {', '.join(sorted(open_goals))}")
    return chosen


def _worth(candidate: Candidate, wanted: set[str], deliveries: set[str]) -> float:
    """New goals per step. A step that delivers nothing costs double: vectors are about messages."""
    gained = wanted & set(candidate.goals)
    if not gained:
        return 0.0
    steps = candidate.trace.steps[: max(candidate.goals[goal] for goal in gained) + 1]
    return len(gained) / (4 + sum(1 if step.action in deliveries else 2 for step in steps))


def _drained(trace: Trace, protocol: Protocol, gained: set[str]) -> Trace:
    """Delivers messages that are in flight, unless a goal requires a lost one."""
    interpreter = interpreter_of(protocol, trace.configuration)
    passing = {message for message in protocol.messages if not message.lasting}
    taking = {action.name for action in protocol.actions if any(take.symbol in passing for take in action.takes)}
    if any(goal.endswith(":lost") for goal in gained):
        return trace
    for _ in range(DELIVERIES_MORE):
        possible = (item for item in interpreter.enabled(trace.states[-1]) if item.action in taking)
        step = next(possible, None)
        longer = executed(interpreter, trace, (step,)) if step is not None else None
        if longer is None:
            break
        trace = longer
    return trace


_Explorer = tuple[Interpreter, Coverage, list[Trace]]
"""The interpreter and coverage of a configuration, and the prefixes found in it."""


def _candidates(protocol: Protocol, progress: Callable[[int, int], None] | None) -> Iterator[Candidate]:
    """Runs that reached new goals. Each continues from where an earlier one did: rare situations become prefixes."""
    wanted = wanted_goals(protocol)
    seen: set[str] = set()
    with open_target("memory") as memory:
        explorers: list[_Explorer] = []
        seeds = read_vectors([kept("seeds", protocol.name)], protocol)
        for configuration in of_scenarios(protocol):
            if configuration.name in SCENARIOS_ONLY:
                continue
            interpreter = interpreter_of(protocol, configuration)
            coverage = Coverage(protocol, interpreter)
            start = started(protocol, interpreter)
            prefixes = [start]
            for seed in (seed.trace for seed in seeds if seed.trace.configuration == configuration.whole()):
                run = replace(seed, configuration=configuration)
                reached = {goal: step for step, goal in coverage.of(run) if goal in wanted}
                seen |= set(reached)
                yield Candidate(run, reached)
                prefixes.append(run)
            explorers.append((interpreter, coverage, prefixes))
        for number in range(RUNS):
            if progress is not None:
                progress(number, RUNS)
            generator = random.Random(f"{SEED} {number}")
            interpreter, coverage, prefixes = explorers[number % len(explorers)]
            start, weights = _aim(protocol, generator, prefixes, sorted(wanted - seen))
            trace = extended(interpreter, generator, start, STEPS_MORE, weights)
            # A run is cut before a step that the replay cannot arrange.
            reached = {goal: step for step, goal in coverage.of(trace) if goal in wanted}
            if not set(reached) - seen:
                continue
            result = replay(trace, f"run {number}", protocol, memory)
            if result.divergence is not None:
                raise AssertionError(f"the implementation diverges in {result.divergence}")
            trace = prefix(trace, result.steps)
            reached = {goal: step for step, goal in coverage.of(trace) if goal in wanted}
            new = set(reached) - seen
            if new:
                seen |= new
                yield Candidate(trace, reached)
                prefixes += [_shrunk(interpreter, coverage, trace, goal, reached[goal]) for goal in sorted(new)]
            if seen == wanted:
                return
            if (number + 1) % LOOK_EVERY == 0:
                for item in _look_ahead(protocol, explorers, wanted - seen, memory):
                    seen |= set(item.goals)
                    yield item


def _look_ahead(
    protocol: Protocol, explorers: list[_Explorer], still_open: set[str], memory: Target
) -> Iterator[Candidate]:
    """Tries, from every state of every prefix, the one or two actions that an open goal names."""
    sequences = {goal: _sequences(protocol, goal) for goal in sorted(still_open)}
    for interpreter, coverage, prefixes in explorers:
        for trace in list(prefixes):
            for length in range(len(trace.steps) + 1):
                enabled = interpreter.enabled(trace.states[length])
                for goal in [goal for goal, options in sequences.items() if options]:
                    for steps in _follow(interpreter, coverage, trace.states[length], enabled, sequences[goal]):
                        longer = executed(interpreter, prefix(trace, length), steps)
                        assert longer is not None
                        reached = {found: step for step, found in coverage.of(longer)}
                        if goal in reached and replay(longer, goal, protocol, memory).verdict == "conforms":
                            prefixes.append(longer)
                            for done in set(reached) & set(sequences):
                                del sequences[done]
                            yield Candidate(
                                longer, {found: step for found, step in reached.items() if found in goals(protocol)}
                            )
                            break


def _sequences(protocol: Protocol, goal: str) -> list[tuple[str, ...]]:
    """The sequences of one or two actions that may reach a goal."""
    kind, *names = goal.split(":")
    if kind == "pair":
        return [(names[0], names[1])]
    if kind == "action":
        return [(names[0],)]
    if kind == "crash":
        return [(names[0], crash.name) for crash in crash_actions(protocol).values()]
    if kind == "edge":
        return [
            (action.name,)
            for action in protocol.actions
            if any(move.lifecycle.name == names[0] for move in action.moves)
        ]
    return []


def _follow(
    interpreter: Interpreter,
    coverage: Coverage,
    state: State,
    enabled: list[Occurrence],
    options: list[tuple[str, ...]],
) -> Iterator[tuple[Occurrence, ...]]:
    for option in options:
        for first in enabled:
            if first.action != option[0]:
                continue
            if len(option) == 1:
                yield (first,)
                continue
            for second in interpreter.enabled(interpreter.apply(state, first)[0]):
                if second.action == option[1] and coverage.process(first) == coverage.process(second):
                    yield first, second


def _shrunk(interpreter: Interpreter, coverage: Coverage, trace: Trace, goal: str, step: int) -> Trace:
    """The run without the steps that are not needed to reach the goal with the last step."""
    steps = list(trace.steps[: step + 1])
    start = prefix(trace, 0)
    for place in range(len(steps) - 2, -1, -1):
        shorter = executed(interpreter, start, (*steps[:place], *steps[place + 1 :]))
        if shorter is not None and goal in {reached for _, reached in coverage.of(shorter)}:
            steps = list(shorter.steps)
    found = executed(interpreter, start, tuple(steps))
    assert found is not None
    return found


def _aim(
    protocol: Protocol, generator: random.Random, prefixes: list[Trace], still_open: list[str]
) -> tuple[Trace, dict[str, float]]:
    """A prefix and weights; for a goal of two actions in a row, such that the second is likely after the first."""
    weights = weights_of(protocol, generator)
    ready = {start.steps[-1].action for start in prefixes if start.steps}
    near = [goal for goal in still_open if goal.split(":")[1] in ready] or still_open
    goal = generator.choice(near).split(":")
    ended = [start for start in prefixes if start.steps and start.steps[-1].action == goal[1]]
    if goal[0] in ("pair", "crash") and ended and generator.random() < 0.8:
        roles = {action.name: action.role for action in protocol.actions}
        for action in protocol.actions:
            if action.role is roles[goal[1]]:
                weights[action.name] *= 0.02
        if goal[0] == "pair":
            weights[goal[2]] = 100.0
        else:
            weights |= {action.name: 100.0 for action in crash_actions(protocol).values()}
        return generator.choice(ended), weights
    if goal[0] == "action":
        weights[goal[1]] = 30.0
    return generator.choice(prefixes), weights


def write_vectors(protocol: Protocol, progress: Callable[[int, int], None] | None = None) -> None:
    """Generates the vectors, and writes them in place of those that were found before."""
    made = vectors(protocol, progress)
    folder = vectors_of(protocol) / FOUND
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"*{SUFFIX}"):
        old.unlink()
    for number, (trace, reached) in enumerate(made, start=1):
        coverage = Coverage(protocol, interpreter_of(protocol, trace.configuration))
        claim, expected = coverage.described(trace, reached)
        text = dumps(replace(trace, description=claim), protocol, expected=expected)
        (folder / f"{number:02}-{trace.configuration.name}{SUFFIX}").write_text(text, encoding="utf-8")
