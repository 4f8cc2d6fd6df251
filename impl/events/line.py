"""A line of an event log: one step of one process, in the specification's vocabulary.

A log is UTF-8 text with one JSON object per line. A line is written after its effects are durable, and before its messages are
published. A process that is killed in between leaves a step without a line; the next run shows the state that it continues from.

A line contains no secrets: it names processes, hosts, pods and VPCs, and contains counts; it quotes neither payloads nor
credentials. The vocabulary and the content of each line are defined in `impl.events.event_schema`.
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
"""A message: its name, followed by its arguments in the order of their declaration."""

Entry = tuple[str | int | bool, ...]
"""For a relation: the arguments, and whether they are in it. For a function: the arguments, and the value."""

State = dict[str, tuple[Entry, ...]]
"""Entries by symbol. A whole state lists, for relations, the entries that are true, and for functions, the values that are not 0
or `none`."""

LINE_BYTES_MAX: Final = 1_000_000
"""The size limit of a line; a state that does not fit is left out, and the line says so."""

RUN_BYTES: Final = 8
"""Random bytes in the name of a run."""

MESSAGE_ID: Final = re.compile(
    r"(?P<process>(?:dpm|ncm|aca/[a-z0-9-]{1,63})):(?P<run>[0-9a-f]{16}):(?P<sequence>[1-9]\d{0,17})\.(?P<index>\d{1,6})"
)
"""The id of a message: its sender, the run, the sequence number of the line, and the message's index in that line, from 0."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One step. Keys follow OpenTelemetry where it defines one."""

    # `gc=False` because a line is never part of a reference cycle; reference counting frees it.

    process: str = msgspec.field(name="service.instance.id")
    """`dpm`, `ncm`, or `aca/` and the host."""
    run: str
    """One start of the process: random, in hexadecimal."""
    sequence: int
    """1, 2, 3, ... within the run, without gaps. A gap means that lines were lost."""
    time: int = msgspec.field(name="time_unix_nano")
    """The process's clock, in nanoseconds since 1970. For human readers: it orders nothing."""
    event: str = msgspec.field(name="event.name")
    """`<protocol>.<action>`, or an event that no protocol knows as a step (`impl.events.event_schema.STUTTERS`)."""
    attributes: dict[str, Word]
    """The action's parameters by their names in the specification, including the process's own host."""
    taken: str | None = msgspec.field(name="messaging.message.id", default=None)
    """The message that this step took. None: it took none, or its sender gave no id."""
    sent: tuple[Sent, ...] | None = None
    """The messages of the protocol that this step sends. (In a line that belongs to no protocol: `<protocol>.<message>`.)"""
    after: State | None = None
    """The entries of the process's state that the step concerns, as they are afterwards. (In a line that belongs to no protocol
    each symbol is `<protocol>.<symbol>`.)"""
    state: State | None = None
    """The whole state of the process afterwards, as the protocol knows it; written at the start of a run and at regular
    intervals."""


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Line)

encoded: Final[Callable[[Line], bytes]] = _ENCODER.encode
"""The JSON of a line, without the newline."""

decoded: Final[Callable[[bytes | str], Line]] = _DECODER.decode
"""Decodes a line of JSON. Raises `msgspec.ValidationError` for JSON that is not a line, `msgspec.DecodeError` for invalid JSON."""


def new_run() -> str:
    """A new unique name for a run."""
    return secrets.token_hex(RUN_BYTES)


def message_id(process: str, run: str, sequence: int, index: int) -> str:
    """The id of a message, in the form that `MESSAGE_ID` parses."""
    return f"{process}:{run}:{sequence}.{index}"
