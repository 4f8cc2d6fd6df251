"""Incomplete logs: a process keeps no log, a line omits fields, a log begins in the middle or lacks lines.

| what is missing | what is done | cost |
|---|---|---|
| steps of a process without a log | steps are inferred, searching backwards from what other processes took | 1 each |
| a message sent before its sender's log began | it is assumed to have been sent | 1 |
| a step between the last line of a run and the next run | inferred, of this process only | 1 each |
| a parameter | derived from what the line sent, and from what is possible | 0 |
| the state at the beginning of a log | taken from the first line that contains it | 0 |

Processes that keep no log have to be declared: steps are never inferred because somebody forgot to name a log. Inferred steps
explain the logs; they need not be what happened. So after the first inferred step a line diverges only if its process contradicts
itself, whatever the others did. Every other misfit is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from conformance.logs.causal_order import CausalOrder, Process
from conformance.logs.matcher import MatcherState
from conformance.logs.names import FULL_STATE
from conformance.logs.reading import Record
from impl.events.line import Sent, State
from model.explaining.insertion import Inserter
from model.explaining.repairs import Step
from model.explaining.scene import Environment, Scene
from model.language import Action, Message, Symbol
from model.language.terms import Apply, Compare, Formula, Node, Not, Number, Value, Variable
from model.language.transition import symbols
from model.matching.compiled import CompiledAction, Members, apply
from model.matching.layout import Tables, first
from model.matching.observed import Misfit, Observer
from model.reference.state import Element, Tuple

KEPT_MAX: Final = 20
"""Inferred steps that are kept by name; the others are only counted."""

CHOICES_MAX: Final = 64
"""Choices that are tried for a line that omits a parameter."""

RESTARTS_MAX: Final = 8
"""Consecutive starts of a process that no line records."""


@dataclass(frozen=True, slots=True)
class InferredStep:
    """A step that no line records."""

    before: str
    """The line that needs it."""
    protocol: str
    step: Step


@dataclass
class Inference:
    """The inferred steps, and what can still be concluded after them."""

    causal_order: CausalOrder
    remake: Callable[[MatcherState, Members], Observer]
    """Compiles a protocol for this validation alone."""
    inferred: list[InferredStep] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    bounded: bool = False
    """Whether the last search reached a bound."""
    chosen: set[str] = field(default_factory=set)
    """Processes for which a step was chosen: a line left it open, or no line records it."""
    named: dict[type[Value], list[Element]] = field(default_factory=dict)
    """Values that the current line names, by sort: an undetermined parameter may be one of them."""
    _scenes: dict[str, Scene] = field(default_factory=dict)
    _hole: str = ""
    """The process that may have taken steps without a line, during a search; else empty."""

    def fork(self, causal_order: CausalOrder, remake: Callable[[MatcherState, Members], Observer]) -> Inference:
        """A copy with the same certainty."""
        return Inference(causal_order, remake, list(self.inferred), dict(self.counts), self.bounded, set(self.chosen))

    @property
    def guesses(self) -> bool:
        """Whether any step was inferred or chosen."""
        return bool(self.counts)

    # ------------------------------------------------------------------------------------------------ who may have

    def sender(self, message: Message[Any], arguments: Sequence[Element]) -> str:
        """The process that sends such a message."""
        return process_of(message.sender, arguments[0] if arguments else "")

    def _may(self, action: Action, given: Environment) -> bool:
        if action.role.environment:
            return True  # its guard says that the agent is Byzantine, and Byzantine agents keep no log
        host = given.get(action.parameters[0]) if action.role.each is not None else ""
        if host is None:
            return True  # checked again once the host is known
        name = process_of(action.role, host)
        return name == self._hole or self.causal_order.is_silent(name)

    def members(self, tables: Tables, sort: type[Value]) -> list[Element]:
        """The members of a sort: first those that the current line names, last a fresh one that no line names."""
        found = list(dict.fromkeys([*self.named.get(sort, ()), *tables.members(sort)]))
        return found if issubclass(sort, Number) else [*found, f"some-{sort.title}"]

    # --------------------------------------------------------------------------------------------------- repairs

    def complete(self, process: Process, record: Record, matcher: MatcherState, name: str, misfit: Misfit) -> bool:
        """Infers the steps that a line needs and takes the line; returns whether that worked."""
        line, ready = record.line, matcher.observer.actions[name]
        if misfit.kind == "missing":
            return self._choose(process, record, matcher, ready)
        choices = tuple(line.attributes[parameter] for parameter in ready.names)
        given = dict(zip(ready.action.parameters, choices, strict=True))
        if self._trusted(process, record, matcher, ready, given):
            again = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
            return again is None or self.complete(process, record, matcher, name, again)
        scene = self._scene(matcher)

        def fits() -> bool:
            return not isinstance(matcher.observer.fits(matcher.tables, ready, choices, line.sent, line.after), Misfit)

        goals = [*self._stated_goals(matcher, ready, line.after), *((node, given) for node in ready.action.guard)]
        self._hole = self._crashed(ready.action, given)
        try:
            found = self._insert(process, record, matcher, goals, fits)
        finally:
            self._hole = ""
        if not found and not self._start_again(process, record, matcher, ready, choices, fits):
            return False
        remaining = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
        assert remaining is None, scene
        return True

    def _crashed(self, action: Action, given: Environment) -> str:
        """The process that sends what the step takes, if it has restarted: its last step before the crash may have no line."""
        for taken in action.takes:
            assert isinstance(taken.symbol, Message)
            name = self.sender(
                taken.symbol, [given[argument] for argument in taken.arguments if isinstance(argument, Variable)]
            )
            by = self.causal_order.processes.get(name)
            if by is not None and by.ended:
                return name
        return ""

    def contradicted(self, process: Process, matcher: MatcherState, misfit: Misfit) -> Misfit:
        """If this conjunct may be false because a log is missing, another one that is false on completely logged state."""
        if misfit.kind == "guard" and not self.is_certain(process, matcher, misfit):
            action, given = matcher.observer.actions[misfit.action].action, dict(misfit.choices)
            environment = {parameter: given[parameter.name] for parameter in action.parameters}
            for place, node in enumerate(action.guard):
                other = replace(misfit, expected=place)
                if not self._scene(matcher).value(node, environment) and self.is_certain(process, matcher, other):
                    return other
        return misfit

    def settle(
        self, process: Process, record: Record, matcher: MatcherState, state: State, fits: Callable[[], bool]
    ) -> bool:
        """Infers steps of the process itself after which its state is as the line says: its previous run ended in them."""
        self._hole = process.name
        try:
            found = self._insert(process, record, matcher, list(self._differing(process, matcher, state)), fits)
            if found:
                self.chosen.add(process.name)
            return found
        finally:
            self._hole = ""

    def _insert(
        self,
        process: Process,
        record: Record,
        matcher: MatcherState,
        goals: Sequence[tuple[Node, Environment]],
        fits: Callable[[], bool],
    ) -> bool:
        self.named = named_in(record, matcher)
        inserter = Inserter(self._scene(matcher), self._may)
        steps = inserter.insert(goals, fits)
        self.bounded = inserter.bounded
        if steps is None:
            return False
        self._note(record, matcher, steps)
        return True

    def _start_again(
        self,
        process: Process,
        record: Record,
        matcher: MatcherState,
        ready: CompiledAction,
        choices: Tuple,
        fits: Callable[[], bool],
    ) -> bool:
        """Infers starts of a process that was killed while it started, before it wrote a line."""
        if record.line.sequence != 1 or not process.started:
            return False
        before = matcher.tables.copy()
        for count in range(1, RESTARTS_MAX + 1):
            if ready.refuses(matcher.tables, *choices) != -1:
                break
            apply(matcher.tables, ready.changes(matcher.tables, *choices))
            if fits():
                step = Step(ready.action.name, tuple(zip(ready.names, choices, strict=True)))
                self._note(record, matcher, [step] * count)
                return True
        self._replace(matcher, before)
        return False

    def _note(self, record: Record, matcher: MatcherState, steps: Sequence[Step]) -> None:
        for step in steps:
            self._count(f"put in: {step.action}")
            if len(self.inferred) < KEPT_MAX:
                self.inferred.append(InferredStep(record.place, matcher.protocol.name, step))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # ------------------------------------------------------------------------------------------- omitted fields

    def _choose(self, process: Process, record: Record, matcher: MatcherState, ready: CompiledAction) -> bool:
        """Finds the parameters that a line omits."""
        line, action = record.line, ready.action
        known: dict[Variable, Element] = {
            parameter: line.attributes[parameter.name]
            for parameter in action.parameters
            if parameter.name in line.attributes
        }
        known |= parameters_from_messages(action, line.sent or (), known)
        fitting = []
        for choices in self._scene(matcher).choices(action, known, CHOICES_MAX):
            changes = matcher.observer.fits(matcher.tables, ready, choices, line.sent, line.after)
            if not isinstance(changes, Misfit):
                fitting.append(choices)
        if not fitting:
            self.bounded = True
            return False
        if len(fitting) > 1:
            self.chosen.add(process.name)
            self._count("lines of which a parameter was chosen")
        given = dict(zip(ready.names, fitting[0], strict=True))
        misfit = matcher.observer.observe(matcher.tables, action.name, given, line.sent, line.after)
        assert misfit is None, "the chosen parameters fit"
        return True

    def _stated_goals(
        self, matcher: MatcherState, ready: CompiledAction, after: Mapping[str, Sequence[Sequence[Any]]] | None
    ) -> Iterator[tuple[Node, Environment]]:
        """Goals from what a line says of the state of other roles: that held before the line too."""
        for name, entries in (after or {}).items():
            symbol = matcher.observer.compiled.layout.kept.get(name)
            if symbol is not None and symbol.holder is not ready.action.role:
                for *arguments, value in entries:
                    if value:
                        yield entry_goal(symbol, tuple(arguments), value)

    def _differing(self, process: Process, matcher: MatcherState, state: State) -> Iterator[tuple[Node, Environment]]:
        """Goals for the entries that differ from a full state."""
        kept = matcher.observer.compiled.layout.kept
        for name, entries in state.items():
            for *arguments, value in entries:
                if matcher.tables.get(name, tuple(arguments)) != value:
                    yield entry_goal(kept[name], tuple(arguments), value)
        for symbol, entry, value in missing_entries(process, matcher, state):
            node, given = entry_goal(kept[symbol], entry, value)
            yield Not(node), given

    # ------------------------------------------------------------------------------------ before the log began

    def _trusted(
        self, process: Process, record: Record, matcher: MatcherState, ready: CompiledAction, given: Environment
    ) -> bool:
        """Assumes that a message was sent, if its sender's log began later; returns whether it did."""
        for taken in ready.action.takes:
            message = taken.symbol
            assert isinstance(message, Message)
            arguments = tuple(given[argument] for argument in taken.arguments if isinstance(argument, Variable))
            by = self.causal_order.processes.get(self.sender(message, arguments))
            if by is not None and by.late and arguments not in matcher.tables.table(message.name):
                matcher.tables.put(message.name, arguments, True)
                self._count("messages sent before a log began")
                return True
        return False

    def begin(self, process: Process, record: Record, matchers: Mapping[str, MatcherState]) -> bool:
        """Whether the state of the line's process is still unknown; then only its messages and state are noted.

        A log is complete from the start if its first line is the first of a run and contains no state yet.
        """
        line = record.line
        states = by_protocol(line.event, line.state, matchers)
        if not process.started and not process.late:
            is_empty = not any(entries for state in states.values() for entries in state.values())
            process.late = line.sequence != 1 or not (is_empty or self._fits_the_start(line.event, states, matchers))
        if not process.late:
            process.begun.update(matchers)
            return False
        for message in line.sent or ():
            protocol, name = split(line.event, str(message[0]))
            if protocol in matchers:
                matchers[protocol].tables.put(name, tuple(message[1:]), True)
        for protocol in states.keys() - process.begun:
            process.begun.add(protocol)
            for name, entries in states[protocol].items():
                for *arguments, value in entries:
                    matchers[protocol].tables.put(name, tuple(arguments), value)
        self._count("lines from which a state was taken" if states else "lines before a state is known")
        return True

    def _fits_the_start(self, event: str, states: Mapping[str, State], matchers: Mapping[str, MatcherState]) -> bool:
        """Whether the first line is the step from the initial state to the state it contains: an agent's first one."""
        protocol, _, name = event.partition(".")
        if protocol not in matchers or name not in matchers[protocol].observer.actions:
            return False
        numbers = [value for state in states.values() for some in state.values() for *_, value in some]
        return numbers == [1]

    # --------------------------------------------------------------------------------------------------- certainty

    def is_certain(self, process: Process, matcher: MatcherState, misfit: Misfit) -> bool:
        """Whether a line cannot fit whatever happened without a line: it contradicts completely logged state alone."""
        if process.name in self.chosen or process.late or misfit.kind == "missing":
            return False
        kept = matcher.observer.compiled.layout.kept
        if misfit.kind == "state":
            return self._is_logged(kept[misfit.field.partition(".")[2]].holder)
        if misfit.action not in matcher.observer.actions:
            return not self._is_partly_logged()
        action = matcher.observer.actions[misfit.action].action
        if misfit.kind == "guard":
            if misfit.expected < len(action.takes):
                taken = action.takes[misfit.expected]
                given = dict(misfit.choices)
                arguments = [given[argument.name] for argument in taken.arguments if isinstance(argument, Variable)]
                assert isinstance(taken.symbol, Message)
                if any(other.role.environment for other in senders(matcher, taken.symbol)):
                    host = str(arguments[0])
                    if not matcher.observer.compiled.constants["correct"](host):
                        return False
                by = self.causal_order.processes.get(self.sender(taken.symbol, arguments))
                # A process that restarted may have taken a last step before that without a line.
                return by is not None and by.started and not (by.late or by.ended) and by.name not in self.chosen
            nodes: list[Node] = [action.guard[misfit.expected]]
        else:
            nodes = [node for change in action.changes for node in (*change.arguments, change.value, change.condition)]
        holders = {
            symbol.holder
            for node in nodes
            for symbol in symbols(node)
            if isinstance(symbol, Symbol) and symbol.kind == "state"
        }
        return all(holder is action.role or self._is_logged(holder) for holder in holders)

    def _is_logged(self, role: Any) -> bool:
        """Whether all of a role's steps are in the logs."""
        if role is None or role.each is not None:
            return not self._is_partly_logged()
        process = self.causal_order.processes.get(process_of(role, ""))
        return process is not None and process.started and not process.late and process.name not in self.chosen

    def _is_partly_logged(self) -> bool:
        return bool(self.chosen or self.causal_order.without) or any(
            process.late for process in self.causal_order.processes.values()
        )

    # ------------------------------------------------------------------------------------------------------- inside

    def _scene(self, matcher: MatcherState) -> Scene:
        """The matcher's state as a search space. The matcher gets its own compiled protocol, with indexes for the search."""
        name = matcher.protocol.name
        if name not in self._scenes:
            matcher.move_to(self.remake(matcher, self.members))
            self._scenes[name] = Scene.on(matcher.observer.compiled, matcher.tables)
        return self._scenes[name]

    def _replace(self, matcher: MatcherState, before: Any) -> None:
        for name in matcher.tables.layout.kept:
            wanted = dict(before.entries(name))
            for arguments, _ in list(matcher.tables.entries(name)):
                if arguments not in wanted:
                    matcher.tables.put(name, arguments, first(matcher.tables.layout.kept[name]))
            for arguments, value in wanted.items():
                if matcher.tables.get(name, arguments) != value:
                    matcher.tables.put(name, arguments, value)


def process_of(role: Any, host: object) -> str:
    """The process name of a role in logs."""
    name = str(role.name).lower()
    return name if role.each is None else f"{name}/{host}"


def split(event: str, name: str) -> tuple[str, str]:
    """The protocol and the bare name of a message or symbol in a line."""
    protocol, dot, bare = name.partition(".")
    return (protocol, bare) if dot else (event.partition(".")[0], name)


def by_protocol(event: str, state: State | None, matchers: Mapping[str, MatcherState]) -> dict[str, State]:
    """A line's state by protocol, under the protocol's own names."""
    found: dict[str, State] = {}
    for key, entries in (state or {}).items():
        protocol, name = split(event, key)
        if protocol in matchers:
            found.setdefault(protocol, {})[name] = entries
    return found


def entry_goal(symbol: Symbol, arguments: Tuple, value: Any) -> tuple[Node, Environment]:
    """A formula and an environment that state that an entry has this value."""
    names = [Variable(f"a{place}", sort) for place, sort in enumerate(symbol.arguments)]
    given: dict[Variable, Element] = dict(zip(names, arguments, strict=True))
    read = Apply(symbol, tuple(names))
    if symbol.result is Formula:
        return (read if value else Not(read)), given
    result = Variable("a_value", symbol.result)
    return Compare("=", read, result), {**given, result: value}


def parameters_from_messages(
    action: Action, sent: Sequence[Sent], known: Mapping[Variable, Element]
) -> dict[Variable, Element]:
    """Parameters of a step, read from the messages that it sent."""
    found: dict[Variable, Element] = {}
    for name, *arguments in sent:
        for change in action.changes:
            if change.symbol.name == name and not change.binders:
                for node, value in zip(change.arguments, arguments, strict=True):
                    if isinstance(node, Variable) and node in action.parameters and node not in known:
                        found[node] = value
    return found


def missing_entries(process: Process, matcher: MatcherState, state: State) -> Iterator[tuple[str, Tuple, Any]]:
    """Entries of a process's state that are missing from a full state, with their value in the model."""
    for shown in FULL_STATE[matcher.protocol.name].get(process.role, ()):
        stated = {tuple(entry[:-1]) for entry in state.get(shown.symbol, ())}
        tables, own = matcher.tables, shown.own
        ours = tables.entries(shown.symbol) if own is None else tables.entries_with(shown.symbol, own, process.host)
        for arguments, value in ours:
            if (shown.only is None or value == shown.only) and arguments not in stated:
                yield shown.symbol, arguments, value


def senders(matcher: MatcherState, message: Message[Any]) -> list[Action]:
    """The actions that send a message."""
    return [action for action in matcher.protocol.actions if any(change.symbol is message for change in action.changes)]


def named_in(record: Record, matcher: MatcherState) -> dict[type[Value], list[Element]]:
    """The values that a line names, by sort."""
    kept = matcher.observer.compiled.layout.kept
    found: dict[type[Value], dict[Element, None]] = {}
    tuples: list[tuple[str, Sequence[Any]]] = [(str(name), rest) for name, *rest in record.line.sent or ()]
    for entries in (record.line.after, record.line.state):
        for key, some in (entries or {}).items():
            tuples += [(split("", key)[1], entry) for entry in some]
    for name, values in tuples:
        if name in kept:
            for value, sort in zip(values, kept[name].arguments, strict=False):
                found.setdefault(sort, {})[value] = None
    return {sort: list(values) for sort, values in found.items()}
