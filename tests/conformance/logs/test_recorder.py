"""What a process records of a step agrees with the specification: on every vector, and for faulty cores it shows the fault.

A recorder observes the cores of each replay. After each step its line must name the step with all its parameters, list the messages
that the step sends, and give entries the values of the specification's state; its full state must be the specification's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conformance.bindings.message_queue import MessageQueueDriver
from conformance.bindings.on_demand import OnDemandDriver
from conformance.logs.lines import Vocabulary
from conformance.mutation.faulty import cores_of
from conformance.protocols import named
from conformance.replay import lockstep
from conformance.replay.cores import Cores
from conformance.replay.driver import Driver, process_of
from conformance.replay.replays import Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from impl.core import Effects
from impl.events.event_schema import ACTIONS, NOT_RECORDED, UNKEPT
from impl.events.line import Line, State, decoded
from impl.events.message_queue import MessageQueueAcaProjection, MessageQueueDpmProjection
from impl.events.on_demand import OnDemandAcaProjection, OnDemandDpmProjection, OnDemandNcmProjection
from impl.events.recorder import Projection, Recorder
from impl.messages import Published
from model.language import Action
from model.reference.state import State as Stated

VOCABULARY = Vocabulary()


class Lines:
    """A sink that keeps its lines in memory."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, line: bytes) -> bool:
        self.lines.append(decoded(line))
        return True

    def close(self) -> None:
        """Nothing to flush."""

    def take(self) -> list[Line]:
        taken, self.lines = self.lines, []
        return taken


class Seen:
    """The recorded lines of all replays."""

    def __init__(self) -> None:
        self.events: set[str] = set()
        self.wrong: list[str] = []
        """Notes where a line differs from the specification."""
        self.symbols: set[str] = set()


class Recording(Driver):
    """A driver whose cores a recorder observes."""

    protocol: str
    seen: Seen

    def step(self, number: int, before: Stated, after: Stated, *, demanded: bool = True) -> Effects:
        action, choices = self._actions[number], dict(self._trace.steps[number].choices)
        process = process_of(action, self._trace.steps[number])
        effects = super().step(number, before, after, demanded=demanded)
        core = self._processes[process].core
        if core is None or action.name in NOT_RECORDED:
            return effects
        sink = Lines()
        host = "" if process in ("dpm", "ncm") else process
        recorder = Recorder(f"aca/{host}" if host else process, {self.protocol: self._teller(process)}, sink, host=host)
        if action.name == "consume":
            recorder.consumed(Published(self._back[str(choices["vpc"])], int(choices["revision"]), ()))
        recorder.note(effects)
        self._check(action, choices, sink.take(), before, after)
        self._check_state(recorder, sink, process, after)
        return effects

    def _teller(self, process: str) -> Projection:
        core = self._processes[process].core
        if self.protocol == "message-queue":
            return MessageQueueDpmProjection(core) if process == "dpm" else MessageQueueAcaProjection(core)
        return (
            OnDemandDpmProjection(core)
            if process == "dpm"
            else OnDemandNcmProjection(core)
            if process == "ncm"
            else OnDemandAcaProjection(core)
        )

    @property
    def _back(self) -> Mapping[str, str]:
        vpcs: Mapping[str, str] = getattr(self.names, "vpcs", {})
        return vpcs

    def _plain(self, value: Any) -> Any:
        """A value of a log with the names of the configuration."""
        names: Any = self.names
        if isinstance(value, str) and re.fullmatch(r"\d+\.\d+", value):
            return names.request_name(int(value.split(".")[1]))
        if isinstance(value, str) and "/" in value:
            return value.split("/")[1]
        return {back: name for name, back in self._back.items()}.get(value, value)

    def _tuple(self, values: Any) -> tuple[Any, ...]:
        return tuple(self._plain(value) for value in values)

    def _check(
        self, action: Action, choices: Mapping[str, Any], lines: list[Line], before: Stated, after: Stated
    ) -> None:
        wanted = f"{self.protocol}.{action.name}"
        if [line.event for line in lines] != [wanted]:
            self._blame(f"{wanted} is written as {[line.event for line in lines]}")
            return
        (line,) = lines
        self.seen.events.add(wanted)
        if (fault := VOCABULARY.fault(line)) is not None:
            self._blame(f"{wanted}: {fault}")
        said = {name: self._plain(value) for name, value in line.attributes.items()}
        if said != choices:
            self._blame(f"{wanted}: {said} for {choices}")
        sent = {(message[0], self._tuple(message[1:])) for message in line.sent or ()}
        names = [message.name for message in named(self.protocol).messages]
        new = {(name, relation) for name in names for relation in after.relations[name] - before.relations[name]}
        if not new <= sent or any(one not in after.relations[str(name)] for name, one in sent):
            self._blame(f"{wanted}: sends {sent}, and {new} is new")
        self._check_entries(wanted, line.after or {}, after)

    def _check_entries(self, where: str, state: State, after: Stated) -> None:
        for symbol, entries in state.items():
            self.seen.symbols.add(f"{where}: {symbol}")
            for entry in entries:
                key, value = self._tuple(entry[:-1]), entry[-1]
                relation = after.relations.get(symbol)
                expected = key in relation if relation is not None else after.functions[symbol][key]
                if expected != value:
                    self._blame(f"{where}: {symbol}{key} is {value}, and should be {expected}")

    def _check_state(self, recorder: Recorder, sink: Lines, process: str, after: Stated) -> None:
        """Checks that the full state of the process is the specification's."""
        recorder._tell_state("process.snapshot", {})
        (line,) = sink.take()
        told = {name.removeprefix(f"{self.protocol}."): entries for name, entries in (line.state or {}).items()}
        self._check_entries("process.snapshot", told, after)
        removed = after.relations.get("removed", frozenset())
        for symbol in named(self.protocol).symbols:
            if symbol.kind != "state" or symbol.holder is None or f"{self.protocol}.{symbol.name}" in UNKEPT:
                continue
            if symbol.holder.name.lower() != (process if process in ("dpm", "ncm") else "aca"):
                continue
            found = {self._tuple(entry[:-1]) for entry in told.get(symbol.name, ())}
            for key in self._true(symbol.name, process, after):
                ended = symbol.name in ("outcome", "change") and after.functions[symbol.name][key] != "pending"
                old = symbol.name == "at" and after.functions["latest"][key[:1]] != key[1]
                gone = symbol.name == "greeted" and key in removed
                if key not in found and not ended and not old and not gone:
                    self._blame(f"process.snapshot: {symbol.name}{key} is missing")

    def _true(self, symbol: str, process: str, after: Stated) -> Iterator[tuple[Any, ...]]:
        """The arguments for which a relation holds, or a function differs from its initial value."""
        relation = after.relations.get(symbol)
        keys = relation if relation is not None else [k for k, v in after.functions[symbol].items() if v not in UNSET]
        yield from (key for key in keys if process in ("dpm", "ncm") or key[0] == process)

    def _blame(self, what: str) -> None:
        self.seen.wrong.append(f"{self._name}: {what}")


UNSET = (0, "none", "grpc")


def recorded(monkeypatch: pytest.MonkeyPatch, name: str, cores: Cores | None = None) -> Seen:
    """Replays a protocol's vectors with a recorder beside each core, up to the first divergence."""
    base = OnDemandDriver if name == "on-demand" else MessageQueueDriver
    seen = Seen()
    driver = type("RecordingDriver", (Recording, base), {"protocol": name, "seen": seen})
    monkeypatch.setattr(lockstep, "DRIVERS", {**lockstep.DRIVERS, name: driver})
    with open_target("memory") as target:
        replay_all(positive(name), target, cores=cores, stop_at_divergence=True)
    return seen


def positive(name: str) -> list[Vector]:
    return [
        read_vector
        for read_vector in read_vectors([vectors_of(named(name))], named(name))
        if read_vector.diverges_at is None
    ]


@pytest.mark.parametrize("name", ["on-demand", "message-queue"])
def test_every_step_of_every_vector_is_recorded_as_stated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    seen = recorded(monkeypatch, name)
    assert seen.wrong == []
    assert seen.events == {event for event in ACTIONS if event.startswith(f"{name}.")}
    assert len({symbol.split(": ")[1] for symbol in seen.symbols}) > 8


@pytest.mark.parametrize(
    ("faulty", "told"),
    [
        ("forgets_whom_it_told", "on-demand.grant: told"),
        ("forgets_on_evicting", "on-demand.evict: known"),
        ("releases_again", "on-demand.release: waiting"),
        ("confirms_without_applying", "on-demand.learn: known"),
        ("confirms_for_another", "on-demand.acknowledge: pending"),
        ("remembers_over_a_restart", "process.snapshot: known"),
    ],
)
def test_the_effect_of_a_faulty_core_shows_in_its_line(monkeypatch: pytest.MonkeyPatch, faulty: str, told: str) -> None:
    """Nothing is derived from the name of a step: omitted and additional effects are recorded as they are."""
    assert any(told in wrong for wrong in recorded(monkeypatch, "on-demand", cores_of(faulty)).wrong)


@pytest.mark.parametrize(
    ("faulty", "told"),
    [
        ("confirms_what_it_did_not_apply", "message-queue.learn: known"),
        ("takes_a_refusal_for_success", "message-queue.hear_refusal is written as ['message-queue.hear_acceptance']"),
    ],
)
def test_the_same_for_the_message_queue(monkeypatch: pytest.MonkeyPatch, faulty: str, told: str) -> None:
    assert any(told in wrong for wrong in recorded(monkeypatch, "message-queue", cores_of(faulty)).wrong)
