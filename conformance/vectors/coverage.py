"""Coverage goals of vectors, and the goals that a trace covers. Goals are derived from the protocol: a new action is a new goal.

| goal | meaning |
|---|---|
| `action:A` | A is taken |
| `edge:L:s>t` | some instance of lifecycle L moves from s to t |
| `crash:A:point` | a process crashes at this point of its work, after A |
| `shape:M:late` | M is taken five steps or more after it was sent |
| `shape:M:twice` | M is taken again |
| `shape:M:overtaken` | M is taken after another message to the same reader that was sent later |
| `shape:M:lost` | M is never taken |
| `pair:A:B` | the same process takes A, then B, and B's guard reads what A changes |
| `sometimes:S` | S is reached |
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from typing import Any, Final

from conformance.vectors.expectations import EVENT, NOT, REACHES, call
from impl.cli.console import listed
from model.language import Action, Message, Protocol, Role
from model.language.terms import Constant, Enumeration
from model.language.transition import changed, symbols
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Trace, Tuple

LATE_STEPS: Final = 5


def crash_actions(protocol: Protocol) -> dict[Role, Action]:
    """The crash actions by role: actions that change nothing and whose only parameter is the crash point `after`."""
    return {
        action.role: action
        for action in protocol.actions
        if not action.changes and len(action.parameters) == 1 and action.parameters[0].name == "after"
    }


def goals(protocol: Protocol) -> set[str]:
    """All coverage goals of a protocol."""
    found = {f"action:{action.name}" for action in protocol.actions}
    found |= {f"sometimes:{sometime.name}" for sometime in protocol.sometimes}
    found |= {goal for action in protocol.actions for goal in _edges(action)}
    crashes = crash_actions(protocol)
    for role, crash in crashes.items():
        points = elements_of(crash)
        for action in protocol.actions:
            if action.role is role and action is not crash:
                found |= {f"crash:{action.name}:{point}" for point in points}
    taken = {take.symbol for action in protocol.actions for take in action.takes}
    for message in protocol.messages:
        if message in taken:
            found |= {f"shape:{message.name}:{shape}" for shape in ("late", "overtaken", "lost")}
            if message.lasting:
                found.add(f"shape:{message.name}:twice")
    for first, second in product(protocol.actions, repeat=2):
        if first.role is second.role and _matters(first, second):
            found.add(f"pair:{first.name}:{second.name}")
    return found


def elements_of(crash: Action) -> tuple[str, ...]:
    """The crash points of a crash action."""
    sort = crash.parameters[0].sort
    assert issubclass(sort, Enumeration)
    return tuple(sort.names())


def _edges(action: Action) -> Iterator[str]:
    for move in action.moves:
        names = move.lifecycle.states.names()
        for source, target in product(move.sources, move.targets):
            assert isinstance(source, Constant)
            assert isinstance(target, Constant)
            before, after = names[source.value], names[target.value]
            if before != after:
                yield f"edge:{move.lifecycle.name}:{before}>{after}"


def _matters(first: Action, second: Action) -> bool:
    read = set().union(*(symbols(node) for node in second.guard))
    return bool({item for item in read if not isinstance(item, Message)} & changed(first))


_TELLING: Final = ("sometimes", "crash", "shape", "edge", "pair", "action")
"""The kinds of goals; what tells most comes first."""

_SHAPES: Final = {"late": "comes late", "twice": "comes twice", "overtaken": "is overtaken", "lost": "is lost"}

GOALS_SHOWN: Final = 4
"""The most goals that a claim names."""


def _phrase(goal: str) -> str:
    """A goal in words."""
    kind, name, *rest = goal.split(":")
    match kind:
        case "crash":
            return f"a crash ({rest[0]}) after {name}"
        case "shape":
            return f"{name} {_SHAPES[rest[0]]}"
        case "edge":
            return f"{name} from {rest[0].replace('>', ' to ')}"
        case "pair":
            return f"{name}, then {rest[0]}"
        case _:
            return name.replace("_", " ") if kind == "sometimes" else name


class Coverage:
    """Computes the goals that traces of one configuration cover."""

    def __init__(self, protocol: Protocol, interpreter: Interpreter) -> None:
        self._protocol = protocol
        self._interpreter = interpreter
        self._actions = {action.name: action for action in protocol.actions}
        self._crashes = {action.name: role for role, action in crash_actions(protocol).items()}

    def of(self, trace: Trace) -> list[tuple[int, str]]:
        """The goals of a trace, each with the first step that reaches it, from 0."""
        found: dict[str, int] = {}
        last: dict[str, str] = {}
        sent: dict[tuple[str, Tuple], int] = {}
        taken: dict[tuple[str, Tuple], int] = {}
        for number, step in enumerate(trace.steps):
            before, after = trace.states[number], trace.states[number + 1]
            for goal in self._goals_of_step(step, before, after, last):
                found.setdefault(goal, number)
            for goal in self._shapes(number, step, before, sent, taken):
                found.setdefault(goal, number)
            for message in self._protocol.messages:
                for relation in after.relations[message.name] - before.relations[message.name]:
                    sent.setdefault((message.name, relation), number)
        for name, relation in sent:
            if (name, relation) not in taken:
                found.setdefault(f"shape:{name}:lost", len(trace.steps) - 1)
        return sorted((number, goal) for goal, number in found.items())

    def _goals_of_step(self, step: Occurrence, before: State, after: State, last: dict[str, str]) -> Iterator[str]:
        action = self._actions[step.action]
        yield f"action:{action.name}"
        process = self.process(step)
        if step.action in self._crashes:
            if last.get(process, "") not in ("", step.action):
                yield f"crash:{last[process]}:{dict(step.choices)['after']}"
        elif process in last and last[process] not in self._crashes and _matters(self._actions[last[process]], action):
            yield f"pair:{last[process]}:{action.name}"
        last[process] = step.action
        for goal, _ in self.edges(step, before, after):
            yield goal
        _, events = self._interpreter.apply(before, step)
        for sometime in self._protocol.sometimes:
            if self._interpreter.counterexample(sometime, before, after=after, events=events) is not None:
                yield f"sometimes:{sometime.name}"

    def edges(self, step: Occurrence, before: State, after: State) -> Iterator[tuple[str, str]]:
        """The edges of lifecycles that a step goes along: the goal, and the expectation that says where each ends."""
        for lifecycle in dict.fromkeys(move.lifecycle for move in self._actions[step.action].moves):
            for environment in self._interpreter.environments(lifecycle.parameters):
                source = self._interpreter.evaluate(lifecycle.value.node, before, environment)
                target = self._interpreter.evaluate(lifecycle.value.node, after, environment)
                if source != target:
                    yield (
                        f"edge:{lifecycle.name}:{source}>{target}",
                        f"{call(lifecycle.name, tuple(environment.values()))} = {target}",
                    )

    def _shows(self, trace: Trace, number: int, goal: str) -> list[str]:
        """The expectations that show that a step, from 0 on, reaches a goal."""
        kind, name, *_ = goal.split(":")
        if kind == "sometimes":
            return [f"{REACHES} {name}"]
        # A crash changes nothing: what was done before it has to be there still.
        shown = number
        while shown and trace.states[shown] == trace.states[shown + 1]:
            shown -= 1
        step, before, after = trace.steps[shown], trace.states[shown], trace.states[shown + 1]
        edges = dict(self.edges(step, before, after))
        if kind == "edge":
            return [edges[goal]]
        _, events = self._interpreter.apply(trace.states[number], trace.steps[number])
        happened = [f"{EVENT} {call(event, arguments)}" for event, arguments in sorted(events)]
        return happened or [*edges.values(), *self._effects(before, after)][:1]

    def _effects(self, before: State, after: State) -> Iterator[str]:
        """What a step changes, as expectations."""
        for symbol in self._protocol.symbols:
            name = symbol.name
            if name in after.functions:
                was, table = before.functions[name], after.functions[name]
                yield from (f"{call(name, key)} = {value}" for key, value in table.items() if was[key] != value)
            elif name in after.relations:
                was_in, is_in = before.relations[name], after.relations[name]
                yield from (call(name, each) for each in sorted(is_in - was_in))
                yield from (f"{NOT} {call(name, each)}" for each in sorted(was_in - is_in))

    def described(self, trace: Trace, reached: Collection[tuple[int, str]]) -> tuple[str, dict[int, list[str]]]:
        """What a trace is kept for: a claim, and what is expected of its steps, by their numbers from 1 on.

        `reached`: the goals that it is kept for, each with its step, from 0 on.
        """
        expected: dict[int, list[str]] = {}
        for number, goal in reached:
            said = expected.setdefault(number + 1, [])
            said += [each for each in self._shows(trace, number, goal) if each not in said]
        ordered = sorted((goal for _, goal in reached), key=lambda goal: (_TELLING.index(goal.split(":")[0]), goal))
        claim = f"The first to cover: {listed(map(_phrase, ordered), GOALS_SHOWN, '; ')}."
        return claim, {number: said for number, said in expected.items() if said}

    def _shapes(
        self,
        number: int,
        step: Occurrence,
        before: State,
        sent: dict[tuple[str, Tuple], int],
        taken: dict[tuple[str, Tuple], int],
    ) -> Iterator[str]:
        for take in self._actions[step.action].takes:
            name = take.symbol.name
            arguments = tuple(
                self._interpreter.evaluate(argument, before, dict(step.choices)) for argument in take.arguments
            )
            key = (name, arguments)
            if key in taken:
                yield f"shape:{name}:twice"
            if number - sent.get(key, number) >= LATE_STEPS:
                yield f"shape:{name}:late"
            reader = take.symbol.receiver  # type: ignore[attr-defined] # only messages are taken
            for other, when in taken.items():
                if when and sent.get(other, -1) > sent.get(key, number) and self._reader(other[0]) is reader:
                    yield f"shape:{name}:overtaken"
                    break
            taken[key] = number

    def _reader(self, message: str) -> Any:
        return next(each_message.receiver for each_message in self._protocol.messages if each_message.name == message)

    def process(self, step: Occurrence) -> str:
        """The process that takes a step: a role, or a role and its member."""
        action = self._actions[step.action]
        return action.role.name if action.role.each is None else f"{action.role.name} {step.choices[0][1]}"
