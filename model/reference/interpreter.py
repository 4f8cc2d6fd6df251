"""The plain interpreter: executes a protocol's text on `State`, in the most direct way.

Each guard and change becomes a Python expression over sets and dictionaries, compiled once for a configuration. Every other engine
is checked against this one, so it shares no code with them.

A bounded model ends at its bounds: an occurrence is enabled only if its guard holds and every number that it writes is within the
bounds of its sort. One whose guard holds, but not this, is *cut*.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from operator import itemgetter
from typing import Any

from model.bad_input import BadInput
from model.language import Action, Change, Message, Promise, Protocol, Sometimes, Symbol
from model.language.bounds import Written, written
from model.language.notation import notation
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
    Enumeration,
    Formula,
    Implies,
    Named,
    Node,
    Not,
    Or,
    Plus,
    Quantified,
    Sum,
    Times,
    Truth,
    Value,
    Variable,
)
from model.language.walk import free
from model.reference.configuration import Configuration, refuse_misread
from model.reference.cut import Cut
from model.reference.state import Element, Occurrence, State, Tuple, elements, initial_state

Events = frozenset[tuple[str, Tuple]]
"""The events of a step: names of event symbols with their arguments."""

NO_EVENTS: Events = frozenset()

Tables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conjunct:
    """A part of a guard and whether it held, for explanations."""

    node: Node
    held: bool


class Interpreter:
    """A protocol in a configuration, ready to run.

    Raises:
        BadInput: the configuration's constants violate an assumption, or something is read at a constant above its bound.
    """

    def __init__(self, protocol: Protocol, configuration: Configuration) -> None:
        refuse_misread(protocol, configuration)
        self.protocol = protocol
        self.configuration = configuration
        self._elements = {
            sort: elements(sort, configuration) for sort in (*protocol.sorts, *protocol.numbers, *protocol.enumerations)
        }
        self._actions = {
            action.name: _Compiled(action, self)
            for action in protocol.actions
            if action.name not in configuration.without
        }
        self._values: dict[tuple[str, ...], Callable[..., Any]] = {}
        self._claims: dict[Promise | Sometimes, Callable[..., Any]] = {}
        """By the claim itself: a mutant of a claim may have its name."""
        start = initial_state(protocol, configuration) if protocol.assumptions else None
        for assumed in protocol.assumptions:
            assert start is not None
            for chosen in product(*(self._elements[variable.sort] for variable in assumed.parameters)):
                given = {variable.name: value for variable, value in zip(assumed.parameters, chosen, strict=True)}
                if not self.evaluate(assumed.formula, start, given):
                    of = " for " * bool(given) + ", ".join(f"{name} {value}" for name, value in given.items())
                    sentence = " ".join(assumed.doc.split())
                    raise BadInput(f"{configuration.name}: constants: {assumed.name} is false{of}. {sentence}")

    @cached_property
    def _spent(self) -> dict[Message[Any], Callable[..., bool]]:
        return {message: self._compile_spent(message) for message in self.protocol.messages}

    def with_action(self, action: Action) -> Interpreter:
        """The interpreter with this action replacing the one of the same name."""
        changed = copy.copy(self)
        if action.name in self._actions:
            changed._actions = {**self._actions, action.name: _Compiled(action, changed)}
        return changed

    # ------------------------------------------------------------------------------------------------- steps

    def enabled(self, state: State, action: str = "") -> list[Occurrence]:
        """All enabled occurrences, or those of one action, in a fixed order: actions as declared, then choices."""
        tables = _tables(state)
        return [
            Occurrence(name, tuple(zip(compiled.names, choices, strict=True)))
            for name, compiled in self._actions.items()
            if action in ("", name)
            for choices in sorted(compiled.find(tables))
            if self.configuration.allows(name, choices)
        ]

    def cut(self, state: State) -> dict[Occurrence, Cut]:
        """The occurrences that are not enabled only because they would take a number out of its bounds."""
        tables = _tables(state)
        found = {}
        for name, compiled in self._actions.items():
            for choices in sorted(compiled.guarded(tables)) if compiled.writes else ():
                cut = compiled.cut(tables, choices)
                if cut is not None and self.configuration.allows(name, choices):
                    found[Occurrence(name, tuple(zip(compiled.names, choices, strict=True)))] = cut
        return found

    def guarded(self, state: State, action: str) -> list[Tuple]:
        """The choices for which an action's guard holds, even if the step exceeds a bound; none if the action is left out here."""
        compiled = self._actions.get(action)
        return compiled.guarded(_tables(state)) if compiled else []

    def action(self, name: str) -> Action:
        """The action of this name, as this interpreter executes it."""
        return self._actions[name].action

    def is_enabled(self, state: State, occurrence: Occurrence) -> bool:
        """Whether this occurrence is enabled; unknown actions and choices outside their sorts are not."""
        compiled = self._actions.get(occurrence.action)
        if compiled is None or tuple(name for name, _ in occurrence.choices) != compiled.names:
            return False
        choices = tuple(value for _, value in occurrence.choices)
        domains = (self._elements[variable.sort] for variable in compiled.action.parameters)
        if any(value not in domain for value, domain in zip(choices, domains, strict=True)):
            return False
        if not self.configuration.allows(occurrence.action, choices):
            return False
        tables = _tables(state)
        return compiled.holds(tables, choices) and compiled.cut(tables, choices) is None

    def conjuncts(self, state: State, occurrence: Occurrence) -> list[Conjunct]:
        """Each part of the guard of an occurrence, and whether it holds."""
        action = self._actions[occurrence.action].action
        environment = dict(occurrence.choices)
        return [Conjunct(node, bool(self.evaluate(node, state, environment))) for node in action.guard]

    def why_not(self, state: State, occurrence: Occurrence) -> str:
        """Why an occurrence with choices of its action's sorts is not enabled."""
        if not self.configuration.allows(occurrence.action, [value for _, value in occurrence.choices]):
            return f"the configuration {self.configuration.name} leaves it out"
        false = (part.node for part in self.conjuncts(state, occurrence) if not part.held)
        for node in false:
            return f"{notation(node)} is false"
        cut = self._actions[occurrence.action].cut(_tables(state), tuple(value for _, value in occurrence.choices))
        assert cut is not None, f"{occurrence} is enabled"
        return f"it would leave the bounds: {cut.shown(self.configuration.bounds)}"

    def apply(self, state: State, occurrence: Occurrence) -> tuple[State, Events]:
        """The state after an enabled occurrence, and the events of the step."""
        compiled = self._actions[occurrence.action]
        return compiled.apply(state, tuple(value for _, value in occurrence.choices))

    def forget_spent(self, state: State) -> State:
        """The state without spent messages."""
        tables = _tables(state)
        relations = dict(state.relations)
        for message, spent in self._spent.items():
            sent = relations[message.name]
            if sent:
                relations[message.name] = frozenset(
                    each_message for each_message in sent if not spent(tables, *each_message)
                )
        return State(relations, state.functions)

    # ---------------------------------------------------------------------------------------------- formulas

    def evaluate(
        self,
        node: Node,
        state: State,
        environment: Mapping[str, Element],
        *,
        after: State | None = None,
        events: Events = NO_EVENTS,
    ) -> Any:
        """The value of a formula or term; `environment` gives the variables by name."""
        if isinstance(node, Variable):
            return environment[node.name]
        function = self._function(_Source(self).expression(node), tuple(environment))
        return function(_tables(state), _tables(after or state), events, *environment.values())

    def prepared(self, node: Node, names: Sequence[str]) -> Callable[..., Any]:
        """The value of a formula or term over one state, as a function of the state and of these variables in order."""
        function = self._function(_Source(self).expression(node), tuple(names))

        def value(state: State, *values: Element) -> Any:
            tables = _tables(state)
            return function(tables, tables, NO_EVENTS, *values)

        return value

    def counterexample(
        self, claim: Promise | Sometimes, state: State, *, after: State | None = None, events: Events = NO_EVENTS
    ) -> dict[str, Element] | None:
        """Parameter values for which a promise fails, or for which a `sometimes` holds; None if there are none."""
        wanted = isinstance(claim, Sometimes)
        function = self._claim(claim)
        found: Tuple | None = function(_tables(state), _tables(after or state), events, wanted)
        if found is None:
            return None
        return {variable.name: value for variable, value in zip(claim.parameters, found, strict=True)}

    def violated(
        self, before: State, after: State, events: Events, promises: Iterable[Promise] | None = None
    ) -> Promise | None:
        """The first promise that a step breaks: one about steps, or one about the state that it leads to."""
        for promise in self.protocol.promises if promises is None else promises:
            if promise.kind == "always":
                broken = self.counterexample(promise, after)
            else:
                broken = self.counterexample(promise, before, after=after, events=events)
            if broken is not None:
                return promise
        return None

    def _claim(self, claim: Promise | Sometimes) -> Callable[..., Any]:
        if claim not in self._claims:
            loops, depth = [], 1
            for variable in claim.parameters:
                loops.append("    " * depth + f"for v_{variable.name} in E[{variable.sort.__name__!r}]:")
                depth += 1
            body = _Source(self).expression(claim.formula)
            found = "".join(f"v_{variable.name}, " for variable in claim.parameters)
            lines = [
                "def claim(T, A, V, wanted):",
                *loops,
                "    " * depth + f"if bool({body}) == wanted: return ({found})",
                "    return None",
            ]
            self._claims[claim] = self.build("\n".join(lines), "claim")
        return self._claims[claim]

    def _function(self, source: str, names: tuple[str, ...]) -> Callable[..., Any]:
        key = (source, *names)
        if key not in self._values:
            parameters = "".join(f", v_{name}" for name in names)
            self._values[key] = self.build(f"def value(T, A, V{parameters}): return {source}", "value")
        return self._values[key]

    def _compile_spent(self, message: Message[Any]) -> Callable[..., bool]:
        parameters = "".join(f", v_{variable.name}" for variable in message.parameters)
        source = f"def spent(T{parameters}): return {_Source(self).expression(message.spent)}"
        spent: Callable[..., bool] = self.build(source, "spent")
        return spent

    def build(self, source: str, name: str) -> Callable[..., Any]:
        """Compiles a generated function; its only free name is E, the elements of each sort by name."""
        scope: dict[str, Any] = {"E": {sort.__name__: values for sort, values in self._elements.items()}}
        exec(compile(source, f"<{self.protocol.name}>", "exec"), scope)  # noqa: S102 - the text is generated from the protocol
        function: Callable[..., Any] = scope[name]
        return function

    def environments(self, parameters: Sequence[Variable]) -> Iterator[dict[str, Element]]:
        """All combinations of values of some parameters, by name."""
        names = [variable.name for variable in parameters]
        for values in product(*(self._elements[variable.sort] for variable in parameters)):
            yield dict(zip(names, values, strict=True))

    def bound(self, sort: type[Value]) -> int:
        """The largest value of a number."""
        return self.configuration.bounds[sort.__name__]


def _tables(state: State) -> Tables:
    return {**state.relations, **state.functions}


class _Compiled:
    """One action: how to find its occurrences, and its effects; each part is compiled on first use."""

    def __init__(self, action: Action, interpreter: Interpreter) -> None:
        self.action = action
        self.names = tuple(variable.name for variable in action.parameters)
        self.writes = tuple(written(action))
        self._interpreter = interpreter

    @cached_property
    def find(self) -> Callable[[Tables], list[Tuple]]:
        """The enabled choices."""
        within = " and ".join(f"not {self._outside(term)}" for term in self.writes)
        return self._interpreter.build(self._find_source(within or "True"), "find")

    @cached_property
    def _cuts(self) -> list[tuple[Cut, Callable[..., bool]]]:
        """Why a step may be cut, in order, and whether it is."""
        head, build = f"def outside(T{''.join(f', v_{name}' for name in self.names)}): return", self._interpreter.build
        found = []
        for term in self.writes:
            for above, limits in ((False, "0 <= {}"), (True, "{} <= {bound}")):
                why = Cut(self.action.name, term.sort.__name__, above)
                found.append((why, build(f"{head} {self._outside(term, limits)}", "outside")))
        return sorted(found, key=itemgetter(0))

    @cached_property
    def _holds(self) -> Callable[..., Any]:
        return self._interpreter.build(self._holds_source(), "holds")

    @cached_property
    def _changes(self) -> list[Callable[..., Any]]:
        return [self._interpreter.build(self._change_source(change), "change") for change in self.action.changes]

    @cached_property
    def _events(self) -> Callable[..., Any]:
        parameters = "".join(f", v_{name}" for name in self.names)
        events = "".join(
            f"({emitted.symbol.name!r}, {_Source(self._interpreter).arguments(emitted.arguments)}), "
            for emitted in self.action.emits
        )
        return self._interpreter.build(f"def emitted(T{parameters}): return frozenset(({events}))", "emitted")

    @cached_property
    def guarded(self) -> Callable[[Tables], list[Tuple]]:
        """What `find` finds without bounds."""
        return self._interpreter.build(self._find_source("True"), "find")

    def holds(self, tables: Tables, choices: Tuple) -> bool:
        """Whether the guard is true."""
        return bool(self._holds(tables, *choices))

    def cut(self, tables: Tables, choices: Tuple) -> Cut | None:
        """Why the step would leave the bounds; None if it stays within them."""
        return next((cut for cut, outside in self._cuts if outside(tables, *choices)), None)

    def apply(self, state: State, choices: Tuple) -> tuple[State, Events]:
        tables = _tables(state)
        relations = dict(state.relations)
        functions = dict(state.functions)
        for change, compute in zip(self.action.changes, self._changes, strict=True):
            name = change.symbol.name
            changed: dict[Tuple, Any] = compute(tables, *choices)
            if change.symbol.result is Formula:
                added = {variable for variable, value in changed.items() if value}
                relations[name] = relations[name].difference(changed).union(added)
            else:
                functions[name] = {**functions[name], **changed}
        return State(relations, functions), self._events(tables, *choices)

    def _find_source(self, within: str) -> str:
        """Nested loops over the choices: taken messages first, since few are in flight; each conjunct as early as possible."""
        source = _Source(self._interpreter)
        lines = ["def find(T):", "    found = []"]
        depth, bound = 1, set[str]()
        waiting = list(self.action.guard)

        def test() -> None:
            for node in list(waiting):
                if {variable.name for variable in free(node)} <= bound:
                    lines.append("    " * depth + f"if not ({source.expression(node)}): continue")
                    waiting.remove(node)

        lines.append("    for _ in (0,):")
        depth += 1
        test()
        for taken in self.action.takes:
            if taken in waiting and all(isinstance(argument, Variable) for argument in taken.arguments):
                names = [argument.name for argument in taken.arguments if isinstance(argument, Variable)]
                if len(set(names)) == len(names) and not bound & set(names):
                    targets = "".join(f"v_{name}, " for name in names)
                    lines.append("    " * depth + f"for ({targets}) in T[{taken.symbol.name!r}]:")
                    depth += 1
                    bound |= set(names)
                    waiting.remove(taken)
                    test()
        for variable in self.action.parameters:
            if variable.name not in bound:
                lines.append("    " * depth + f"for v_{variable.name} in E[{variable.sort.__name__!r}]:")
                depth += 1
                bound.add(variable.name)
                test()
        lines.append("    " * depth + f"if not ({within}): continue")
        choices = "".join(f"v_{name}, " for name in self.names)
        lines.append("    " * depth + f"found.append(({choices}))")
        lines.append("    return found")
        return "\n".join(lines)

    def _holds_source(self) -> str:
        parameters = "".join(f", v_{name}" for name in self.names)
        return f"def holds(T{parameters}): return {_Source(self._interpreter).expression(And(self.action.guard))}"

    def _outside(self, term: Written, limits: str = "0 <= {} <= {bound}") -> str:
        """Whether a number that the step writes is outside these limits."""
        source, bound = _Source(self._interpreter), self._interpreter.bound(term.sort)
        test = f"not {limits.format(source.expression(term.node), bound=bound)}"
        if term.condition != Truth(True):
            test = f"({source.expression(term.condition)}) and {test}"
        return f"any({test} {_loops(term)})" if term.binders else f"({test})"

    def _change_source(self, change: Change) -> str:
        source = _Source(self._interpreter)
        parameters = "".join(f", v_{name}" for name in self.names)
        arguments = source.arguments(change.arguments)
        loops = _loops(change) or "for _ in (0,)"
        condition = source.expression(change.condition)
        value = source.expression(change.value)
        return f"def change(T{parameters}): return {{{arguments}: {value} {loops} if {condition}}}"


def _loops(change: Change | Written) -> str:
    return " ".join(f"for v_{binder.name} in E[{binder.sort.__name__!r}]" for binder in change.binders)


class _Source:
    """Nodes as Python expressions. T holds the tables before a step, A those after it, V the events."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def arguments(self, nodes: Sequence[Node]) -> str:
        """A tuple of values."""
        return f"({''.join(f'{self.expression(node)}, ' for node in nodes)})"

    def expression(self, node: Node) -> str:
        """The value of a node."""
        match node:
            case Variable(name):
                return f"v_{name}"
            case Constant(value, sort):
                return repr(sort.names()[value]) if issubclass(sort, Enumeration) else str(value)
            case Truth(value):
                return str(value)
            case Named(_, _, body):
                return self.expression(body)
            case Plus(number, amount):
                return f"({self.expression(number)} + {amount})"
            case Sum(left, right):
                return f"({self.expression(left)} + {self.expression(right)})"
            case Times(number, factor):
                return f"({self.expression(number)} * {factor})"
            case Compare(operator, left, right):
                return f"({self.expression(left)} {'==' if operator == '=' else operator} {self.expression(right)})"
            case Not(operand):
                return f"(not {self.expression(operand)})"
            case And(operands):
                return f"({' and '.join(map(self.expression, operands)) or 'True'})"
            case Or(operands):
                return f"({' or '.join(map(self.expression, operands)) or 'False'})"
            case Implies(premise, conclusion):
                return f"(not {self.expression(premise)} or {self.expression(conclusion)})"
            case Choose(condition, chosen, otherwise):
                return f"({self.expression(chosen)} if {self.expression(condition)} else {self.expression(otherwise)})"
            case Quantified(quantifier, variables, body):
                loops = " ".join(f"for v_{v.name} in E[{v.sort.__name__!r}]" for v in variables)
                return f"{'all' if quantifier == 'all' else 'any'}({self.expression(body)} {loops})"
            case Apply(symbol, arguments, after):
                return self._apply(symbol, self.arguments(arguments), after)

    def _apply(self, symbol: Symbol, arguments: str, after: bool) -> str:
        if symbol.kind == "event":
            return f"(({symbol.name!r}, {arguments}) in V)"
        table = f"{'A' if after else 'T'}[{symbol.name!r}]"
        return f"({arguments} in {table})" if symbol.result is Formula else f"{table}[{arguments}]"


def all_choices(action: Action, configuration: Configuration) -> Iterable[Tuple]:
    """Every combination of choices of an action, enabled or not."""
    return product(*(elements(variable.sort, configuration) for variable in action.parameters))


@lru_cache(maxsize=64)
def interpreter_of(protocol: Protocol, configuration: Configuration) -> Interpreter:
    """One interpreter shared by all traces of a configuration, since it compiles what it executes."""
    return Interpreter(protocol, configuration)
