"""Vectors: traces that together cover every goal of `conformance.vectors.coverage`, found by random runs from fixed seeds.

A run goes on from where an earlier one reached something new; from all of them the few that cover everything are kept, each cut
behind the last goal that it is kept for. The result depends on the protocol, the worlds and the seed alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conformance.replay.lockstep import replay
from conformance.replay.replays import vectors_of
from conformance.replay.targets import Target, open_target
from conformance.vectors import message_queue_scenarios as queue_stories
from conformance.vectors import on_demand_scenarios
from conformance.vectors.coverage import Coverage, crash_actions, goals
from model.language import Protocol
from model.reference import itf
from model.reference.configuration import Configuration, load
from model.reference.interpreter import Interpreter
from model.reference.runs import executed, prefix
from model.reference.state import Occurrence, State, Trace, initial_state

STEPS_MORE: Final = 14
"""Steps that a run adds to its beginning."""
TOLD_ONLY: Final = frozenset({"three-hosts", "a-group"})
"""Worlds for stories only: random runs would spread over them without reaching anything new."""
DELIVERIES_MORE: Final = 3
"""Steps at most that a chosen run goes on delivering what is under way, so that most steps of vectors are about messages."""
RUNS: Final = 30_000
LOOK_EVERY: Final = 2_000
"""Runs between two looks ahead."""
SEED: Final = 20260101

UNREACHABLE: Final[dict[str, str]] = {
    f"pair:restart:{second}": "an agent that has just started knows nothing: all that it can do next is learn"
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
"""Goals that no run can reach, each with the reason."""


SCENARIOS: Final = {"on-demand": on_demand_scenarios.SCENARIOS, "message-queue": queue_stories.SCENARIOS}
"""Beginnings, by protocol."""
KEPT: Final = {"on-demand": on_demand_scenarios.KEPT, "message-queue": queue_stories.KEPT}
"""Whole runs, by protocol."""


@dataclass(frozen=True)
class Candidate:
    """A run and the goals it reaches, with the step that reaches each."""

    trace: Trace
    goals: dict[str, int]


def wanted_goals(protocol: Protocol) -> set[str]:
    """What the vectors have to cover."""
    return goals(protocol) - set(UNREACHABLE)


def worlds(protocol: Protocol) -> list[Configuration]:
    """The configurations that vectors are runs of."""
    return [load(path, protocol) for path in sorted(worlds_of(protocol).glob("*.toml"))]


def worlds_of(protocol: Protocol) -> Path:
    """The folder of those configurations."""
    return vectors_of(protocol) / "worlds"


def vectors(protocol: Protocol, progress: Callable[[int, int], None] | None = None) -> list[tuple[str, Trace]]:
    """The vectors, by name.

    Raises:
        AssertionError: a goal is not reached, and is not in `UNREACHABLE`.
    """
    candidates = list(_candidates(protocol, progress))
    deliveries = {action.name for action in protocol.actions if action.takes}
    open_goals = wanted_goals(protocol)
    chosen: list[Candidate] = []
    while True:
        best = max(candidates, key=lambda candidate: _worth(candidate, open_goals, deliveries))
        gained = open_goals & set(best.goals)
        if not gained:
            break
        open_goals -= gained
        chosen.append(_drained(_cut(best, gained), protocol, gained))
    assert not open_goals, f"no run reaches {', '.join(sorted(open_goals))}"
    named = []
    for number, trace in enumerate([*(item.trace for item in chosen), *_kept(protocol)], start=1):
        named.append((f"{number:02}-{trace.configuration.name}", trace))
    return named


def _kept(protocol: Protocol) -> Iterator[Trace]:
    """The stories that are vectors as they are."""
    found = {each_world.name: each_world for each_world in worlds(protocol)}
    for world, story, about in KEPT[protocol.name]:
        interpreter = Interpreter(protocol, found[world])
        start = Trace(protocol.name, found[world], (initial_state(protocol, found[world]),), (), about)
        yield _told(protocol, interpreter, start, story)


def _worth(candidate: Candidate, wanted: set[str], deliveries: set[str]) -> float:
    """New goals for each step that they cost. A step that delivers nothing costs twice: vectors are about messages."""
    gained = wanted & set(candidate.goals)
    if not gained:
        return 0.0
    steps = candidate.trace.steps[: max(candidate.goals[goal] for goal in gained) + 1]
    return len(gained) / (4 + sum(1 if step.action in deliveries else 2 for step in steps))


def _cut(candidate: Candidate, gained: set[str]) -> Candidate:
    length = max(candidate.goals[goal] for goal in gained) + 1
    trace = prefix(candidate.trace, length)
    kinds = sorted({goal.split(":")[0] for goal in gained})
    description = f"{trace.configuration.doc} Covers {len(gained)} goals ({', '.join(kinds)})."
    return Candidate(replace(trace, description=description), candidate.goals)


def _drained(candidate: Candidate, protocol: Protocol, gained: set[str]) -> Candidate:
    """Goes on with what is still under way, as on a network that has time; not where it is to be lost."""
    trace, interpreter = candidate.trace, Interpreter(protocol, candidate.trace.configuration)
    passing = {message for message in protocol.messages if not message.lasting}
    taking = {action.name for action in protocol.actions if any(take.symbol in passing for take in action.takes)}
    if any(goal.endswith(":lost") for goal in gained):
        return candidate
    for _ in range(DELIVERIES_MORE):
        possible = (item for item in interpreter.enabled(trace.states[-1]) if item.action in taking)
        step = next(possible, None)
        longer = executed(interpreter, trace, (step,)) if step is not None else None
        if longer is None:
            break
        trace = longer
    return replace(candidate, trace=trace)


_Explorer = tuple[Interpreter, Coverage, list[Trace]]
"""A world with what it takes to run in it, and the beginnings found there."""


def _candidates(protocol: Protocol, progress: Callable[[int, int], None] | None) -> Iterator[Candidate]:
    """Runs that reached something new. Each goes on from where an earlier one did: what is rare becomes a beginning."""
    wanted = wanted_goals(protocol)
    seen: set[str] = set()
    with open_target("memory") as memory:
        explorers: list[_Explorer] = []
        for configuration in worlds(protocol):
            if configuration.name in TOLD_ONLY:
                continue
            interpreter = Interpreter(protocol, configuration)
            coverage = Coverage(protocol, interpreter)
            start = Trace(protocol.name, configuration, (initial_state(protocol, configuration),), ())
            beginnings = [start]
            for world, story in SCENARIOS[protocol.name]:
                if world == configuration.name:
                    told = _told(protocol, interpreter, start, story)
                    reached = {goal: step for step, goal in coverage.of(told) if goal in wanted}
                    seen |= set(reached)
                    yield Candidate(told, reached)
                    beginnings.append(told)
            explorers.append((interpreter, coverage, beginnings))
        for number in range(RUNS):
            if progress is not None:
                progress(number, RUNS)
            generator = random.Random(f"{SEED} {number}")
            interpreter, coverage, beginnings = explorers[number % len(explorers)]
            beginning, weights = _aim(protocol, generator, beginnings, sorted(wanted - seen))
            trace = _run(interpreter, generator, beginning, weights)
            # A run that asks for something that cannot be arranged ends before it.
            reached = {goal: step for step, goal in coverage.of(trace) if goal in wanted}
            if not set(reached) - seen:
                continue
            result = replay(trace, f"run {number}", protocol, memory)
            assert result.divergence is None, result.divergence
            trace = prefix(trace, result.steps)
            reached = {goal: step for step, goal in coverage.of(trace) if goal in wanted}
            new = set(reached) - seen
            if new:
                seen |= new
                yield Candidate(trace, reached)
                beginnings += [_shrunk(interpreter, coverage, trace, goal, reached[goal]) for goal in sorted(new)]
            if seen == wanted:
                return
            if (number + 1) % LOOK_EVERY == 0:
                for item in _look_ahead(protocol, explorers, wanted - seen, memory):
                    seen |= set(item.goals)
                    yield item


def _look_ahead(
    protocol: Protocol, explorers: list[_Explorer], still_open: set[str], memory: Target
) -> Iterator[Candidate]:
    """From every state of every beginning: the one or two actions that an open goal names."""
    sequences = {goal: _sequences(protocol, goal) for goal in sorted(still_open)}
    for interpreter, coverage, beginnings in explorers:
        for trace in list(beginnings):
            for length in range(len(trace.steps) + 1):
                enabled = interpreter.enabled(trace.states[length])
                for goal in [goal for goal, options in sequences.items() if options]:
                    for steps in _follow(interpreter, coverage, trace.states[length], enabled, sequences[goal]):
                        longer = executed(interpreter, prefix(trace, length), steps)
                        assert longer is not None
                        reached = {one: step for step, one in coverage.of(longer)}
                        if goal in reached and replay(longer, goal, protocol, memory).verdict == "conforms":
                            beginnings.append(longer)
                            for done in set(reached) & set(sequences):
                                del sequences[done]
                            yield Candidate(
                                longer, {one: step for one, step in reached.items() if one in goals(protocol)}
                            )
                            break


def _sequences(protocol: Protocol, goal: str) -> list[tuple[str, ...]]:
    """The actions in a row that may reach a goal."""
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


def _told(protocol: Protocol, interpreter: Interpreter, start: Trace, story: str) -> Trace:
    """The run that a story tells."""
    actions = {action.name: action for action in protocol.actions}
    steps = []
    for line in story.replace("\n", ";").split(";"):
        if line.strip():
            name, *choices = line.split()
            pairs = zip(actions[name].parameters, choices, strict=True)
            steps.append(
                Occurrence(name, tuple((one.name, int(value) if value.isdigit() else value) for one, value in pairs))
            )
    told = executed(interpreter, start, steps)
    assert told is not None, f"the story is not possible: {story}"
    return told


def _shrunk(interpreter: Interpreter, coverage: Coverage, trace: Trace, goal: str, step: int) -> Trace:
    """A run that still reaches the goal with its last step, without the steps that are not needed for it."""
    steps = list(trace.steps[: step + 1])
    start = prefix(trace, 0)
    for place in range(len(steps) - 2, -1, -1):
        shorter = executed(interpreter, start, (*steps[:place], *steps[place + 1 :]))
        if shorter is not None and goal in {one for _, one in coverage.of(shorter)}:
            steps = list(shorter.steps)
    found = executed(interpreter, start, tuple(steps))
    assert found is not None
    return found


def _aim(
    protocol: Protocol, generator: random.Random, beginnings: list[Trace], still_open: list[str]
) -> tuple[Trace, dict[str, float]]:
    """A beginning and weights; for a goal that speaks of two actions in a row, ones that make the second likely after the first."""
    weights = {
        action.name: generator.choice(WEIGHTS) * (4 if action.takes else 1) * RARE.get(action.name, 1.0)
        for action in protocol.actions
    }
    ready = {beginning.steps[-1].action for beginning in beginnings if beginning.steps}
    near = [goal for goal in still_open if goal.split(":")[1] in ready] or still_open
    goal = generator.choice(near).split(":")
    ended = [beginning for beginning in beginnings if beginning.steps and beginning.steps[-1].action == goal[1]]
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
    return generator.choice(beginnings), weights


def _run(interpreter: Interpreter, generator: random.Random, beginning: Trace, weights: dict[str, float]) -> Trace:
    """One run: each step picks an action among the enabled ones by weight, then its choices."""
    states, steps = list(beginning.states), list(beginning.steps)
    for _ in range(STEPS_MORE):
        by_action: dict[str, list[Occurrence]] = {}
        for occurrence in interpreter.enabled(states[-1]):
            by_action.setdefault(occurrence.action, []).append(occurrence)
        names = sorted(by_action)
        (name,) = generator.choices(names, [weights[each_name] for each_name in names])
        occurrence = generator.choice(by_action[name])
        states.append(interpreter.apply(states[-1], occurrence)[0])
        steps.append(occurrence)
    return replace(beginning, states=tuple(states), steps=tuple(steps))


RARE: Final[dict[str, float]] = dict.fromkeys(
    ("restart", "restart_dpm", "restart_ncm", "deregister", "time_out", "report_failed", "resend", "remind", "remove"),
    0.15,
)
"""Actions that end most stories: with the weight of the others hardly any run would get as far as an answer."""

WEIGHTS: Final[Sequence[float]] = (0.1, 0.3, 1.0, 3.0)
"""Each run draws the weight of each action: some are rare in one run and frequent in another."""


def write_vectors(
    protocol: Protocol, folder: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> int:
    """Writes all vectors anew, into their own folder unless told otherwise; returns how many."""
    made = vectors(protocol, progress)
    folder = folder or vectors_of(protocol)
    for old in folder.glob("*.itf.json"):
        old.unlink()
    for name, trace in made:
        itf.write(trace, folder / f"{name}.itf.json", protocol)
    return len(made)
