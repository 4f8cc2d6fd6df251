"""What the plain interpreter visits, breadth first: the side that every engine is compared with."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from model.language import Promise, Protocol
from model.language.protocol import DEADLOCK
from model.language.terms import Formula
from model.language.transient import is_transient
from model.reference.configuration import Configuration
from model.reference.cut import Cut
from model.reference.deadlock import is_deadlock
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Occurrence, State, elements, initial_state, tuples

STATES_MAX: Final = 300
"""A protocol with more states is compared on the first ones."""


STATES_SCATTERED: Final = 12
"""How many other states are looked at."""


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
    stuck: list[bool] = field(default_factory=list)
    """Which states are deadlocks."""
    claims: dict[str, int] = field(default_factory=dict)
    """The reachable claims that are reached: after how many steps; -1: in a step."""
    complete: bool = True

    def look(self, state: State, depth: int, *, forget_spent: bool = False) -> None:
        """Adds a state, with the steps out of it. `forget_spent`: without messages that are spent after the step."""
        interpreter, promises = self.interpreter, self.interpreter.protocol.promises
        of_states = [promise for promise in promises if promise.kind == "always"]
        of_steps = [promise for promise in promises if promise.kind == "two-state"]
        self.states.append(state)
        self.depths.append(depth)
        self.broken.append(_broken(interpreter, of_states, state))
        self.stuck.append(is_deadlock(interpreter, state))
        unseen = [claim for claim in interpreter.protocol.sometimes if claim.name not in self.claims]
        for claim in unseen:
            if not is_transient(claim.formula) and interpreter.counterexample(claim, state) is not None:
                self.claims[claim.name] = depth
        steps = []
        for step in interpreter.enabled(state):
            after, events = interpreter.apply(state, step)
            of_step: dict[str, Any] = {"after": after, "events": events}
            broken = _broken(interpreter, of_steps, state, **of_step)
            for claim in unseen:
                if is_transient(claim.formula) and interpreter.counterexample(claim, state, **of_step) is not None:
                    self.claims[claim.name] = -1
            if forget_spent:
                after = interpreter.forget_spent(after)
            steps.append(Taken(step, after, events, broken | _broken(interpreter, of_states, after)))
        self.steps.append(steps)

    @property
    def transitions(self) -> int:
        """Steps out of all states, those that change nothing too."""
        return sum(map(len, self.steps))

    @property
    def deadlock(self) -> int | None:
        """The length of a shortest run to a deadlock."""
        return next((depth for depth, stuck in zip(self.depths, self.stuck, strict=True) if stuck), None)

    @property
    def soonest(self) -> tuple[int, frozenset[str]] | None:
        """The length of a shortest run to anything wrong, a deadlock too, and all that runs of that length lead to."""
        found = [] if self.violations is None else [self.violations]
        found += [] if self.deadlock is None else [(self.deadlock, frozenset({DEADLOCK}))]
        least = min((depth for depth, _ in found), default=None)
        if least is None:
            return None
        return least, frozenset().union(*(names for depth, names in found if depth == least))

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
    found = Reached(Interpreter(protocol, configuration))
    start = initial_state(protocol, configuration)
    queue, known = [(start, 0)], {start}
    for state, depth in queue:  # which grows meanwhile
        if len(found.states) == states_max:
            found.complete = False
            break
        found.look(state, depth, forget_spent=forget_spent)
        for taken in found.steps[-1]:
            if taken.after not in known:
                known.add(taken.after)
                queue.append((taken.after, depth + 1))
    return found


def scattered(protocol: Protocol, configuration: Configuration) -> Reached:
    """Any states, reachable or not, always the same ones: a proof is about them too."""
    found, chance = Reached(Interpreter(protocol, configuration), complete=False), random.Random(configuration.name)
    start = initial_state(protocol, configuration)
    changing = [symbol for symbol in protocol.symbols if symbol.kind not in ("constant", "event")]
    for _ in range(STATES_SCATTERED):
        relations, functions = dict(start.relations), dict(start.functions)
        density = chance.choice((0.1, 0.5, 0.9))
        for symbol in changing:
            every = tuples(symbol, configuration)
            if symbol.result is Formula:
                relations[symbol.name] = frozenset(key for key in every if chance.random() < density)
            else:
                values = elements(symbol.result, configuration)
                functions[symbol.name] = {key: chance.choice(values) for key in every}
        found.look(State(relations, functions), 0)
    return found


def _broken(interpreter: Interpreter, promises: list[Promise], state: State, **of_step: Any) -> frozenset[str]:
    found = (promise for promise in promises if interpreter.counterexample(promise, state, **of_step) is not None)
    return frozenset(promise.name for promise in found)
