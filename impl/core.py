"""What the cores of DPM, NCM and ACA have in common.

A core takes one input at a time and returns `Effects`. It has no clock, socket, thread, logger or randomness. Its caller has three
duties, in this order: make `record` and `sends` durable together; publish the sends; acknowledge the input. Repeating the later
ones after a crash is harmless, as long as nothing else has become durable in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from impl.messages import Message

ADMINISTRATION: Final = "administration"
"""The destination of requests to the broker's administration. It is not a topic: the process that performs the effects executes
them, in their order among the sends."""

IGNORED: Final = "message.ignored"
"""The event-log name of a message that required no action."""

REPEATED: Final = "message.repeated"
"""The event-log name of an unsolicited repetition."""

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]
"""The values that a durable record consists of."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, under a stable name."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    step: str = ""
    """The event's name in the event log (`impl.events.event_schema`); the fields hold everything that the log states. Empty: the
    event belongs to the step of another event of the same effects."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message and the short name of its destination topic."""

    topic: str
    message: Message
    key: str = ""
    """Messages with the same key keep their order."""


@dataclass(frozen=True, slots=True)
class Effects:
    """The result of one input."""

    record: Mapping[str, Plain] | None = None
    """The change of the durable state, or None."""
    sends: tuple[Send, ...] = ()
    events: tuple[Event, ...] = ()


def joined(first: Effects, second: Effects) -> Effects:
    """Combines two effects: one durable record of the form `{"all": [...]}`, and all sends in order."""
    records: list[Plain] = [dict(record) for record in (first.record, second.record) if record is not None]
    record: dict[str, Plain] | None = {"all": records} if records else None
    return Effects(record, first.sends + second.sends, first.events + second.events)


class IllegalInput(Exception):
    """An input that is not a legal move of the role in its present state; the text names role, state and input."""
