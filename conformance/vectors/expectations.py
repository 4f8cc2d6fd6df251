"""What a scenario may expect of a step.

| expectation | is met if |
|---|---|
| `known h1 p1 = 1` | this function has this value after the step |
| `told h1 p1` | this relation holds after the step; for a message: it has been sent |
| `route_state h1 p2 = installed` | the lifecycle of these members is in this state after the step |
| `event delivered h1 r1 p1 p2` | this event occurs in the step |
| `reaches a_change_is_done` | this `sometimes` holds in the step |
| `breaks newer_wins` | this promise is broken by the step |

`not` before an expectation negates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.vectors.steps import Malformed, arguments_of, element_of
from impl.cli.console import listed, no_such
from model.language import Promise, Sometimes, Symbol
from model.language.terms import Formula
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Element, State, Tuple

NOT: Final = "not"
EVENT: Final = "event"
REACHES: Final = "reaches"
BREAKS: Final = "breaks"
RESERVED: Final = frozenset({NOT, EVENT, REACHES, BREAKS})
"""Words that begin an expectation; no relation, function or lifecycle has such a name."""


@dataclass(frozen=True)
class Taken:
    """A step that was taken: the states around it, and its events."""

    interpreter: Interpreter
    before: State
    after: State
    events: Events


def unmet(expectation: str, step: Taken) -> str | None:
    """What is found instead of what is expected; None: the expectation is met.

    Raises:
        Malformed: it is no expectation of this protocol.
    """
    said, equals, value = (part.strip() for part in expectation.partition("="))
    words = said.split()
    negated = words[:1] == [NOT]
    words = words[negated:]
    if not words:
        raise Malformed("expected a relation, FUNCTION = VALUE, LIFECYCLE = STATE, event, reaches or breaks")
    name, *given = words
    if name in (EVENT, REACHES, BREAKS):
        if equals:
            raise Malformed(f"{name}: expected no '='")
        met, found = _happened(name, given, step)
    else:
        met, found = _stands(name, given, value if equals else None, step)
    return found if met is negated else None


def _happened(kind: str, given: Sequence[str], step: Taken) -> tuple[bool, str]:
    """Whether something happens in the step, and what a message says of it."""
    protocol = step.interpreter.protocol
    if kind == EVENT:
        events = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind == "event"}
        if not given or given[0] not in events:
            raise Malformed(no_such("event", " ".join(given[:1]), events))
        arguments = _arguments(events[given[0]], given[1:], step)
        shown = listed(sorted(call(name, values) for name, values in step.events), separator="; ")
        return (given[0], arguments) in step.events, f"the events {shown}" if shown else "no event"
    claims: Iterable[Promise | Sometimes] = protocol.promises if kind == BREAKS else protocol.sometimes
    known = {claim.name: claim for claim in claims}
    if len(given) != 1 or given[0] not in known:
        what = "promise" if kind == BREAKS else "'sometimes'"
        raise Malformed(no_such(what, " ".join(given), known))
    claim = known[given[0]]
    if isinstance(claim, Promise):
        met = step.interpreter.violated(step.before, step.after, step.events, [claim]) is not None
        return met, f"{claim.name} is {'broken' if met else 'kept'}"
    met = step.interpreter.counterexample(claim, step.before, after=step.after, events=step.events) is not None
    return met, f"{claim.name} is {'reached' if met else 'not reached'}"


def _stands(name: str, given: Sequence[str], value: str | None, step: Taken) -> tuple[bool, str]:
    """Whether a relation holds, or a function or lifecycle has this value, and what a message says of it."""
    protocol, configuration = step.interpreter.protocol, step.interpreter.configuration
    symbols = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind != "event"}
    lifecycles = {lifecycle.name: lifecycle for lifecycle in protocol.lifecycles}
    is_value: Element
    if name in symbols:
        symbol = symbols[name]
        arguments = _arguments(symbol, given, step)
        if symbol.result is Formula:
            if value is not None:
                raise Malformed(f"{name}: is a relation, expected no '='")
            met = arguments in step.after.relations[name]
            return met, f"{call(name, arguments)} {'holds' if met else 'does not hold'}"
        sort, is_value = symbol.result, step.after.functions[name][arguments]
    elif name in lifecycles:
        lifecycle = lifecycles[name]
        names = [parameter.name for parameter in lifecycle.parameters]
        sorts = [parameter.sort for parameter in lifecycle.parameters]
        arguments = arguments_of(name, given, sorts, names, configuration)
        environment = dict(zip(names, arguments, strict=True))
        sort, is_value = lifecycle.states, step.interpreter.evaluate(lifecycle.value.node, step.after, environment)
    else:
        raise Malformed(no_such("relation, function or lifecycle", name, (*symbols, *lifecycles)))
    if value is None:
        raise Malformed(f"{name}: expected a value; write {call(name, arguments)} = {sort.title.upper()}")
    return element_of(value, sort, name, configuration) == is_value, f"{call(name, arguments)} = {is_value}"


def _arguments(symbol: Symbol, given: Sequence[str], step: Taken) -> Tuple:
    return arguments_of(symbol.name, given, symbol.arguments, symbol.fields, step.interpreter.configuration)


def call(name: str, arguments: Tuple) -> str:
    """A name with its arguments, as a scenario has them."""
    return " ".join([name, *map(str, arguments)])
