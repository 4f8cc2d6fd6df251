"""Models of a wrong that was observed: an action that, done in the place of what the protocol does, would look the same.

Something else was seen than the protocol does with an input, a message or what a role does of its own accord. Suspects are the
actions with that input in which one thing is otherwise: parts of the guard that are false there do not count, changes are not
made, or are made though a part of their condition is false; and the protocol's own variants. A hypothesis explains what was seen if
it leads to a state that differs in the same symbol, and explains it exactly if the difference is the very same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from model.language import Action, Promise, Protocol, Symbol
from model.language.notation import change_notation, notation
from model.language.terms import And, Apply, Compare, Formula, Node, Not, Or, Quantified, Truth, Variable
from model.language.transition import after
from model.language.walk import free
from model.reference.interpreter import NO_EVENTS, Interpreter, all_choices
from model.reference.state import Element, Occurrence, State, Tuple

IGNORED_MAX: Final = 2
"""Parts of a guard that one hypothesis ignores at most: with more anything would explain anything."""

Difference = Mapping[str, tuple[Any, Any]]
"""What differs, by the name of a symbol, `events` or `messages`. A relation: what is missing, what is too much; a function: the
first argument whose value differs, with what is expected, and with what is there instead."""


@dataclass(frozen=True)
class FaultHypothesis:
    """What may have been done."""

    words: str
    action: Action
    of: Action
    """The protocol's action that it is made from."""
    ignores: bool
    """It is possible where that action is not."""


@dataclass(frozen=True)
class Input:
    """What a step was made of: the message that it took, or, without one, the choices that it was given."""

    role: str
    member: Element | None
    """Of the role, where there is one for each member of a sort."""
    message: tuple[str, Tuple] | None
    choices: Mapping[str, Element]


def input_of(interpreter: Interpreter, state: State, step: Occurrence) -> Input:
    """The input of a step."""
    action = action_of(interpreter.protocol, step.action)
    member = step.choices[0][1] if action.role.each is not None else None
    choices = dict(step.choices)
    message = None
    if action.takes:
        taken = action.takes[0]
        arguments = tuple(interpreter.evaluate(argument, state, choices) for argument in taken.arguments)
        message = taken.symbol.name, arguments
    return Input(action.role.name, member, message, choices)


def action_of(protocol: Protocol, name: str) -> Action:
    """The action of this name."""
    return next(action for action in protocol.actions if action.name == name)


def fault_hypotheses_of(
    interpreter: Interpreter, state: State, given: Input, action: Action | None
) -> Iterator[FaultHypothesis]:
    """All hypotheses of what was done in this state with this input; `action`: what the protocol does then, if anything."""
    protocol = interpreter.protocol
    if action is not None:
        yield from _deviating(action)
    for other in _with_such_input(protocol, given, action):
        yield from _ignoring(interpreter, state, given, other)
        for variant in protocol.variants:
            if variant.replaces is other:
                yield FaultHypothesis(variant.name, variant.action, other, ignores=True)


def _with_such_input(protocol: Protocol, given: Input, action: Action | None) -> list[Action]:
    if given.message is not None:
        return [
            one
            for one in protocol.actions
            if one.role.name == given.role and any(take.symbol.name == given.message[0] for take in one.takes)
        ]
    groups = [group.choices for group in protocol.alternatives if action in group.choices]
    return list(dict.fromkeys(one for group in ([action], *groups) for one in group if one is not None))


def _deviating(action: Action) -> Iterator[FaultHypothesis]:
    """The action with changes that are not made, or are made always."""

    def without(words: str, left: Sequence[Any]) -> FaultHypothesis:
        return FaultHypothesis(
            f"{action.name} without {words}", _named(replace(action, changes=tuple(left)), action), action, False
        )

    for symbol in dict.fromkeys(change.symbol for change in action.changes):
        if symbol.kind != "history":
            yield without(f"changing {symbol.name}", [one for one in action.changes if one.symbol is not symbol])
    for number, change in enumerate(action.changes):
        others = action.changes[:number], action.changes[number + 1 :]
        if change.symbol.kind == "history":
            continue
        yield without(change_notation(change), [*others[0], *others[1]])
        for condition in _weaker(change.condition):
            changes = (*others[0], replace(change, condition=condition), *others[1])
            words = f"{action.name} with {change_notation(changes[number])}"
            yield FaultHypothesis(words, _named(replace(action, changes=changes), action), action, ignores=False)


def _weaker(condition: Node) -> Iterator[Node]:
    """A condition without one of its parts, and without all of them."""
    if isinstance(condition, And):
        for number in range(len(condition.operands)):
            yield And((*condition.operands[:number], *condition.operands[number + 1 :]))
    if condition != Truth(True):
        yield Truth(True)


def _ignoring(interpreter: Interpreter, state: State, given: Input, action: Action) -> Iterator[FaultHypothesis]:
    """The action without those parts of its guard that are false for some choices of this input."""
    seen: set[tuple[int, ...]] = set()
    for choices in all_choices(action, interpreter.configuration):
        step = Occurrence(
            action.name, tuple(zip((parameter.name for parameter in action.parameters), choices, strict=True))
        )
        if not matches(interpreter, state, step, given):
            continue
        held = interpreter.conjuncts(state, step)
        false = tuple(number for number, part in enumerate(held) if not part.held and number >= len(action.takes))
        if false and len(false) <= IGNORED_MAX and false not in seen:
            seen.add(false)
            guard = tuple(node for number, node in enumerate(action.guard) if number not in false)
            words = " and ".join(notation(action.guard[number]) for number in false)
            yield FaultHypothesis(
                f"{action.name} without {words}", _named(replace(action, guard=guard), action), action, ignores=True
            )


def _named(action: Action, of: Action) -> Action:
    object.__setattr__(action, "name", of.name)
    return action


def matches(interpreter: Interpreter, state: State, step: Occurrence, given: Input) -> bool:
    """Whether a step is made of this input; choices that the input does not name are free."""
    own = input_of(interpreter, state, step)
    if (own.role, own.member) != (given.role, given.member):
        return False
    if given.message is not None or own.message is not None:
        return own.message == given.message
    return all(given.choices.get(name, value) == value for name, value in own.choices.items())


class Effects:
    """What steps lead to: of the protocol, and of hypotheses in its place."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._others: dict[int, tuple[FaultHypothesis, Interpreter]] = {}
        self._compared = [symbol for symbol in interpreter.protocol.symbols if symbol.kind in ("state", "message")]

    def possible(self, state: State, hypothesis: FaultHypothesis) -> list[Occurrence]:
        """What the hypothesis can do in a state."""
        return self._other(hypothesis).enabled(state)

    def result(self, state: State, hypothesis: FaultHypothesis, done: Occurrence) -> State:
        """The state that the hypothesis leads to."""
        return self._other(hypothesis).apply(state, done)[0]

    def difference(
        self, state: State, step: Occurrence | None, hypothesis: FaultHypothesis, instead: Occurrence
    ) -> Difference:
        """What differs when the hypothesis does something in the place of a step of the protocol, or of nothing."""
        expected, events, sent = state, NO_EVENTS, frozenset[tuple[str, Tuple]]()
        if step is not None:
            expected, events = self.interpreter.apply(state, step)
            sent = self._sent(self.interpreter, state, step)
        other = self._other(hypothesis)
        found, said = other.apply(state, instead)
        different = dict(self._states(expected, found))
        if events != said:
            different["events"] = (sorted(events - said), sorted(said - events))
        if step is not None and not different:
            sends = self._sent(other, state, instead)
            if sent != sends:
                different["messages"] = (sorted(sent - sends), sorted(sends - sent))
        return different

    def _other(self, hypothesis: FaultHypothesis) -> Interpreter:
        key = id(hypothesis.action)
        if key not in self._others:
            small = replace(self.interpreter.protocol, actions=(hypothesis.action,), assumptions=())
            self._others[key] = hypothesis, Interpreter(small, self.interpreter.configuration)
        return self._others[key][1]

    def _sent(self, interpreter: Interpreter, state: State, step: Occurrence) -> frozenset[tuple[str, Tuple]]:
        names = [message.name for message in interpreter.protocol.messages]
        silent = State({**state.relations, **dict.fromkeys(names, frozenset())}, state.functions)
        sent, _ = interpreter.apply(silent, step)
        return frozenset((name, relation) for name in names for relation in sent.relations[name])

    def _states(self, expected: State, found: State) -> Iterator[tuple[str, tuple[Any, Any]]]:
        for symbol in self._compared:
            name = symbol.name
            if symbol.result is Formula:
                one, other = expected.relations[name], found.relations[name]
                if one != other:
                    yield name, (sorted(one - other), sorted(other - one))
            else:
                for key, value in expected.functions[name].items():
                    if value != found.functions[name][key]:
                        shown = f"{name}({', '.join(map(str, key))})"
                        yield name, ((shown, value), (shown, found.functions[name][key]))
                        break


def never_shows(protocol: Protocol, hypothesis: FaultHypothesis, symbol: str, *, instead_of: Action | None) -> Promise:
    """The claim that the hypothesis is never seen to differ, in a symbol of the state, from what the protocol does.

    That is `instead_of` with the same choices; an action that the hypothesis is not made from, or nothing, counts as changing
    nothing there. Where the symbol is none of the state's, any difference counts, and so do events.
    """
    compared = [one for one in protocol.symbols if one.kind in ("state", "message")]
    looked_at = [one for one in compared if one.name == symbol]
    itself = instead_of is hypothesis.of
    shows: list[Node] = [
        _differs(one, hypothesis.of if itself else None, hypothesis.action) for one in looked_at or compared
    ]
    if not looked_at:
        shows += [Truth(True)] * bool(hypothesis.action.emits)
    possible = And(hypothesis.of.guard)
    others = (
        []
        if instead_of is None or itself
        else [one for one in instead_of.guard if free(one) <= set(hypothesis.action.parameters)]
    )
    return _claim(
        hypothesis.action,
        And((*hypothesis.action.guard, possible if itself else Not(possible), *others, Or(tuple(shows)))),
    )


def never_leaves(protocol: Protocol, hypothesis: FaultHypothesis) -> Promise:
    """The claim that the hypothesis never does anything that the action which it is made from does not do."""
    compared = [symbol for symbol in protocol.symbols if symbol.kind in ("state", "message")]
    shows = Or(tuple(_differs(one, hypothesis.of, hypothesis.action) for one in compared))
    return _claim(hypothesis.action, And((*hypothesis.action.guard, Or((Not(And(hypothesis.of.guard)), shows)))))


def never_done(action: Action) -> Promise:
    """The claim that an action is never possible."""
    return _claim(action, And(action.guard))


def _claim(action: Action, wanted: Node) -> Promise:
    promise = Promise("always", False, action.parameters, Not(wanted), (), "What is looked for is not reached.")
    object.__setattr__(promise, "name", "not_reached")
    return promise


def _differs(symbol: Symbol, base: Action | None, action: Action) -> Node:
    """For some arguments the symbol is otherwise after the action than after the base, or than before."""
    if symbol not in {change.symbol for change in (*action.changes, *(base.changes if base else ()))}:
        return Truth(False)
    variables = tuple(Variable(f"of_{number}", sort) for number, sort in enumerate(symbol.arguments))
    read = Apply(symbol, variables)
    one = read if base is None else after(base, read, everything=True)
    other = after(action, read, everything=True)
    if symbol.result is Formula:
        different: Node = Or((And((one, Not(other))), And((other, Not(one)))))
    else:
        different = Not(Compare("=", one, other))
    return Quantified("some", variables, different) if variables else different
