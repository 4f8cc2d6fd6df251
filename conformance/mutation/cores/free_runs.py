"""Free runs: random runs in the worlds of the vectors, with which cores are compared step by step.

There are few vectors, and each covers something. Free runs have no such purpose: they come from fixed seeds, have together as many
steps as the vectors, and draw new weights of actions for each run, so that what is rare in one is frequent in another.
"""

from __future__ import annotations

import random
from typing import Final

from conformance.configurations import of_scenarios
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector
from conformance.replay.targets import open_target
from conformance.vectors.random_runs import extended, started, weights_of
from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.runs import prefix

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
            generator = random.Random(f"{SEED} {protocol.name} {number}")
            trace = extended(
                interpreter, generator, started(protocol, interpreter), STEPS, weights_of(protocol, generator)
            )
            name = f"{trace.configuration.name} {number // len(settings) + 1}"
            done = replay(trace, name, protocol, memory)
            assert done.divergence is None, f"the implementation leaves a free run: {done.divergence}"
            if done.steps:
                found.append(Vector(name, prefix(trace, done.steps), protocol, protocol))
    return found
