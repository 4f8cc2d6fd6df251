"""What the plain interpreter visits, breadth first: the side that every engine is compared with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from model.language import Promise, Protocol
from model.language.transient import is_transient
from model.reference.configuration import Configuration
from model.reference.cut import Cut
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Occurrence, State, initial_state

STATES_MAX: Final = 300
"""A protocol with more states is compared on the first ones."""


@dataclass(frozen=True)
class Taken:
    """A step, and the promises that it breaks: about it, or about the state that it leads to."""

    step: Occurrence
    after: State
    events: Events
    broken: frozenset[str]


@dataclass
class Reached:
    """The states, in the order of discovery."""

    interpreter: Interpreter
    states: list[State] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    steps: list[list[Taken]] = field(default_factory=list)
    """Those out of each state."""
    broken: list[frozenset[str]] = field(default_factory=list)
    """The promises about states that each state breaks."""
    claims: dict[str, int] = field(default_factory=dict)
    """The reachable claims that are reached: after how many steps; -1: in a step."""
    complete: bool = True

    @property
    def transitions(self) -> int:
        """Steps out of all states, those that change nothing too."""
        return sum(map(len, self.steps))

    @property
    def cut(self) -> dict[Cut, int]:
        """Steps that would leave the bounds, by reason."""
        return dict(Counter(why for state in self.states for why in self.interpreter.cut(state).values()))

    @property
    def violations(self) -> tuple[int, frozenset[str]] | None:
        """The length of a shortest run that breaks a promise, and all that runs of that length break."""
        found: dict[int, set[str]] = {}
        for depth, broken, steps in zip(self.depths, self.broken, self.steps, strict=True):
            found.setdefault(depth, set()).update(broken)
            for taken in steps:
                found.setdefault(depth + 1, set()).update(taken.broken)
        return next(((depth, frozenset(found[depth])) for depth in sorted(found) if found[depth]), None)


def reach(
    protocol: Protocol, configuration: Configuration, *, forget_spent: bool = False, states_max: int = STATES_MAX
) -> Reached:
    """Visits every state, or the first ones."""
    interpreter = Interpreter(protocol, configuration)
    found = Reached(interpreter)
    of_states = [promise for promise in protocol.promises if promise.kind == "always"]
    of_steps = [promise for promise in protocol.promises if promise.kind == "two-state"]
    in_states = [claim for claim in protocol.sometimes if not is_transient(claim.formula)]
    in_steps = [claim for claim in protocol.sometimes if is_transient(claim.formula)]
    start = initial_state(protocol, configuration)
    queue, known = [(start, 0)], {start}
    for state, depth in queue:  # which grows meanwhile
        if len(found.states) == states_max:
            found.complete = False
            break
        found.states.append(state)
        found.depths.append(depth)
        found.broken.append(_broken(interpreter, of_states, state))
        for claim in in_states:
            if claim.name not in found.claims and interpreter.counterexample(claim, state) is not None:
                found.claims[claim.name] = depth
        found.steps.append([])
        for step in interpreter.enabled(state):
            after, events = interpreter.apply(state, step)
            of_step: dict[str, Any] = {"after": after, "events": events}
            broken = _broken(interpreter, of_steps, state, **of_step)
            for claim in in_steps:
                if interpreter.counterexample(claim, state, **of_step) is not None:
                    found.claims[claim.name] = -1
            if forget_spent:
                after = interpreter.forget_spent(after)
            if after not in known:
                known.add(after)
                queue.append((after, depth + 1))
            found.steps[-1].append(Taken(step, after, events, broken | _broken(interpreter, of_states, after)))
    return found


def _broken(interpreter: Interpreter, promises: list[Promise], state: State, **of_step: Any) -> frozenset[str]:
    found = (promise for promise in promises if interpreter.counterexample(promise, state, **of_step) is not None)
    return frozenset(promise.name for promise in found)
