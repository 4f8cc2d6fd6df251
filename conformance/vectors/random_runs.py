"""Random runs, which are the same for the same generator: each step is an action picked by weight, then its choices."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from model.language import Protocol
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace, initial_state

RARE: Final[dict[str, float]] = dict.fromkeys(
    ("restart", "restart_dpm", "restart_ncm", "deregister", "time_out", "report_failed", "resend", "remind", "remove"),
    0.15,
)
"""Actions that interrupt most exchanges: with the weight of the others hardly any run would reach an answer."""

WEIGHTS: Final[Sequence[float]] = (0.1, 0.3, 1.0, 3.0)
"""Each run draws a weight for each action, so that an action is rare in some runs and frequent in others."""


def weights_of(protocol: Protocol, generator: random.Random) -> dict[str, float]:
    """The weights of the actions in one run. What takes a message weighs more."""
    return {
        action.name: generator.choice(WEIGHTS) * (4 if action.takes else 1) * RARE.get(action.name, 1.0)
        for action in protocol.actions
    }


def started(protocol: Protocol, interpreter: Interpreter) -> Trace:
    """A run without a step."""
    configuration = interpreter.configuration
    return Trace(protocol.name, configuration, (initial_state(protocol, configuration),), (), "A random run.")


def extended(
    interpreter: Interpreter, generator: random.Random, start: Trace, steps_more: int, weights: Mapping[str, float]
) -> Trace:
    """A run that goes on with so many random steps, or fewer if nothing is possible any more."""
    states, steps = list(start.states), list(start.steps)
    for _ in range(steps_more):
        by_action: dict[str, list[Occurrence]] = {}
        for occurrence in interpreter.enabled(states[-1]):
            by_action.setdefault(occurrence.action, []).append(occurrence)
        if not by_action:
            break
        names = sorted(by_action)
        (name,) = generator.choices(names, [weights[each] for each in names])
        steps.append(generator.choice(by_action[name]))
        states.append(interpreter.apply(states[-1], steps[-1])[0])
    return replace(start, states=tuple(states), steps=tuple(steps))
