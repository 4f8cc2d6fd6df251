"""Grounding: every action for every choice, every promise for every parameter, over the fields of a configuration's state.

A step's effect is a list of conditional assignments to fields. Fields that no step can ever change, starting from the initial
state, are constants: an abstract exploration of the possible values of each field finds them, and they take no bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from model.explore.kernel.boolean import Algebra, Expression
from model.explore.kernel.instances import Assignment, CutStep, Happenings, Instance
from model.explore.kernel.limits import refuse_what_is_too_large
from model.language import Action, Change, Message, Promise, Protocol, Sometimes, Symbol
from model.language.bounds import written
from model.language.terms import (
    And,
    Apply,
    Choose,
    Compare,
    Constant,
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
from model.language.transient import events_in
from model.reference.configuration import Configuration, refuse_misread
from model.reference.cut import Cut
from model.reference.state import Element, State, elements, initial_state


@dataclass(frozen=True, slots=True)
class Open:
    """A variable whose value is left open: an additional field, to be chosen."""

    field: int


Environment = Mapping[Variable, "int | Open"]
Cases = list[tuple[int, Expression]]
"""A value that depends on the state: the possible values, with their conditions."""

AFTER = 1 << 30
"""The offset from a field's number to the same field after the step."""


class _Possible(dict[int, set[int]]):
    """The possible values of fields; after a step they are the same as before."""

    def __missing__(self, field: int) -> set[int]:
        return self[field - AFTER]


class Ground:
    """A protocol in a configuration, grounded.

    With `anything`, a field can have any value, reachable or not. With `any_constants`, constants are not configured values, but
    any possible ones. `also`: actions in addition to the protocol's, which may share names with them: the effects of all of them
    count as possible.
    """

    def __init__(
        self,
        protocol: Protocol,
        configuration: Configuration,
        *,
        anything: bool = False,
        any_constants: bool = False,
        also: Sequence[Action] = (),
    ) -> None:
        refuse_misread(protocol, configuration)
        self.protocol = protocol
        self.configuration = configuration
        self.sizes: dict[type[Value], tuple[Element, ...]] = {
            sort: elements(sort, configuration) for sort in (*protocol.sorts, *protocol.numbers, *protocol.enumerations)
        }
        refuse_what_is_too_large(protocol, configuration, self.sizes)
        self.places: list[tuple[Symbol, tuple[int, ...]]] = []
        """The symbol and arguments of each field."""
        self.field: dict[tuple[Symbol, tuple[int, ...]], int] = {}
        for symbol in protocol.symbols:
            if symbol.kind != "event":
                for arguments in product(*(range(len(self.sizes[sort])) for sort in symbol.arguments)):
                    self.field[symbol, arguments] = len(self.places)
                    self.places.append((symbol, arguments))
        self.initial = [0] * len(self.places)
        self.load(initial_state(protocol, configuration), self.initial)
        self.possible = _Possible({field: {value} for field, value in enumerate(self.initial)})
        self.open = {
            field for field, (symbol, _) in enumerate(self.places) if symbol.kind == "constant" and any_constants
        }
        """Fields of constants that are left open."""
        for field in self.open:
            self.possible[field] = set(range(self._size(self.places[field][0])))
        self.algebra = Algebra(self.possible)
        self.actions = [action for action in protocol.actions if action.name not in configuration.without]
        self.instances: list[Instance] = []
        self.cuts: list[CutStep] = []
        self._in_steps: dict[tuple[int, int], tuple[Instance, Expression]] = {}
        self._truths: dict[tuple[int, Happenings | None], list[Expression]] = {}
        self._heard: dict[int, tuple[Promise | Sometimes, frozenset[Symbol]]] = {}
        """The requested claims, with the events that they read."""
        if anything:
            for field, (symbol, _) in enumerate(self.places):
                self.possible[field] = set(range(self._size(symbol)))
        else:
            self._settle(self.actions)
            if also:
                self._settle([*self.actions, *(action for action in also if action.name not in configuration.without)])

    def cut_reasons(self) -> list[Cut]:
        """Why steps may be cut, in a fixed order."""
        return sorted({step.why for step in self.cuts})

    def load(self, state: State, into: list[int]) -> None:
        """Writes the fields of a state into a list."""
        for field, (symbol, arguments) in enumerate(self.places):
            names = self.names(symbol.arguments, arguments)
            if symbol.result is Formula:
                into[field] = int(names in state.relations[symbol.name])
            else:
                into[field] = self.sizes[symbol.result].index(state.functions[symbol.name][names])

    def names(self, sorts: Sequence[type[Value]], values: Sequence[int]) -> tuple[Element, ...]:
        """The elements that indices stand for."""
        return tuple(self.sizes[sort][value] for sort, value in zip(sorts, values, strict=True))

    # ------------------------------------------------------------------------------------------- possible values

    def _settle(self, actions: Sequence[Action]) -> None:
        """Widens the possible values until no step adds any."""
        candidates = [(action, choices) for action in actions for choices in self._choices(action)]
        while True:
            before = sum(map(len, self.possible.values()))
            self.instances, self.cuts = [], []
            for action, choices in candidates:
                instance = self.instance(action, choices)
                if instance is not None:
                    self.instances.append(instance)
                    for assignment in instance.assignments:
                        self.possible[assignment.field].add(assignment.value)
            if sum(map(len, self.possible.values())) == before:
                return

    def _choices(self, action: Action) -> Iterator[tuple[int, ...]]:
        sorts = [variable.sort for variable in action.parameters]
        for choices in product(*(range(len(self.sizes[sort])) for sort in sorts)):
            if self.configuration.allows(action.name, self.names(sorts, choices)):
                yield choices

    def instance(self, action: Action, choices: tuple[int, ...]) -> Instance | None:
        """An action with its choices; None if it can never be enabled. When it is cut is added to `cuts`."""
        environment = dict(zip(action.parameters, choices, strict=True))
        parts = []
        for node in action.guard:
            part = self.truth(node, environment)
            if part is False:
                return None
            parts.append(part)
        guard = self.algebra.conjunction(parts)
        if guard is False:
            return None
        for why, condition in self.leaving(action, environment, guard):
            here = self.algebra.conjunction((guard, condition))
            if here is not False:
                self.cuts.append(CutStep(action, choices, why, here))
            guard = self.algebra.conjunction((guard, self.algebra.negation(condition)))
        if guard is False:
            return None
        taken = []
        for message in action.takes:
            possible = [arguments for arguments, _ in self._tuples(message.arguments, environment)]
            if len(possible) == 1:  # otherwise the state decides which one it takes
                taken.append(self.field[message.symbol, possible[0]])
        assignments = tuple(
            assignment for change in action.changes for assignment in self._assignments(change, environment, guard)
        )
        events = []
        for emitted in action.emits:
            for arguments, condition in self._tuples(emitted.arguments, environment):
                events.append((emitted.symbol, arguments, condition))
        return Instance(action, choices, tuple(taken), guard, assignments, tuple(events))

    def leaving(self, action: Action, environment: Environment, guard: Expression) -> list[tuple[Cut, Expression]]:
        """Why an action with a true guard may be cut, in order, and under which condition."""
        found: dict[Cut, list[Expression]] = {}
        for term in written(action):
            for values in product(*(range(len(self.sizes[binder.sort])) for binder in term.binders)):
                inner = {**environment, **dict(zip(term.binders, values, strict=True))}
                condition = self.truth(term.condition, inner)
                for value, when in self.value(term.node, inner) if condition is not False else ():
                    out = self.algebra.conjunction((condition, when))
                    outside = not 0 <= value < len(self.sizes[term.sort])
                    if outside and self.algebra.conjunction((guard, out)) is not False:
                        found.setdefault(Cut(action.name, term.sort.__name__, value > 0), []).append(out)
        return [(cut, self.algebra.disjunction(found[cut])) for cut in sorted(found)]

    def open_variables(self, variables: Sequence[Variable]) -> dict[Variable, Open]:
        """Additional fields for the values of variables, the same ones for the same positions in the sequence."""
        opened: dict[Variable, Open] = {}
        for place, variable in enumerate(variables):
            field = len(self.places) + place
            self.possible[field] = set(range(len(self.sizes[variable.sort])))
            opened[variable] = Open(field)
        return opened

    def _assignments(self, change: Change, environment: Environment, guard: Expression) -> Iterator[Assignment]:
        for values in product(*(range(len(self.sizes[binder.sort])) for binder in change.binders)):
            inner = {**environment, **dict(zip(change.binders, values, strict=True))}
            condition = self.truth(change.condition, inner)
            if condition is False:
                continue
            for arguments, here in self._tuples(change.arguments, inner):
                place = self.field.get((change.symbol, arguments))
                reached = self.algebra.conjunction((condition, here))
                if self.algebra.conjunction((guard, reached)) is False:
                    continue
                if change.symbol.result is Formula:
                    truth = self.truth(change.value, inner)
                    cases: Cases = [(1, truth), (0, self.algebra.negation(truth))]
                else:
                    cases = self.value(change.value, inner)
                for value, when in cases:
                    effective = self.algebra.conjunction((reached, when))
                    if self.algebra.conjunction((guard, effective)) is False:
                        continue
                    if place is not None and 0 <= value < self._size(change.symbol):  # otherwise the step is cut
                        yield Assignment(place, effective, value)

    def _size(self, symbol: Symbol) -> int:
        return 2 if symbol.result is Formula else len(self.sizes[symbol.result])

    def _tuples(
        self, nodes: Sequence[Node], environment: Environment, events: Happenings | None = None
    ) -> Iterator[tuple[tuple[int, ...], Expression]]:
        cases = [self.value(node, environment, events=events) for node in nodes]
        for combination in product(*cases):
            condition = self.algebra.conjunction(when for _, when in combination)
            if condition is not False:
                yield tuple(value for value, _ in combination), condition

    # -------------------------------------------------------------------------------------------------- formulas

    def truth(
        self, node: Node, environment: Environment, *, after: bool = False, events: Happenings | None = None
    ) -> Expression:
        """A formula over fields; with `after`, all of it in the state after the step."""

        def inner(node: Node, more: Environment | None = None) -> Expression:
            return self.truth(node, environment if more is None else more, after=after, events=events)

        match node:
            case Truth(value):
                return value
            case Named(_, _, body):
                return inner(body)
            case Compare(operator, left, right):
                rights = self.value(right, environment, after=after, events=events)
                return self._compare(operator, self.value(left, environment, after=after, events=events), rights)
            case Not(operand):
                return self.algebra.negation(inner(operand))
            case And(operands):
                return self.algebra.conjunction(map(inner, operands))
            case Or(operands):
                return self.algebra.disjunction(map(inner, operands))
            case Implies(premise, conclusion):
                given = inner(premise)
                if given is False:
                    return True
                return self.algebra.disjunction((self.algebra.negation(given), inner(conclusion)))
            case Quantified(quantifier, variables, body):
                parts = (inner(body, {**environment, **values}) for values in self.environments(variables))
                return self.algebra.conjunction(parts) if quantifier == "all" else self.algebra.disjunction(parts)
            case Apply(symbol, arguments, later):
                if symbol.kind == "event":
                    return self._happened(symbol, arguments, environment, events)
                cases = [self.value(argument, environment, after=after, events=events) for argument in arguments]
                return self._member(symbol, cases, after or later)
            case Choose(condition, chosen, otherwise):
                given = inner(condition)
                ways = ((given, chosen), (self.algebra.negation(given), otherwise))
                return self.algebra.disjunction(self.algebra.conjunction((when, inner(way))) for when, way in ways)
            case _:
                raise TypeError(f"{node} is not a formula")

    def _compare(self, operator: str, lefts: Cases, rights: Cases) -> Expression:
        return self.algebra.disjunction(
            self.algebra.conjunction((when, also))
            for left, when in lefts
            for other, also in rights
            if (left == other if operator == "=" else left < other if operator == "<" else left <= other)
        )

    def _member(self, symbol: Symbol, cases: Sequence[Cases], later: bool) -> Expression:
        parts = []
        for combination in product(*cases):
            place = self.field.get((symbol, tuple(value for value, _ in combination)))
            if place is not None:
                conditions = [when for _, when in combination]
                parts.append(self.algebra.conjunction([*conditions, self.algebra.has(place + AFTER * later, 1)]))
        return self.algebra.disjunction(parts)

    def _happened(
        self, symbol: Symbol, arguments: Sequence[Node], environment: Environment, events: Happenings | None
    ) -> Expression:
        assert events is not None, "only two-state promises read events"
        return self.algebra.disjunction(
            self.algebra.conjunction((happened, here))
            for wanted, here in self._tuples(arguments, environment, events)
            for emitted, values, happened in events
            if emitted is symbol and values == wanted
        )

    def value(
        self, node: Node, environment: Environment, *, after: bool = False, events: Happenings | None = None
    ) -> Cases:
        """A term: its possible values, with their conditions."""

        def inner(node: Node) -> Cases:
            return self.value(node, environment, after=after, events=events)

        found: dict[int, list[Expression]]
        match node:
            case Variable():
                given = environment[node]
                if isinstance(given, Open):
                    return [
                        (value, self.algebra.has(given.field, value)) for value in sorted(self.possible[given.field])
                    ]
                return [(given, True)]
            case Constant(value):
                return [(value, True)]
            case Named(_, _, body):
                return inner(body)
            case Plus(number, amount):
                return [(value + amount, when) for value, when in inner(number)]
            case Times(number, factor):
                return [(value * factor, when) for value, when in inner(number)]
            case Sum(left, right):
                found = {}
                rights = inner(right)
                for one, when in inner(left):
                    for other, also in rights:
                        found.setdefault(one + other, []).append(self.algebra.conjunction((when, also)))
                return self._cases(found)
            case Choose(condition, chosen, otherwise):
                given = self.truth(condition, environment, after=after, events=events)
                other = self.algebra.negation(given)
                found = {}
                for given_now, branch in ((given, chosen), (other, otherwise)):
                    if given_now is not False:
                        for value, when in inner(branch):
                            found.setdefault(value, []).append(self.algebra.conjunction((given_now, when)))
                return self._cases(found)
            case Apply(symbol, arguments, later):
                found = {}
                shift = AFTER * (after or later)
                cases = [inner(argument) for argument in arguments]
                for combination in product(*cases):
                    place = self.field.get((symbol, tuple(value for value, _ in combination)))
                    if place is not None:
                        conditions = [when for _, when in combination]
                        for value in sorted(self.possible[place]):
                            when = self.algebra.conjunction([*conditions, self.algebra.has(place + shift, value)])
                            found.setdefault(value, []).append(when)
                return self._cases(found)
            case _:
                raise TypeError(f"{node} is not a term")

    def _cases(self, found: dict[int, list[Expression]]) -> Cases:
        cases = [(value, self.algebra.disjunction(whens)) for value, whens in found.items()]
        return [(value, when) for value, when in cases if when is not False]

    # ---------------------------------------------------------------------------------------------------- claims

    def environments(self, parameters: Sequence[Variable]) -> Iterator[dict[Variable, int]]:
        """All combinations of values of some parameters."""
        ranges = (range(len(self.sizes[variable.sort])) for variable in parameters)
        for values in product(*ranges):
            yield dict(zip(parameters, values, strict=True))

    def broken(self, promise: Promise) -> Expression:
        """The condition under which a state breaks a promise about states."""
        return self.algebra.disjunction(map(self.algebra.negation, self._each(promise, None)))

    def reached(self, claim: Sometimes, instance: Instance | None = None) -> Expression:
        """The condition under which a state or step reaches a claim."""
        if instance is None:
            return self.algebra.disjunction(self._each(claim, None))
        return self._in_step(claim, instance, lambda: self.algebra.disjunction(self._each(claim, instance.events)))

    def broken_by(self, promise: Promise, instance: Instance) -> Expression:
        """The condition under which a step breaks a promise about steps; unassigned fields are equal before and after."""
        return self._in_step(promise, instance, lambda: self._broken_by(promise, instance))

    def _in_step(self, claim: Promise | Sometimes, instance: Instance, found: Callable[[], Expression]) -> Expression:
        """The condition of a claim in a step: needed by the layout first, and then by the generated code."""
        place = (id(claim), id(instance))
        if place not in self._in_steps:
            # Keeping the instance prevents that another one gets the same identity.
            self._in_steps[place] = (instance, found())
        return self._in_steps[place][1]

    def _broken_by(self, promise: Promise, instance: Instance) -> Expression:
        touched = {assignment.field for assignment in instance.assignments}
        broken = map(self.algebra.negation, self._each(promise, instance.events))
        return self.algebra.disjunction([self.settle(formula, touched) for formula in broken])

    def _each(self, claim: Promise | Sometimes, events: Happenings | None) -> list[Expression]:
        """A claim's formula for all values of its parameters. Few events concern it, so many steps share it."""
        if id(claim) not in self._heard:
            self._heard[id(claim)] = claim, events_in(claim.formula)
        of_interest = self._heard[id(claim)][1]
        heard = None if events is None else tuple(event for event in events if event[0] in of_interest)
        found = self._truths.get((id(claim), heard))
        if found is None:
            environments = self.environments(claim.parameters)
            found = [self.truth(claim.formula, environment, events=heard) for environment in environments]
            self._truths[id(claim), heard] = found
        return found

    def settle(self, expression: Expression, touched: set[int]) -> Expression:
        """Replaces fields after a step by fields before it where the step does not assign them."""
        if isinstance(expression, bool):
            return expression
        if expression[0] == "is":
            field = (
                expression[1] - AFTER
                if expression[1] >= AFTER and expression[1] - AFTER not in touched
                else expression[1]
            )
            return ("is", field, expression[2])
        if expression[0] == "not":
            return self.algebra.negation(self.settle(expression[1], touched))
        parts = (self.settle(part, touched) for part in expression[1])
        return self.algebra.conjunction(parts) if expression[0] == "and" else self.algebra.disjunction(parts)

    def spent(self, field: int) -> Expression:
        """The condition under which a message is spent in the state after a step."""
        symbol, arguments = self.places[field]
        assert isinstance(symbol, Message)
        environment = dict(zip(symbol.parameters, arguments, strict=True))
        return self.truth(symbol.spent, environment, after=True)
