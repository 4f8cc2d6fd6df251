"""Free runs: random runs in the worlds of the vectors, with which cores are compared step by step.

There are few vectors, and each covers something. Free runs have no such purpose: they come from fixed seeds, have together as many
steps as the vectors, and draw new weights of actions for each run, so that what is rare in one is frequent in another.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from conformance.configurations import of_scenarios
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector
from conformance.replay.targets import open_target
from conformance.vectors.generation import RARE, WEIGHTS
from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Trace, initial_state

RUNS: Final = 48
"""Of each protocol, over its worlds in turn."""
STEPS: Final = 60
SEED: Final = 20260202


def free_runs(protocol: Protocol) -> list[Vector]:
    """The runs. A run ends before a step that cannot be arranged."""
    found = []
    settings = of_scenarios(protocol)
    interpreters = [Interpreter(protocol, configuration) for configuration in settings]
    with open_target("memory") as memory:
        for number in range(RUNS):
            interpreter = interpreters[number % len(interpreters)]
            trace = _run(protocol, interpreter, random.Random(f"{SEED} {protocol.name} {number}"))
            name = f"{trace.configuration.name} {number // len(settings) + 1}"
            done = replay(trace, name, protocol, memory)
            assert done.divergence is None, f"the implementation leaves a free run: {done.divergence}"
            if done.steps:
                shorter = replace(trace, states=trace.states[: done.steps + 1], steps=trace.steps[: done.steps])
                found.append(Vector(name, shorter, protocol, protocol))
    return found


def _run(protocol: Protocol, interpreter: Interpreter, generator: random.Random) -> Trace:
    weights = {
        action.name: generator.choice(WEIGHTS) * (4 if action.takes else 1) * RARE.get(action.name, 1.0)
        for action in protocol.actions
    }
    states: list[State] = [initial_state(protocol, interpreter.configuration)]
    steps: list[Occurrence] = []
    while len(steps) < STEPS:
        occurrence = _next(interpreter, generator, states[-1], weights)
        if occurrence is None:
            break
        states.append(interpreter.apply(states[-1], occurrence)[0])
        steps.append(occurrence)
    return Trace(protocol.name, interpreter.configuration, tuple(states), tuple(steps), "A free run.")


def _next(
    interpreter: Interpreter, generator: random.Random, state: State, weights: Mapping[str, float]
) -> Occurrence | None:
    """An action among the enabled ones by weight, then its choices; none: nothing is possible any more."""
    by_action: dict[str, list[Occurrence]] = {}
    for occurrence in interpreter.enabled(state):
        by_action.setdefault(occurrence.action, []).append(occurrence)
    if not by_action:
        return None
    names = sorted(by_action)
    (name,) = generator.choices(names, [weights[each_name] for each_name in names])
    return generator.choice(by_action[name])
