"""Long random runs of the statement, for tests of what makes them short."""

from __future__ import annotations

import random

from conformance.configurations import of_scenarios
from conformance.replay.cores import Cores
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector
from conformance.replay.targets import Target
from conformance.vectors.random_runs import extended, started, weights_of
from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.state import Trace

STEPS = 80
SEEDS = 120


def long_run(protocol: Protocol, interpreter: Interpreter, seed: int) -> Trace:
    """A run of 80 steps; the seed chooses how often each action is taken, and all choices."""
    generator = random.Random(seed)
    weights = weights_of(protocol, generator)
    return extended(interpreter, generator, started(protocol, interpreter), STEPS, weights)


def diverging_late(protocol: Protocol, world: str, cores: Cores, target: Target, steps_min: int = 60) -> Vector:
    """A run in which an implementation diverges, and not before this step."""
    configuration = next(each_world for each_world in of_scenarios(protocol) if each_world.name == world)
    interpreter = Interpreter(protocol, configuration)
    for seed in range(SEEDS):
        trace = long_run(protocol, interpreter, seed)
        found = replay(trace, f"run {seed}", protocol, target, cores)
        if found.divergence is not None and found.divergence.step >= steps_min:
            return Vector(f"run {seed}", trace, protocol, protocol)
    raise AssertionError("no run diverges as late as that")
