"""A line of an event log: one step of one process, in the specification's words.

A log is UTF-8 text with one JSON object a line. A line is written after what it tells is durable, and before what it sends is
published. So a process that is killed in between leaves a step that no line tells of, and its next run says where it goes on.

Nothing in a line is secret: it names processes, hosts, pods and VPCs, and counts; it quotes neither payloads nor credentials.
What the words are, and which line may say what, is in `impl.events.event_schema`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

Word = str | int
"""A value: hosts, VPCs and members of enumerations by name, pods as `vpc/address`, requests as `epoch.number`; numbers."""

Sent = tuple[Word, ...]
"""A message: its name, and its arguments in the order of their declaration."""

Entry = tuple[str | int | bool, ...]
"""Of a relation: the arguments, and whether they are in it. Of a function: the arguments, and the value."""

State = dict[str, tuple[Entry, ...]]
"""Entries by symbol. Of a whole state: those of a relation that are in it, those of a function that are not 0, or `none`."""

LINE_BYTES_MAX: Final = 1_000_000
"""What one line may have; a state that does not fit is left out, and the line says so."""

RUN_BYTES: Final = 8
"""Of chance in the name of a run."""

MESSAGE_ID: Final = re.compile(
    r"(?P<process>(?:dpm|ncm|aca/[a-z0-9-]{1,63})):(?P<run>[0-9a-f]{16}):(?P<sequence>[1-9]\d{0,17})\.(?P<index>\d{1,6})"
)
"""The id of a message: who sent it, in which run, by which line of it, and its place in what that line sent, from 0."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One step. The keys in the log are those of OpenTelemetry where it has one."""

    # No `gc`: nothing in a line refers back to it, so that counting references frees it.

    process: str = msgspec.field(name="service.instance.id")
    """`dpm`, `ncm`, or `aca/` and the host."""
    run: str
    """One start of the process: chance, in hexadecimal."""
    sequence: int
    """1, 2, 3, ... within the run, without gaps. A gap tells of lines that were lost."""
    time: int = msgspec.field(name="time_unix_nano")
    """The process's own clock, in nanoseconds since 1970. For people: it orders nothing."""
    event: str = msgspec.field(name="event.name")
    """`<protocol>.<action>`, or what no protocol knows as a step (`impl.events.event_schema.STUTTERS`)."""
    attributes: dict[str, Word]
    """The action's parameters by their names in the specification, its own host among them."""
    taken: str | None = msgspec.field(name="messaging.message.id", default=None)
    """The message that this step took. None: it took none, or its sender did not say."""
    sent: tuple[Sent, ...] | None = None
    """What this step sends, of the messages that the protocol knows. (In a line of no protocol: `<protocol>.<message>`.)"""
    after: State | None = None
    """Entries of the process's own state that the step is about, as they are afterwards. (In a line of no protocol each symbol is
    `<protocol>.<symbol>`.)"""
    state: State | None = None
    """The whole state of the process afterwards, as the protocol knows it; at the start of a run, and every so many lines."""


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Line)

encoded: Final[Callable[[Line], bytes]] = _ENCODER.encode
"""The JSON of a line, without the newline."""

decoded: Final[Callable[[bytes | str], Line]] = _DECODER.decode
"""The line of a JSON text. Raises `msgspec.ValidationError` for what is no line, `msgspec.DecodeError` for what is no JSON."""


def new_run() -> str:
    """A name for a run that no other has."""
    return secrets.token_hex(RUN_BYTES)


def message_id(process: str, run: str, sequence: int, index: int) -> str:
    """The id of a message, as `MESSAGE_ID` takes it apart."""
    return f"{process}:{run}:{sequence}.{index}"
