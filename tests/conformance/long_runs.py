"""Long random runs of the statement, for tests of what makes them short."""

from __future__ import annotations

import random

from conformance.driver import Cores
from conformance.generate import RARE, WEIGHTS, worlds
from conformance.lockstep import replay
from conformance.replaying import Vector
from conformance.targets import Target
from model.interpreter import Interpreter
from model.state import Occurrence, Trace, initial_state
from spec.language import Protocol

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
        (name,) = generator.choices(names, [weights[one] for one in names])
        steps.append(generator.choice(by_action[name]))
        states.append(interpreter.apply(states[-1], steps[-1])[0])
    return Trace(protocol.name, configuration, tuple(states), tuple(steps), "A long run.")


def diverging_late(protocol: Protocol, world: str, cores: Cores, target: Target, steps_min: int = 60) -> Vector:
    """A run in which an implementation diverges, and not before this step."""
    configuration = next(one for one in worlds(protocol) if one.name == world)
    interpreter = Interpreter(protocol, configuration)
    for seed in range(SEEDS):
        trace = long_run(protocol, interpreter, seed)
        found = replay(trace, f"run {seed}", protocol, target, cores)
        if found.divergence is not None and found.divergence.step >= steps_min:
            return Vector(f"run {seed}", trace, protocol, protocol)
    raise AssertionError("no run diverges as late as that")
