"""Long random runs of the statement, for tests of what makes them short."""

from __future__ import annotations

import random

from conformance.configurations import of_scenarios
from conformance.replay.driver import Cores
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector
from conformance.replay.targets import Target
from conformance.vectors.generation import RARE, WEIGHTS
from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace, initial_state

STEPS = 80
SEEDS = 120


def long_run(protocol: Protocol, interpreter: Interpreter, seed: int) -> Trace:
    """A run of 80 steps; the seed chooses how often each action is taken, and all choices."""
    generator = random.Random(seed)
    weights = {
        action.name: generator.choice(WEIGHTS) * (4 if action.takes else 1) * RARE.get(action.name, 1.0)
        for action in protocol.actions
    }
    configuration = interpreter.configuration
    states, steps = [initial_state(protocol, configuration)], list[Occurrence]()
    for _ in range(STEPS):
        by_action: dict[str, list[Occurrence]] = {}
        for occurrence in interpreter.enabled(states[-1]):
            by_action.setdefault(occurrence.action, []).append(occurrence)
        names = sorted(by_action)
        (name,) = generator.choices(names, [weights[each_name] for each_name in names])
        steps.append(generator.choice(by_action[name]))
        states.append(interpreter.apply(states[-1], steps[-1])[0])
    return Trace(protocol.name, configuration, tuple(states), tuple(steps), "A long run.")


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
