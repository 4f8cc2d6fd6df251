"""Replays in which a recorder observes each core: what it would write into an event log agrees with the statement, too.

- The line of a step names the step with all its parameters, lists the messages that it sends, and gives entries the values of
  the statement's state; the whole state, where it is written, is the statement's.
- A message that comes once more is no step, so no line may say that it is one.
- Whoever changes or sends something writes a line.

Validation of logs cannot see all of this: a log without a line that changes nothing for it is still a run of the statement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.bindings.observe import Difference
from conformance.logs.lines import Vocabulary
from conformance.replay.driver import Driver, process_of
from conformance.replay.held_process import HeldProcess
from conformance.replay.lockstep import DRIVERS
from impl.core import Effects
from impl.events.event_schema import ACTIONS, NOT_RECORDED, UNKEPT
from impl.events.line import Line, State, decoded
from impl.events.message_queue import MessageQueueAcaProjection, MessageQueueDpmProjection
from impl.events.on_demand import OnDemandAcaProjection, OnDemandDpmProjection, OnDemandNcmProjection
from impl.events.recorder import Projection, Recorder
from impl.messages import Message, Published
from model.language import Action
from model.reference.interpreter import Events
from model.reference.state import Element
from model.reference.state import State as Stated

LINE: Final = "line"
"""The name of what is compared, in a difference."""

UNSET: Final = (0, "none", "grpc")
"""What a function says before anything happened; such entries are written only where a step concerns them."""

_VOCABULARY: Final = Vocabulary()

_PROJECTIONS: Final[Mapping[tuple[str, str], Any]] = {
    ("on-demand", "dpm"): OnDemandDpmProjection,
    ("on-demand", "ncm"): OnDemandNcmProjection,
    ("on-demand", "aca"): OnDemandAcaProjection,
    ("message-queue", "dpm"): MessageQueueDpmProjection,
    ("message-queue", "aca"): MessageQueueAcaProjection,
}
"""By protocol and role."""


class _Sink:
    """Keeps lines in memory."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def write(self, line: bytes) -> bool:
        """See `impl.events.recorder.Sink`."""
        self.lines.append(decoded(line))
        return True

    def close(self) -> None:
        """See `impl.events.recorder.Sink`."""


class Recording(Driver):
    """A driver whose cores a recorder observes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._of = self._interpreter.protocol.name
        self._unlike: Difference | None = None
        """What is wrong with what was recorded of the last input."""

    def step(self, number: int, before: Stated, after: Stated, *, demanded: bool = True) -> Effects:
        action, occurrence = self._actions[number], self._trace.steps[number]
        effects = super().step(number, before, after, demanded=demanded)
        process = self._processes[process_of(action, occurrence)]
        if demanded and process.core is not None and action.name not in NOT_RECORDED:
            self._blame(self._recorded(process, action, dict(occurrence.choices), effects, before, after))
        return effects

    def again(self, name: str, message: Message) -> Effects:
        effects = super().again(name, message)
        self._blame([f"{event.step} for what comes once more" for event in effects.events if event.step in ACTIONS])
        return effects

    def said(self, host: Element, effects: Effects, expected: Stated, events: Events) -> Difference | None:
        unlike, self._unlike = self._unlike, None
        return super().said(host, effects, expected, events) or unlike

    def _done(self, process: HeldProcess, effects: Effects) -> Effects:
        if (effects.record is not None or effects.sends) and not any(event.step for event in effects.events):
            self._blame([f"nothing is written, although {process.name} changes or sends something"])
        return super()._done(process, effects)

    def _blame(self, faults: Sequence[str]) -> None:
        if faults and self._unlike is None:
            self._unlike = Difference(LINE, "as stated", faults[0])

    # ------------------------------------------------------------------------------------------------- one step

    def _recorded(
        self,
        process: HeldProcess,
        action: Action,
        choices: Mapping[str, Any],
        effects: Effects,
        before: Stated,
        after: Stated,
    ) -> list[str]:
        """What is wrong with the line of a step, and with the whole state after it."""
        is_host = process.name not in self.services
        projection: Projection = _PROJECTIONS[self._of, "aca" if is_host else process.name](process.core)
        sink, host = _Sink(), process.name if is_host else ""
        recorder = Recorder(f"aca/{host}" if host else process.name, {self._of: projection}, sink, host=host)
        try:
            if action.name == "consume":
                recorder.consumed(Published(self._back[str(choices["vpc"])], int(choices["revision"]), ()))
            recorder.note(effects)
            state = projection.state()
        except Exception as problem:  # whatever a wrong core makes the recorder raise, nothing is written
            return [f"{action.name}: recording it ends with {type(problem).__name__}"]
        wanted = f"{self._of}.{action.name}"
        if [line.event for line in sink.lines] != [wanted]:
            return [f"{[line.event for line in sink.lines]} for {wanted}"]
        (line,) = sink.lines
        return [
            *self._of_line(line, wanted, choices, before, after),
            *self._of_entries(wanted, line.after or {}, after),
            *self._of_entries("the whole state", state, after),
            *self._missing(process.name, state, after),
        ]

    def _of_line(
        self, line: Line, name: str, choices: Mapping[str, Any], before: Stated, after: Stated
    ) -> Iterator[str]:
        if (fault := _VOCABULARY.fault(line)) is not None:
            yield f"{name}: {fault}"
        said = {key: self._plain(value) for key, value in line.attributes.items()}
        if said != choices:
            yield f"{name}: {said} for {choices}"
        sent = {(message[0], self._tuple(message[1:])) for message in line.sent or ()}
        names = [message.name for message in self._interpreter.protocol.messages]
        new = {(one, relation) for one in names for relation in after.relations[one] - before.relations[one]}
        if not new <= sent or any(message not in after.relations[str(one)] for one, message in sent):
            yield f"{name}: sends {sent}, and {new} is new"

    def _of_entries(self, where: str, state: State, after: Stated) -> Iterator[str]:
        for symbol, entries in state.items():
            relation = after.relations.get(symbol)
            for entry in entries:
                key, value = self._tuple(entry[:-1]), entry[-1]
                expected = key in relation if relation is not None else after.functions[symbol].get(key)
                if expected != value:
                    yield f"{where}: {symbol}{key} is {value}, and should be {expected}"

    def _missing(self, process: str, state: State, after: Stated) -> Iterator[str]:
        """What the whole state leaves out and may not."""
        removed: Collection[Any] = after.relations.get("removed", frozenset())
        for symbol in self._interpreter.protocol.symbols:
            if symbol.kind != "state" or symbol.holder is None or f"{self._of}.{symbol.name}" in UNKEPT:
                continue
            if symbol.holder.name.lower() != (process if process in self.services else "aca"):
                continue
            found = {self._tuple(entry[:-1]) for entry in state.get(symbol.name, ())}
            for key in self._true(symbol.name, process, after):
                ended = symbol.name in ("outcome", "change") and after.functions[symbol.name][key] != "pending"
                old = symbol.name == "at" and after.functions["latest"][key[:1]] != key[1]
                gone = symbol.name == "greeted" and key in removed
                if key not in found and not ended and not old and not gone:
                    yield f"the whole state: {symbol.name}{key} is missing"

    def _true(self, symbol: str, process: str, after: Stated) -> Iterator[tuple[Any, ...]]:
        """The arguments for which a relation holds, or a function differs from its initial value."""
        relation = after.relations.get(symbol)
        keys = relation if relation is not None else [k for k, v in after.functions[symbol].items() if v not in UNSET]
        yield from (key for key in keys if process in self.services or key[0] == process)

    # ---------------------------------------------------------------------------------------------------- names

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


RECORDING: Final[Mapping[str, type[Driver]]] = {
    name: type(f"Recording{driver.__name__}", (Recording, driver), {}) for name, driver in DRIVERS.items()
}
"""By protocol: the usual drivers, recorded."""
