"""Hypotheses about an observed fault: actions that would have the observed effect in place of the protocol's.

The observed response to an input (a message, or a spontaneous action of a role) differs from the protocol's. The hypotheses are the
actions with that input in which one thing is different: conjuncts of the guard that are false there are ignored, changes are not
made, or are made although a part of their condition is false; and the protocol's own variants. A hypothesis explains the
observation if it leads to a state that differs in the same symbol, and explains it exactly if the difference is identical.
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
"""The maximum number of conjuncts that one hypothesis ignores: with more, anything would explain anything."""

Difference = Mapping[str, tuple[Any, Any]]
"""What differs, by the name of a symbol, `events` or `messages`.

For a relation: missing and extra tuples; for a function: the first argument whose value differs, with the expected and the actual
value.
"""


@dataclass(frozen=True)
class FaultHypothesis:
    """What may have been done."""

    words: str
    action: Action
    of: Action
    """The protocol's action that it is derived from."""
    ignores: bool
    """Whether it is enabled where that action is not."""


@dataclass(frozen=True)
class Input:
    """The input of a step: the message that it took or, without one, the choices that it was given."""

    role: str
    member: Element | None
    """The acting member, for a role with one actor per member of a sort."""
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
    """All hypotheses for this state and input; `action`: what the protocol does there, if anything."""
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
            candidate
            for candidate in protocol.actions
            if candidate.role.name == given.role
            and any(take.symbol.name == given.message[0] for take in candidate.takes)
        ]
    groups = [group.choices for group in protocol.alternatives if action in group.choices]
    return list(dict.fromkeys(choice for group in ([action], *groups) for choice in group if choice is not None))


def _deviating(action: Action) -> Iterator[FaultHypothesis]:
    """The action with changes that are not made, or are always made."""

    def without(words: str, left: Sequence[Any]) -> FaultHypothesis:
        return FaultHypothesis(
            f"{action.name} without {words}", _named(replace(action, changes=tuple(left)), action), action, False
        )

    for symbol in dict.fromkeys(change.symbol for change in action.changes):
        if symbol.kind != "history":
            yield without(
                f"changing {symbol.name}", [change for change in action.changes if change.symbol is not symbol]
            )
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
    """The action without the conjuncts of its guard that are false for some choices of this input."""
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
    """Whether a step has this input; choices that the input does not name are free."""
    own = input_of(interpreter, state, step)
    if (own.role, own.member) != (given.role, given.member):
        return False
    if given.message is not None or own.message is not None:
        return own.message == given.message
    return all(given.choices.get(name, value) == value for name, value in own.choices.items())


class Effects:
    """The effects of steps of the protocol, and of hypotheses in their place."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._others: dict[int, tuple[FaultHypothesis, Interpreter]] = {}
        self._compared = [symbol for symbol in interpreter.protocol.symbols if symbol.kind in ("state", "message")]

    def possible(self, state: State, hypothesis: FaultHypothesis) -> list[Occurrence]:
        """The steps of the hypothesis that are enabled in a state."""
        return self._other(hypothesis).enabled(state)

    def result(self, state: State, hypothesis: FaultHypothesis, done: Occurrence) -> State:
        """The state that the hypothesis leads to."""
        return self._other(hypothesis).apply(state, done)[0]

    def difference(
        self, state: State, step: Occurrence | None, hypothesis: FaultHypothesis, instead: Occurrence
    ) -> Difference:
        """The difference when the hypothesis replaces a step of the protocol, or no step."""
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
                wanted, actual = expected.relations[name], found.relations[name]
                if wanted != actual:
                    yield name, (sorted(wanted - actual), sorted(actual - wanted))
            else:
                for key, value in expected.functions[name].items():
                    if value != found.functions[name][key]:
                        shown = f"{name}({', '.join(map(str, key))})"
                        yield name, ((shown, value), (shown, found.functions[name][key]))
                        break


def never_shows(protocol: Protocol, hypothesis: FaultHypothesis, symbol: str, *, instead_of: Action | None) -> Promise:
    """The claim that the hypothesis never differs, in a symbol of the state, from what the protocol does.

    The protocol's step is `instead_of` with the same choices; another action, or None, counts as changing nothing there. If the
    symbol does not belong to the state, any difference counts, and so do events.
    """
    compared = [kept for kept in protocol.symbols if kept.kind in ("state", "message")]
    looked_at = [kept for kept in compared if kept.name == symbol]
    itself = instead_of is hypothesis.of
    shows: list[Node] = [
        _differs(kept, hypothesis.of if itself else None, hypothesis.action) for kept in looked_at or compared
    ]
    if not looked_at:
        shows += [Truth(True)] * bool(hypothesis.action.emits)
    possible = And(hypothesis.of.guard)
    others = (
        []
        if instead_of is None or itself
        else [conjunct for conjunct in instead_of.guard if free(conjunct) <= set(hypothesis.action.parameters)]
    )
    return _claim(
        hypothesis.action,
        And((*hypothesis.action.guard, possible if itself else Not(possible), *others, Or(tuple(shows)))),
    )


def never_leaves(protocol: Protocol, hypothesis: FaultHypothesis) -> Promise:
    """The claim that the hypothesis never does anything that its original action does not do."""
    compared = [symbol for symbol in protocol.symbols if symbol.kind in ("state", "message")]
    shows = Or(tuple(_differs(symbol, hypothesis.of, hypothesis.action) for symbol in compared))
    return _claim(hypothesis.action, And((*hypothesis.action.guard, Or((Not(And(hypothesis.of.guard)), shows)))))


def never_done(action: Action) -> Promise:
    """The claim that an action is never enabled."""
    return _claim(action, And(action.guard))


def _claim(action: Action, wanted: Node) -> Promise:
    promise = Promise(
        "always", False, action.parameters, Not(wanted), (), "The condition that is searched for is not reached."
    )
    object.__setattr__(promise, "name", "not_reached")
    return promise


def _differs(symbol: Symbol, base: Action | None, action: Action) -> Node:
    """For some arguments the symbol has another value after the action than after the base action, or than before."""
    if symbol not in {change.symbol for change in (*action.changes, *(base.changes if base else ()))}:
        return Truth(False)
    variables = tuple(Variable(f"of_{number}", sort) for number, sort in enumerate(symbol.arguments))
    read = Apply(symbol, variables)
    before = read if base is None else after(base, read, everything=True)
    afterwards = after(action, read, everything=True)
    if symbol.result is Formula:
        different: Node = Or((And((before, Not(afterwards))), And((afterwards, Not(before)))))
    else:
        different = Not(Compare("=", before, afterwards))
    return Quantified("some", variables, different) if variables else different
