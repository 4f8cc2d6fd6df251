"""A store for several machines: a journal that one instance of a role writes at a time, while others stand by.

**Fence, then load.** An instance first takes over the log, so that no entries of other instances are accepted any more; then it
appends an entry that only it can have made, and reads up to that entry. In the opposite order it could miss entries that its
predecessor appended in between, and continue from a state older than what hosts were told.

**One record holds a change and its messages**, as in the other stores. Only messages that are in the journal are published with a
change, so a deposed instance publishes nothing that its successor does not know of: its append is refused first.

**The log stays short.** Each entry has a key, and only the last entry of each key must be kept. Records are numbered, and their
keys reuse a ring of places: before a place is reused, a snapshot that includes its record has been written. A snapshot is due when
half of the ring is used, so a snapshot that the broker refuses can wait. Snapshots alternate between two places, so that an
unfinished one leaves the previous one intact. A snapshot or record that is too large for one entry is split into parts, and counts
once all parts are there. When enough has been written, the log is asked to compact itself.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from impl.core import Effects, Plain, Send
from impl.errors import BadDeployment, EnvironmentProblem, Unreachable
from impl.storage.log import Entry, Log
from impl.storage.store import RECORDS_MAX, Durable, Outgoing
from impl.wire.codec import MalformedMessage, decode, encode

PART_BYTES_MAX: Final = 1_000_000
"""The size limit of one entry. By default a broker accepts five times as much."""

ITEM_BYTES_MAX: Final = 1_000_000_000
"""The size limit of one record or snapshot: a thousand parts. A larger state does not belong here."""

COMPACTION_FACTOR: Final = 4
"""The log is compacted when it has grown to this multiple of what a new instance needs of it ..."""

COMPACTION_BYTES_MIN: Final = 4_000_000
"""... and has at least this size, which is read in about a tenth of a second."""

SENT: Final = "sent"
LEADER: Final = "leader"


@dataclass(slots=True)
class _Item:
    """A record or a snapshot, with the parts read so far."""

    place: str
    of: int
    parts: dict[int, bytes] = field(default_factory=dict)

    def is_whole(self) -> bool:
        """Whether all parts are there."""
        return len(self.parts) == self.of

    def whole(self) -> bytes:
        """The complete content."""
        return b"".join(self.parts[part] for part in range(self.of))

    def size(self) -> int:
        """Its size in bytes."""
        return sum(map(len, self.parts.values()))


class JournalStore:
    """See `impl.storage.store.Store`. `open_log` is called when the store is loaded, and may raise `Unreachable`."""

    def __init__(self, open_log: Callable[[], Log], records_max: int = RECORDS_MAX) -> None:
        self._open_log = open_log
        self._records_max = records_max
        self._log: Log | None = None
        self._term = 0
        """The number of instances that have led, including this one. Every entry names its writer's term."""
        self._number = 0
        """The number of the last record."""
        self._snapshot_number = 0
        """The number of the last record in the last snapshot."""
        self._outgoing: dict[int, Send] = {}
        self._outgoing_number = 0
        """The number of the last message that was stored to be published."""
        self._place = 0
        """Which of the two places holds the last snapshot."""
        self._size = self._needed = 0
        """Bytes in the log, and bytes of the last snapshot and the records after it."""
        self._notes = logging.getLogger("ondemand.journal")

    # ---------------------------------------------------------------------------------------------- loading

    def load(self, core: Durable) -> list[Outgoing]:
        """See `impl.storage.store.Store.load`. Waits until no other instance leads, and leads from then on.

        Raises:
            StandsBy: another instance leads; call again.
            Unreachable: the broker did not answer; call again, with the same or another fresh core.
            Deposed: another instance has taken over already.
            BadDeployment: the journal is damaged.
        """
        if self._log is None:
            self._log = self._open_log()
        self._log.lead()
        own = secrets.token_bytes(16)
        self._log.append([Entry(LEADER, own)])
        self._restore(core, self._read(own))
        self._opened.append_soon(self._mark())  # from now on entries of earlier terms would be detected
        self._tidy(core)
        self._notes.info("leads %s from record %d on (term %d)", self._opened.name, self._number, self._term)
        return [Outgoing(number, send) for number, send in self._outgoing.items()]

    def _read(self, own: bytes) -> Iterable[Entry]:
        """The whole log up to this instance's own first entry."""
        entries: list[Entry] = []
        for entry in self._opened.read():
            if entry == Entry(LEADER, own):
                return entries
            entries.append(entry)
        raise BadDeployment(
            f"{self._opened.name}: ends before the entry just appended to it; the log has been replaced or truncated"
        )

    def _restore(self, core: Durable, entries: Iterable[Entry]) -> None:
        """Brings core and store to the end of the log. Everything is read before the core changes."""
        log = self._opened.name
        try:
            term, items, marks = self._sorted(entries)
            snapshots = {number: item for (kind, number, _), item in items.items() if kind == "snapshot"}
            start = max(snapshots, default=0)
            state = json.loads(snapshots[start].whole()) if snapshots else None
            records: dict[int, Any] = {}
            for (kind, number, _), item in items.items():
                if kind == "record" and number > start:
                    record = json.loads(item.whole())
                    if records.setdefault(number, record) != record:
                        raise BadDeployment(f"{log}: has two records {number}; two instances wrote to it at once")
            end = max(records, default=start)
            missing = next((number for number in range(start + 1, end + 1) if number not in records), None)
            if missing is not None:
                raise BadDeployment(
                    f"{log}: record {missing} is missing, but record {end} is there; the log was modified by someone else"
                )
            self._outgoing, self._outgoing_number = {}, 0
            if state is not None:
                self._outgoing = {number: _send(parts) for number, parts in state["outgoing"]}
                self._outgoing_number = state["outgoing number"]
                core.restore(state["state"])
            for number in range(start + 1, end + 1):
                if records[number]["change"] is not None:
                    core.apply(records[number]["change"])
                marks.append((records[number]["sent"]["through"], set(records[number]["sent"]["unsent"])))
                self._note(map(_send, records[number]["sends"]))
            for through, unsent in marks:
                for number in [element for element in self._outgoing if element <= through and element not in unsent]:
                    del self._outgoing[number]
        except (MalformedMessage, ValueError, KeyError, TypeError) as problem:
            raise BadDeployment(f"{log}: is not a journal, or is damaged ({problem}); remove the topic") from problem
        self._term, self._number, self._snapshot_number = term + 1, end, start
        self._place = int(snapshots[start].place) if snapshots else 0
        self._needed = sum(item.size() for (_, number, _), item in items.items() if number >= start)

    def _sorted(
        self, entries: Iterable[Entry]
    ) -> tuple[int, dict[tuple[str, int, int], _Item], list[tuple[int, set[int]]]]:
        """The last term; complete records and snapshots by kind, number and term; and the marks of sent messages."""
        found: dict[tuple[str, int, int], _Item] = {}
        marks: list[tuple[int, set[int]]] = []
        last = self._size = 0
        for entry in entries:
            self._size += len(entry.data)
            if entry.key == LEADER:
                continue
            head, _, body = entry.data.partition(b"\n")
            about = json.loads(head)
            term: int = about["term"]
            if term < last:
                raise BadDeployment(
                    f"{self._opened.name}: an entry of term {term} follows one of term {last}; "
                    "two instances wrote to it at once"
                )
            last = term
            if entry.key == SENT:
                marks.append((about["through"], set(about["unsent"])))
            else:
                kind, place, part = entry.key.split("/")
                item = found.setdefault((kind, about["number"], term), _Item(place, about["of"]))
                item.parts[int(part)] = body
        return last, {key: item for key, item in found.items() if item.is_whole()}, marks

    # -------------------------------------------------------------------------------------------- appending

    def append(self, effects: Effects, core: Durable) -> list[Outgoing]:
        """See `impl.storage.store.Store.append`. Raises `Deposed`, and stores nothing, once another instance has taken over."""
        if effects.record is None and not effects.sends:
            return []
        number = self._number + 1
        if number - self._snapshot_number > self._places:
            raise EnvironmentProblem(f"{self._opened.name}: is full, and accepts no snapshot; check the broker")
        change = dict(effects.record) if effects.record is not None else None
        record = json.dumps({"sent": self._sent(), "change": change, "sends": [_plain(send) for send in effects.sends]})
        self._write("record", number % self._places, number, record)
        self._number = number
        outgoing = self._note(effects.sends)
        self._tidy(core)
        return outgoing

    @property
    def _places(self) -> int:
        """The number of places in the ring of records."""
        return 2 * self._records_max

    def _note(self, sends: Iterable[Send]) -> list[Outgoing]:
        noted = []
        for send in sends:
            self._outgoing_number += 1
            self._outgoing[self._outgoing_number] = send
            noted.append(Outgoing(self._outgoing_number, send))
        return noted

    def _tidy(self, core: Durable) -> None:
        """Writes a snapshot if one is due. A failure is retried after a later record."""
        if self._number - self._snapshot_number >= self._records_max:
            outgoing: list[Plain] = [[number, _plain(send)] for number, send in self._outgoing.items()]
            state = {"state": core.snapshot(), "outgoing": outgoing, "outgoing number": self._outgoing_number}
            self._needed = 0
            try:
                self._write("snapshot", 1 - self._place, self._number, json.dumps(state))
            except Unreachable as problem:
                self._notes.warning("%s accepts no snapshot at the moment: %s", self._opened.name, problem)
            else:
                self._snapshot_number, self._place = self._number, 1 - self._place
        self._shorten()

    def _shorten(self) -> None:
        """Has the log compacted if it has grown. A failure is retried when the log has grown by as much again."""
        if self._size >= max(COMPACTION_FACTOR * self._needed, COMPACTION_BYTES_MIN):
            self._size = self._needed
            try:
                self._opened.compact()
            except (EnvironmentProblem, BadDeployment) as problem:
                self._notes.warning("%s grows, and cannot be compacted at the moment: %s", self._opened.name, problem)

    def _write(self, kind: str, place: int, number: int, text: str) -> None:
        data = text.encode()
        if len(data) > ITEM_BYTES_MAX:
            raise EnvironmentProblem(
                f"{self._opened.name}: a {kind} of {len(data):,} bytes exceeds the limit of {ITEM_BYTES_MAX:,}"
            )
        bodies = [data[at : at + PART_BYTES_MAX] for at in range(0, len(data), PART_BYTES_MAX)]
        head = json.dumps({"term": self._term, "number": number, "of": len(bodies)}).encode()
        self._opened.append([Entry(f"{kind}/{place}/{part}", head + b"\n" + body) for part, body in enumerate(bodies)])
        self._size += len(data)
        self._needed += len(data)

    def mark_sent(self, outgoing: Sequence[Outgoing]) -> None:
        if not outgoing:
            return
        for item in outgoing:
            self._outgoing.pop(item.number, None)
        self._opened.append_soon(self._mark())

    def _mark(self) -> Entry:
        entry = Entry(SENT, json.dumps({"term": self._term, **self._sent()}).encode() + b"\n")
        self._size += len(entry.data)
        return entry

    def _sent(self) -> dict[str, Plain]:
        """The messages sent so far; every record contains it too, so that a mark is not lost if any record follows it."""
        return {"through": self._outgoing_number, "unsent": list(self._outgoing)}

    def confirm(self) -> None:
        """See `impl.storage.store.Store.confirm`: an entry without content is accepted only from the instance that leads."""
        self._opened.append([self._mark()])
        self._shorten()

    @property
    def _opened(self) -> Log:
        assert self._log is not None, "a journal is loaded before it is used"
        return self._log

    def close(self) -> None:
        if self._log is not None:
            self._log.close()


def _plain(send: Send) -> list[Plain]:
    return [send.topic, send.key, base64.b64encode(encode(send.message)).decode()]


def _send(parts: Sequence[str]) -> Send:
    topic, key, message = parts
    return Send(topic, decode(base64.b64decode(message, validate=True)), key)
