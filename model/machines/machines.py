"""The protocol as executable state machines, one set for each role instance.

| machine | states | source |
|---|---|---|
| of a role instance | `running` | the role's actions: each is a trigger whose condition is the protocol's guard |
| of a lifecycle | the members of its enumeration | the moves that actions declare: one machine per instance, held by its role |

The library `transitions` makes the machines, with automatic transitions off, so that they permit only what the protocol says. An
occurrence triggers its role's machine; the lifecycles that it moves get the same trigger. After each step every lifecycle's machine
must be in the state of its lifecycle; anything else is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from transitions import EventData, Machine, MachineError

from model.language import Action, Change, Lifecycle, Move, Protocol, Role
from model.language.bounds import Written, written
from model.language.terms import Constant, Formula, Variable
from model.language.walk import free
from model.machines.closures import Closure, Environment, Tables, closure
from model.reference.configuration import Configuration, refuse_misread
from model.reference.cut import Cut
from model.reference.interpreter import Events
from model.reference.state import Element, Occurrence, State, Tuple, elements, initial_state

RUNNING = "running"


class NotPossible(Exception):
    """The guard of an occurrence is false, or a number would leave its bounds."""


class Contradiction(Exception):
    """A lifecycle's machine and the protocol's state disagree: the protocol makes a move that it does not declare."""


@dataclass(frozen=True)
class _Effect:
    """A change, ready to be computed."""

    change: Change
    arguments: tuple[Closure, ...]
    value: Closure
    condition: Closure
    binders: tuple[str, ...]
    choices: tuple[Tuple, ...]


@dataclass(frozen=True)
class _Number:
    """A number that a step writes and that may leave its bounds."""

    name: str
    value: Closure
    condition: Closure
    bound: int
    inner: tuple[Mapping[str, Element], ...]
    """The values of its binders."""


class _Executable:
    """One action: its guard and effects over the tables."""

    def __init__(self, action: Action, configuration: Configuration) -> None:
        self.action = action
        self.names = tuple(parameter.name for parameter in action.parameters)
        self.domains = [elements(parameter.sort, configuration) for parameter in action.parameters]
        self._configuration = configuration
        self.guard = [
            (closure(node, configuration), frozenset(variable.name for variable in free(node))) for node in action.guard
        ]
        self._effects = [self._effect(change) for change in action.changes]
        self._numbers = [self._number(term) for term in written(action)]
        self._emits = [
            (emit.symbol.name, tuple(closure(part, configuration) for part in emit.arguments)) for emit in action.emits
        ]

        self._moves: list[tuple[Move, Closure, tuple[Closure, ...], Tuple]] = [
            (
                move,
                closure(move.condition, configuration),
                tuple(closure(argument, configuration) for argument in move.arguments),
                chosen,
            )
            for move in action.moves
            for chosen in product(*(elements(binder.sort, configuration) for binder in move.binders))
        ]

    def _effect(self, change: Change) -> _Effect:
        configuration = self._configuration
        return _Effect(
            change,
            tuple(closure(node, configuration) for node in change.arguments),
            closure(change.value, configuration),
            closure(change.condition, configuration),
            tuple(binder.name for binder in change.binders),
            tuple(product(*(elements(binder.sort, configuration) for binder in change.binders))),
        )

    def _number(self, term: Written) -> _Number:
        configuration = self._configuration
        names = [binder.name for binder in term.binders]
        chosen = product(*(elements(binder.sort, configuration) for binder in term.binders))
        return _Number(
            term.sort.__name__,
            closure(term.node, configuration),
            closure(term.condition, configuration),
            configuration.bounds[term.sort.__name__],
            tuple(dict(zip(names, values, strict=True)) for values in chosen),
        )

    def possible(self, tables: Tables, given: Environment) -> bool:
        """Whether the guard holds, and every number stays within its bounds."""
        return all(part(tables, given) for part, _ in self.guard) and self.cut(tables, given) is None

    def cut(self, tables: Tables, given: Environment) -> Cut | None:
        """Why the step would leave the bounds; None if it stays within them."""
        return min(self._leaving(tables, given), default=None)

    def _leaving(self, tables: Tables, given: Environment) -> Iterator[Cut]:
        for number in self._numbers:
            for values in number.inner:
                inner = {**given, **values}
                if number.condition(tables, inner) and not 0 <= (value := number.value(tables, inner)) <= number.bound:
                    yield Cut(self.action.name, number.name, value > 0)

    def choices(self, tables: Tables) -> Iterator[Tuple]:
        """All choices for which the guard holds: taken messages first, each part of the guard as early as possible."""
        taken = self.action.takes[0] if self.action.takes else None
        names = tuple(part.name for part in taken.arguments if isinstance(part, Variable)) if taken is not None else ()
        if taken is not None and len(set(names)) == len(taken.arguments):  # each field is a choice of its own
            for arguments in tables[taken.symbol.name]:
                yield from self._choose(tables, dict(zip(names, arguments, strict=True)), names)
        else:
            yield from self._choose(tables, {}, ())

    def _choose(self, tables: Tables, given: dict[str, Element], bound: tuple[str, ...]) -> Iterator[Tuple]:
        known = frozenset(bound)
        if not all(part(tables, given) for part, reads in self.guard if reads <= known):
            return
        yield from self._bind(tables, given, known, 0)

    def _bind(self, tables: Tables, given: dict[str, Element], known: frozenset[str], place: int) -> Iterator[Tuple]:
        while place < len(self.names) and self.names[place] in known:
            place += 1
        if place == len(self.names):
            yield tuple(given[name] for name in self.names)
            return
        name = self.names[place]
        now = known | {name}
        tests = [part for part, reads in self.guard if name in reads and reads <= now]
        for value in self.domains[place]:
            inner = {**given, name: value}
            if all(test(tables, inner) for test in tests):
                yield from self._bind(tables, inner, now, place + 1)

    def effects(self, tables: Tables, given: Environment) -> list[tuple[str, bool, dict[Tuple, Any]]]:
        """The changes: symbol, whether it is a relation, and the new values; all read from the unchanged tables."""
        found = []
        for effect in self._effects:
            written: dict[Tuple, Any] = {}
            for chosen in effect.choices:
                inner = {**given, **dict(zip(effect.binders, chosen, strict=True))} if chosen else given
                if effect.condition(tables, inner):
                    written[tuple(part(tables, inner) for part in effect.arguments)] = effect.value(tables, inner)
            found.append((effect.change.symbol.name, effect.change.symbol.result is Formula, written))
        return found

    def moving(self, tables: Tables, given: Environment) -> set[tuple[str, Tuple]]:
        """The lifecycle instances of the declared moves."""
        found = set()
        for move, condition, arguments, chosen in self._moves:
            inner = {**given, **dict(zip((binder.name for binder in move.binders), chosen, strict=True))}
            if condition(tables, inner):
                found.add((move.lifecycle.name, tuple(part(tables, inner) for part in arguments)))
        return found

    def events(self, tables: Tables, given: Environment) -> Events:
        """The events of the step."""
        return frozenset((name, tuple(part(tables, given) for part in parts)) for name, parts in self._emits)


class LifecycleModel:
    """The model of one lifecycle instance's machine: its state is `state`."""

    state: str

    def __init__(self, system: System, lifecycle: Lifecycle[Any, Any], arguments: Tuple) -> None:
        self._system = system
        self.lifecycle = lifecycle
        self.arguments = arguments
        self.target = ""
        """The target of the current step."""

    def leads(self, event: EventData) -> bool:
        """The condition of every transition: it is the one to the state that the step leads to."""
        assert event.transition is not None
        return bool(event.transition.dest == self.target)

    def now(self) -> str:
        """The state according to the protocol."""
        return self._system.value_of(self.lifecycle, self.arguments)

    def __str__(self) -> str:
        return f"{self.lifecycle.name}({', '.join(map(str, self.arguments))})"


class RoleModel:
    """The model of one role instance's machine."""

    state: str

    def __init__(self, system: System, role: Role, member: str) -> None:
        self._system = system
        self.role = role
        self.member = member

    def possible(self, event: EventData) -> bool:
        """The condition of every trigger: the protocol's guard."""
        return self._system.executables[event.event.name].possible(self._system.tables, event.kwargs["choices"])

    def perform(self, event: EventData) -> None:
        """The effect of a trigger: the protocol's update."""
        self._system.perform(event.event.name, event.kwargs["choices"])

    def __str__(self) -> str:
        return f"{self.role.name} {self.member}".rstrip()


class System:
    """A run of the protocol in a configuration: the tables, and the machines of all role instances."""

    def __init__(self, protocol: Protocol, configuration: Configuration, *, check: bool = True) -> None:
        refuse_misread(protocol, configuration)
        self.protocol = protocol
        self.configuration = configuration
        self.tables: Tables = {}
        self.events: Events = frozenset()
        """The events of the last step."""
        self._check = check
        self.executables = {
            action.name: _Executable(action, configuration)
            for action in protocol.actions
            if action.name not in configuration.without
        }
        self._values = {
            each_lifecycle: closure(each_lifecycle.value.node, configuration) for each_lifecycle in protocol.lifecycles
        }
        self.roles = {str(model): model for model in self._roles()}
        self._machines = {str(model): self._role_machine(model) for model in self.roles.values()}
        self.load(initial_state(protocol, configuration))
        self.lifecycles: list[LifecycleModel] = []
        for lifecycle in protocol.lifecycles:
            models = [LifecycleModel(self, lifecycle, arguments) for arguments in self._instances(lifecycle)]
            lifecycle_machine(protocol, lifecycle, models)
            self.lifecycles += models
        self._place_lifecycles()

    def _roles(self) -> Iterator[RoleModel]:
        for role in self.protocol.roles:
            members = self.configuration.sorts[role.each.__name__] if role.each is not None else ("",)
            for member in members:
                yield RoleModel(self, role, member)

    def _role_machine(self, model: RoleModel) -> Machine:
        machine = Machine(
            model=model, states=[RUNNING], initial=RUNNING, transitions=[], auto_transitions=False, send_event=True
        )
        for action in self.protocol.actions:
            if action.role is model.role and action.name in self.executables:
                machine.add_transition(action.name, RUNNING, "=", conditions="possible", after="perform")
        return machine

    def _instances(self, lifecycle: Lifecycle[Any, Any]) -> Iterator[Tuple]:
        return product(*(elements(parameter.sort, self.configuration) for parameter in lifecycle.parameters))

    # ------------------------------------------------------------------------------------------------- running

    def load(self, state: State) -> None:
        """Loads a state, reachable or not."""
        self.tables = {name: set(tuples) for name, tuples in state.relations.items()}
        self.tables |= {name: dict(table) for name, table in state.functions.items()}
        if hasattr(self, "lifecycles"):
            self._place_lifecycles()

    def _place_lifecycles(self) -> None:
        for model in self.lifecycles:
            model.state = model.now()

    @property
    def state(self) -> State:
        """The current state."""
        relations = {name: frozenset(table) for name, table in self.tables.items() if isinstance(table, set)}
        functions = {name: dict(table) for name, table in self.tables.items() if isinstance(table, dict)}
        return State(relations, functions)

    def enabled(self) -> list[Occurrence]:
        """All enabled occurrences: actions as declared, then choices."""
        return [occurrence for occurrence, cut in self.guarded() if cut is None]

    def guarded(self) -> Iterator[tuple[Occurrence, Cut | None]]:
        """All occurrences whose guard holds, and why those are cut that would leave the bounds."""
        for name, executable in self.executables.items():
            for choices in sorted(executable.choices(self.tables)):
                if self.configuration.allows(name, choices):
                    given = tuple(zip(executable.names, choices, strict=True))
                    yield Occurrence(name, given), executable.cut(self.tables, dict(given))

    def take(self, occurrence: Occurrence) -> Events:
        """Takes a step: triggers the machine of the acting role. Returns the events of the step.

        Raises:
            NotPossible: the machine refuses the trigger.
            Contradiction: a lifecycle makes a move that no action declares.
        """
        executable = self.executables.get(occurrence.action)
        if executable is None:
            raise NotPossible(f"{occurrence}: no such action here")
        role = executable.action.role
        member = str(occurrence.choices[0][1]) if role.each is not None else ""
        model = self.roles[f"{role.name} {member}".rstrip()]
        if not model.trigger(occurrence.action, choices=dict(occurrence.choices)):  # type: ignore[attr-defined] # the library's
            raise NotPossible(f"{occurrence}: its guard is false")
        return self.events

    def perform(self, name: str, given: Environment) -> None:
        """Applies the action's changes to the tables, and moves the lifecycles accordingly."""
        executable = self.executables[name]
        effects = executable.effects(self.tables, given)
        self.events = executable.events(self.tables, given)
        moving = executable.moving(self.tables, given) if self._check else set()
        for symbol, is_relation, changed in effects:
            table = self.tables[symbol]
            for arguments, value in changed.items():
                if not is_relation:
                    table[arguments] = value
                elif value:
                    table.add(arguments)
                else:
                    table.discard(arguments)
        if self._check:
            self._follow(name, moving)

    def _follow(self, action: str, moving: set[tuple[str, Tuple]]) -> None:
        for model in self.lifecycles:
            model.target = model.now()
            if model.target == model.state:
                continue
            was = model.state
            moved = (model.lifecycle.name, model.arguments) in moving
            try:
                moved = moved and model.trigger(action)  # type: ignore[attr-defined] # the library's
            except MachineError:
                moved = False
            if not moved:
                raise Contradiction(f"{action} moves {model} from {was} to {model.target} without declaring it")

    def value_of(self, lifecycle: Lifecycle[Any, Any], arguments: Tuple) -> str:
        """The state of a lifecycle instance, according to the tables."""
        names = (parameter.name for parameter in lifecycle.parameters)
        return str(self._values[lifecycle](self.tables, dict(zip(names, arguments, strict=True))))


# ------------------------------------------------------------------------------------------------------ diagrams


def moves_of(protocol: Protocol, lifecycle: Lifecycle[Any, Any]) -> dict[tuple[str, str], list[str]]:
    """The moves of a lifecycle, from state to state, each with the names of the actions."""
    names = lifecycle.states.names()
    found: dict[tuple[str, str], list[str]] = {}
    for action in protocol.actions:
        for source, target in _pairs(action, lifecycle):
            if source != target:
                actions = found.setdefault((names[source], names[target]), [])
                if action.name not in actions:
                    actions.append(action.name)
    return found


def _pairs(action: Action, lifecycle: Lifecycle[Any, Any]) -> Iterator[tuple[int, int]]:
    moves: list[Move] = [move for move in action.moves if move.lifecycle is lifecycle]
    for move in moves:
        for source, target in product(move.sources, move.targets):
            assert isinstance(source, Constant)
            assert isinstance(target, Constant)
            yield source.value, target.value


def lifecycle_machine(protocol: Protocol, lifecycle: Lifecycle[Any, Any], models: list[LifecycleModel]) -> Machine:
    """The machine of a lifecycle, moving these instances."""
    machine = Machine(
        model=models,
        states=list(lifecycle.states.names()),
        initial=lifecycle.states.names()[0],
        transitions=[],
        auto_transitions=False,
        send_event=True,
    )
    for (source, target), actions in moves_of(protocol, lifecycle).items():
        for action in actions:
            machine.add_transition(action, source, target, conditions="leads")
    return machine


def mermaid(protocol: Protocol, lifecycle: Lifecycle[Any, Any]) -> str:
    """The state diagram of a lifecycle, drawn from its machine in Mermaid."""
    machine = lifecycle_machine(protocol, lifecycle, [])
    lines = ["stateDiagram-v2", f"    [*] --> {machine.initial}"]
    edges: dict[tuple[str, str], list[str]] = {}
    for trigger, event in machine.events.items():
        for source, transitions in event.transitions.items():
            for transition in transitions:
                edges.setdefault((source, str(transition.dest)), []).append(trigger)
    lines += [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in edges.items()]
    return "\n".join(lines) + "\n"
