"""Records what a process does: one line for each step in the effects of an input.

The recorder is called after the effects are durable, and before anything is published. Logging never blocks or crashes a service. A
line that the sink has no room for leaves a gap in the sequence; when a sink fails, nothing more is written, and no message carries
the id of a line that does not exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from impl.core import Effects, Event, Send
from impl.events import encoding
from impl.events.event_schema import ACTIONS, MESSAGE_QUEUE
from impl.events.line import LINE_BYTES_MAX, MESSAGE_ID, Entry, Line, Sent, State, Word, encoded, message_id, new_run
from impl.messages import Published

LINES_PER_STATE: Final = 10_000
"""Lines of a run after which the whole state is written again, so that a reader of only a part of a log finds one."""

_BEGINS: Final = ("on-demand.restart", "message-queue.restart")
"""Steps whose lines contain the whole state of their protocol."""


class Sink(Protocol):
    """The destination of lines. Both methods return quickly and never raise."""

    def write(self, line: bytes) -> bool:
        """Takes a line with its newline; returns whether it was accepted."""

    def close(self) -> None:
        """Writes out the accepted lines."""


class Projection(Protocol):
    """The part of a core's state that one protocol knows."""

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        """The entries that an event concerns, as they are now."""

    def state(self) -> State:
        """The whole state, as it is now."""


_PROTOCOLS: Final = {step: step.partition(".")[0] for step in ACTIONS}


class _Draft:
    """A line without a sequence number."""

    __slots__ = ("after", "event", "places", "protocol", "sent")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.protocol = _PROTOCOLS.get(event.step, "")
        """Empty: the event is not a step of a protocol."""
        self.sent: list[Sent] = []
        """Names and arguments; the name is the full one in a line that belongs to no protocol."""
        self.places: list[int] = []
        """For each of these, its index among the sends of the effects."""
        self.after: State = {}


class Recorder:
    """The event log of one process. `begin` starts a run, `end` ends it."""

    def __init__(
        self,
        process: str,
        projections: Mapping[str, Projection],
        sink: Sink,
        *,
        host: str = "",
        about: Mapping[str, Word] | None = None,
        clock: Callable[[], int] = time.time_ns,
        lines_per_state: int = LINES_PER_STATE,
    ) -> None:
        """`projections`: the projections by protocol. `host`: the agent's host, if the process is an agent. `about`: the attributes
        of every start."""
        self.process = process
        self.run = ""
        self.lost = 0
        """Lines that the sink did not accept."""
        self._projections = projections
        self._sink = sink
        self._host = host
        self._about = dict(about or {})
        self._clock = clock
        self._lines_per_state = lines_per_state
        self._sequence = 0
        self._unsaid = 0
        """Lines since the whole state was last written."""

    def begin(self) -> None:
        """The process has started with its stored state. An agent records this by its first step."""
        self.run, self._sequence = new_run(), 0
        if not self._host:
            self._tell_state("process.started", self._about)

    def end(self) -> None:
        """The process stops."""
        self._write("process.stopped", {})

    def note(self, effects: Effects, taken: str = "") -> Sequence[str]:
        """Writes the lines of one input. `taken`: the id of the input message, as given by its sender.

        Returns the id that each send is to carry; empty: none.
        """
        drafts = [_Draft(event) for event in effects.events if event.step]
        ids = [""] * len(effects.sends)
        if not drafts:
            return ids
        self._share_out(drafts, effects.sends)
        self._look(drafts, effects.sends)
        came = taken if MESSAGE_ID.fullmatch(taken) else ""
        for draft in drafts:
            self._put(draft, came, ids)
        if self._unsaid >= self._lines_per_state:
            self._tell_state("process.snapshot", {})
        return ids

    def set_aside(self, reason: str) -> None:
        """Records that an input could not be read."""
        self._write("message.set_aside", {"reason": reason})

    def consumed(self, message: Published) -> None:
        """Records that a delivery from a VPC's topic is acknowledged to the broker."""
        fields = {"vpc": message.vpc, "revision": message.revision}
        self._put(self._looked(Event("consume", fields, f"{MESSAGE_QUEUE}.consume")), "", [])

    # ---------------------------------------------------------------------------------------------------- lines

    @staticmethod
    def _share_out(drafts: Sequence[_Draft], sends: Sequence[Send]) -> None:
        """Assigns each message to the step that may send it; a message that no step may send goes to the last step, where a
        check finds it."""
        for place, send in enumerate(sends):
            known = encoding.sent(send)
            if known is None:
                continue
            name, arguments = known
            protocol, _, short = name.partition(".")
            for draft in drafts:
                action = ACTIONS.get(draft.event.step)
                if action is not None and draft.protocol == protocol and short in action.sends:
                    break
            else:
                same = [each_draft for each_draft in drafts if each_draft.protocol == protocol]
                draft = (same or drafts)[-1]
            draft.sent.append((short if draft.protocol == protocol else name, *arguments))
            draft.places.append(place)

    def _look(self, drafts: Sequence[_Draft], sends: Sequence[Send]) -> None:
        """The cores have already taken all steps of the input, so an entry is reported by the last step that concerns it."""
        if len(drafts) == 1:
            drafts[0].after = self._entries(drafts[0], sends)
            return
        told: set[tuple[str, str, Entry]] = set()
        for draft in reversed(drafts):
            found = self._entries(draft, sends)
            draft.after = {}
            for symbol, entries in found.items():
                new = tuple(entry for entry in entries if (draft.protocol, symbol, entry[:-1]) not in told)
                told.update((draft.protocol, symbol, item[:-1]) for item in new)
                if new:
                    draft.after[symbol] = new

    def _entries(self, draft: _Draft, sends: Sequence[Send]) -> State:
        if draft.protocol:
            return self._projections[draft.protocol].after(draft.event, sends)
        return {
            f"{protocol}.{symbol}": entries
            for protocol, projection in self._projections.items()
            for symbol, entries in projection.after(draft.event, sends).items()
        }

    def _looked(self, event: Event) -> _Draft:
        draft = _Draft(event)
        draft.after = self._entries(draft, ())
        return draft

    def _put(self, draft: _Draft, taken: str, ids: list[str]) -> None:
        event = draft.event
        action = ACTIONS.get(event.step)
        written = self._write(
            event.step,
            encoding.attributes(event, self._host),
            taken=taken if action is None or action.takes else "",
            sent=tuple(draft.sent),
            after=draft.after,
            state=self._projections[draft.protocol].state() if event.step in _BEGINS else None,
        )
        if written:
            for index, place in enumerate(draft.places):
                ids[place] = message_id(self.process, self.run, self._sequence, index)

    def _tell_state(self, event: str, about: Mapping[str, Word]) -> None:
        state = {
            f"{protocol}.{symbol}": entries
            for protocol, projection in self._projections.items()
            for symbol, entries in projection.state().items()
        }
        self._unsaid = 0
        self._write(event, about, state=state)

    def _write(
        self,
        event: str,
        attributes: Mapping[str, Word],
        *,
        taken: str = "",
        sent: tuple[Sent, ...] = (),
        after: State | None = None,
        state: State | None = None,
    ) -> bool:
        self._sequence += 1
        self._unsaid += 1
        line = Line(
            process=self.process,
            run=self.run,
            sequence=self._sequence,
            time=self._clock(),
            event=event,
            attributes=dict(attributes),
            taken=taken or None,
            sent=sent or None,
            after=after or None,
            state=state,
        )
        data = encoded(line)
        if state is not None and len(data) >= LINE_BYTES_MAX:
            bare = Line(
                process=self.process,
                run=self.run,
                sequence=self._sequence,
                time=line.time,
                event=event,
                attributes={**attributes, "bytes": len(data)},
            )
            data = encoded(bare)
        written = self._sink.write(data + b"\n")
        self.lost += not written
        return written
