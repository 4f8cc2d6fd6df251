"""Logs of runs of the specification, as a deployment would write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.logs.names import FULL_STATE, RESTARTS
from conformance.logs.reading import Record
from conformance.protocols import base
from impl.events.line import Line, encoded
from model.language import Protocol
from model.language.terms import Formula
from model.matching.compiled import Compiled
from model.reference.state import Element, Occurrence, State, Trace, elements
from tests.model.matching.test_compiled import constants, load

RUN = "{:016x}"

Entry = tuple[str, tuple[Element, ...]]


@dataclass
class Writer:
    """Writes the line of each step of a run. Steps of the adversary are in no log."""

    protocol: Protocol
    trace: Trace
    without: frozenset[str] = frozenset()
    """Processes that keep no log."""
    ids: bool = True
    """Whether messages carry the id of the line that sent them."""
    snapshots: int = 0
    """Lines of a process between two snapshots of its state; 0 for no snapshots."""
    runs: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    sent_by: dict[tuple[Element, ...], str] = field(default_factory=dict)
    time: int = 0

    def __post_init__(self) -> None:
        configuration = self.trace.configuration
        self.compiled, self.rightly = (
            Compiled(of, constants(of, configuration), members=lambda _, sort: elements(sort, configuration))
            for of in (self.protocol, base(self.protocol))
        )
        self.name = self.protocol.name.partition(" with ")[0]
        self.actions = {action.name: action for action in self.protocol.actions}
        self.symbols = {symbol.name: symbol for symbol in self.protocol.symbols}
        placed: Any = configuration.constants.get("vpc_of", {})
        self.words: dict[Element, Element] = {pod: f"{vpc}/{pod}" for (pod,), vpc in placed.items()}
        for number, request in enumerate(configuration.sorts.get("Request", ()), start=1):
            self.words[request] = f"1.{number}"

    def lines(self) -> Iterator[Line]:
        """All lines, in the order of the run."""
        for before, after, step in zip(self.trace.states[:-1], self.trace.states[1:], self.trace.steps, strict=True):
            yield from self._line(before, after, step)

    def records(self) -> list[Record]:
        """The lines as records of one file."""
        return [Record("written", place, line) for place, line in enumerate(self.lines(), start=1)]

    def text(self) -> bytes:
        """The lines as a file."""
        return b"".join(encoded(line) + b"\n" for line in self.lines())

    def _line(self, before: State, after: State, step: Occurrence) -> Iterator[Line]:
        action = self.actions[step.action]
        role = next(name for name, value in self._roles().items() if value is action.role)
        given = dict(step.choices)
        host = str(given[action.parameters[0].name]) if action.role.each is not None else ""
        process = f"aca/{host}" if role == "aca" else role
        if role == "adversary" or process in self.without or role in self.without:
            return
        again = step.action in RESTARTS.values() or step.action == "restart"
        if again or process not in self.runs:
            self.runs[process] = self.runs.get(process, 0) + 1
            self.numbers[process] = 0
            if step.action != "restart":
                has = after if step.action in RESTARTS.values() else before
                yield self._made(process, "process.started", {}, state=self._state(role, host, has, prefixed=True))
        if step.action in RESTARTS.values():
            return
        changes = self._changes(action.name, before, after, step)
        names = {message.name for message in self.protocol.messages}
        sent = tuple((name, *arguments) for (name, arguments), value in changes.items() if name in names and value)
        entries: dict[str, list[Any]] = {}
        for (name, arguments), value in changes.items():
            symbol = self.symbols[name]
            if symbol.kind == "state" and name != "used" and (symbol.holder is action.role or symbol.holder is None):
                entries.setdefault(name, []).append((*arguments, value))
        taken = None
        if action.takes and self.ids:
            (taking,) = action.takes
            message = (taking.symbol.name, *(given[argument.name] for argument in taking.arguments))  # type: ignore[union-attr]
            taken = self.sent_by.get(message)
        line = self._made(
            process,
            f"{self.name}.{step.action}",
            {name: value for name, value in given.items() if name in self.rightly.actions[step.action].names},
            taken=taken,
            sent=sent,
            after={name: tuple(some) for name, some in entries.items()} or None,
            state=self._state(role, host, after, prefixed=False) if step.action == "restart" else None,
        )
        for place, message in enumerate(sent):
            self.sent_by[message] = f"{process}:{line.run}:{line.sequence}.{place}"
        yield line
        if self.snapshots and line.sequence % self.snapshots == 0:
            yield self._made(process, "process.snapshot", {}, state=self._state(role, host, after, prefixed=True))

    def _changes(self, name: str, before: State, after: State, step: Occurrence) -> dict[Entry, Any]:
        """The messages that the step sends, and the entries that it concerns, with their values after the step."""
        given = dict(step.choices)
        found: dict[Entry, Any] = {}
        for compiled in (self.compiled, self.rightly):
            ready = compiled.actions[name]
            choices = [given[parameter] for parameter in ready.names if parameter in given]
            if len(choices) < len(ready.names):
                continue  # a variant may have fewer parameters
            for (of, arguments), value in ready.changes(load(compiled, before), *choices).items():
                if self.symbols[of].kind == "message":
                    if compiled is self.compiled:
                        found[of, arguments] = value
                else:
                    found[of, arguments] = self._now(after, of, arguments)
        return found

    def _now(self, state: State, name: str, arguments: tuple[Element, ...]) -> Any:
        return arguments in state.relations[name] if name in state.relations else state.functions[name][arguments]

    def _state(self, role: str, host: str, state: State, *, prefixed: bool) -> dict[str, tuple[Any, ...]]:
        found: dict[str, tuple[Any, ...]] = {}
        for shown in FULL_STATE[self.name][role]:
            symbol = self.symbols[shown.symbol]
            if symbol.result is Formula:
                entries = [(*relation, True) for relation in sorted(state.relations[shown.symbol])]
            else:
                table = state.functions[shown.symbol]
                entries = [(*one, value) for one, value in table.items() if value not in (0, "none", "grpc")]
            if shown.own is not None:
                entries = [entry for entry in entries if entry[shown.own] == host]
            if shown.only is not None:
                entries = [entry for entry in entries if entry[-1] == shown.only]
            found[f"{self.name}.{shown.symbol}" if prefixed else shown.symbol] = tuple(entries)
        at = tuple(self._places(role, host, state))
        if at:
            found[f"{self.name}.at" if prefixed else "at"] = at
        return found

    def _places(self, role: str, host: str, state: State) -> Iterator[tuple[Any, ...]]:
        """The places of the versions that a process uses."""
        newest = {"dpm": "latest", "ncm": "recorded", "aca": "known"}[role]
        if "at" in state.relations:
            for pod, version, place in sorted(state.relations["at"]):
                if state.functions[newest][(host, pod) if role == "aca" else (pod,)] == version:
                    yield pod, version, place, True

    def _roles(self) -> Mapping[str, Any]:
        return {role.name.lower(): role for role in self.protocol.roles}

    def _logged(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """Values in the form of logs."""
        return tuple(self.words.get(value, value) for value in values)

    def _entries(self, state: Mapping[str, Iterable[Any]] | None) -> dict[str, tuple[Any, ...]] | None:
        return None if state is None else {name: tuple(map(self._logged, some)) for name, some in state.items()}

    def _made(
        self,
        process: str,
        event: str,
        attributes: Mapping[str, Any],
        *,
        sent: Iterable[Any] | None = None,
        after: Mapping[str, Iterable[Any]] | None = None,
        state: Mapping[str, Iterable[Any]] | None = None,
        taken: str | None = None,
    ) -> Line:
        self.numbers[process] = self.numbers.get(process, 0) + 1
        self.time += 1
        run = RUN.format(number_of(process) + self.runs[process])
        return Line(
            process=process,
            run=run,
            sequence=self.numbers[process],
            time=self.time,
            event=event,
            attributes={name: self.words.get(value, value) for name, value in attributes.items()},
            sent=None if sent is None else tuple(self._logged(message) for message in sent),
            after=self._entries(after),
            state=self._entries(state),
            taken=taken,
        )


def number_of(text: str) -> int:
    """The same number for a name in every run of the tests."""
    return int.from_bytes(text.encode()[:6].ljust(6, b"."), "big") * 1000
