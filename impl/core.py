"""What the cores of DPM, NCM and ACA have in common.

A core is fed one input at a time and answers with `Effects`. It has no clock, socket, thread, logger or randomness. Whoever feeds
it has these duties, in this order: make `record` and `sends` durable together; publish the sends; acknowledge the input. Doing
the later ones again after a crash is harmless, as long as nothing else has been made durable in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from impl.messages import Message

ADMINISTRATION: Final = "administration"
"""Where work for the broker's administration goes. No topic: whoever performs the effects does it, in its place among the sends."""

IGNORED: Final = "message.ignored"
"""What an event log calls a message that there was nothing to do about."""

REPEATED: Final = "message.repeated"
"""What it calls saying something again that nobody has asked for."""

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]
"""What a durable record is made of."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, under a name that stays."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    step: str = ""
    """What an event log calls it (`impl.events.event_schema`); the fields have everything that the log says there. Empty: it is
    part of the step of another event of the same effects."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message and the topic that it goes to, by its short name."""

    topic: str
    message: Message
    key: str = ""
    """Messages of one key keep their order."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What an input brings about."""

    record: Mapping[str, Plain] | None = None
    """The change of the durable state; none if there is no change."""
    sends: tuple[Send, ...] = ()
    events: tuple[Event, ...] = ()


def joined(first: Effects, second: Effects) -> Effects:
    """Two effects as one: one durable record, of the form `{"all": [...]}`, and everything sent in order."""
    records: list[Plain] = [dict(record) for record in (first.record, second.record) if record is not None]
    record: dict[str, Plain] | None = {"all": records} if records else None
    return Effects(record, first.sends + second.sends, first.events + second.events)


class IllegalInput(Exception):
    """An input that is not among the legal moves of a role in its present state; the text names all three."""
