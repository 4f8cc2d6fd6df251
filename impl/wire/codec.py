"""Converts messages to bytes and back. Incoming messages are checked to the last field before anything acts on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError

from impl import messages as m
from impl.wire import ondemand_pb2 as pb

MESSAGE_BYTES_MAX: Final = 16_384
"""No message of the protocol comes near this size; a larger one is an error or an attack."""

TEXT_CHARACTERS_MAX: Final = 253
"""The length limit of a VPC name or an address: that of a domain name."""

NUMBER_MAX: Final = 2**63 - 1
"""The limit of a version, epoch or request: that of the store's integers."""


class MalformedMessage(Exception):
    """Bytes that are not a valid message; the text names the field, and what was expected. It quotes no payload."""


def encode(message: m.Message) -> bytes:
    """The bytes of a message."""
    name, fill = _ENCODERS[type(message)]
    envelope = pb.Envelope()
    target = getattr(envelope, name)
    target.SetInParent()
    fill(message, target)
    data: bytes = envelope.SerializeToString(deterministic=True)
    return data


def decode(data: bytes) -> m.Message:
    """The message in these bytes.

    Raises:
        MalformedMessage: it does not parse, or a field is missing, of an unknown kind, or out of range.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise MalformedMessage(f"{len(data)} bytes; a message has at most {MESSAGE_BYTES_MAX}")
    envelope = pb.Envelope()
    try:
        envelope.ParseFromString(data)
    except DecodeError as problem:
        raise MalformedMessage("the bytes do not parse as a protobuf message") from problem
    kind = envelope.WhichOneof("message")
    if kind is None:
        raise MalformedMessage("an envelope of an unknown kind")
    return _DECODERS[kind](getattr(envelope, kind), kind)


# ------------------------------------------------------------------------------------------------------ encoding

_REASONS: Final = {
    m.Reason.NOT_YOUR_SOURCE: pb.REASON_NOT_YOUR_SOURCE,
    m.Reason.OTHER_VPC: pb.REASON_OTHER_VPC,
    m.Reason.UNKNOWN: pb.REASON_UNKNOWN,
    m.Reason.GONE: pb.REASON_GONE,
    m.Reason.NOT_YOUR_CHANNEL: pb.REASON_NOT_YOUR_CHANNEL,
}
_KINDS: Final = {m.Kind.SUBNET: pb.KIND_SUBNET, m.Kind.GROUP_RULES: pb.KIND_GROUP_RULES}
_OUTCOMES: Final = {
    m.Outcome.DONE: pb.OUTCOME_DONE,
    m.Outcome.SUPERSEDED: pb.OUTCOME_SUPERSEDED,
    m.Outcome.FAILED: pb.OUTCOME_FAILED,
}


def _fill(message: Any, target: Any) -> None:
    """Copies the fields, which have the same names on both sides."""
    for name in type(message).__dataclass_fields__:
        value = getattr(message, name)
        if isinstance(value, m.Pod):
            getattr(target, name).vpc = value.vpc
            getattr(target, name).address = value.address
        elif isinstance(value, m.Reason):
            target.reason = _REASONS[value]
        elif isinstance(value, m.Outcome):
            target.outcome = _OUTCOMES[value]
        elif name == "parts":
            for part in value:
                target.parts.add(kind=_KINDS[part.kind], data=part.data)
        elif name == "place" and not isinstance(message, m.Granted):
            if value is None:
                target.place.gone = True
            else:
                target.place.host = value
        else:
            setattr(target, name, value)


_ENCODERS: Final[dict[type[Any], tuple[str, Callable[[Any, Any], None]]]] = {
    kind: (re.sub(r"\B([A-Z])", r"_\1", kind.__name__).lower(), _fill)
    for kind in (
        m.Config,
        m.Report,
        m.Registered,
        m.Deregistered,
        m.Hello,
        m.Request,
        m.Applied,
        m.Route,
        m.Granted,
        m.Refused,
        m.Push,
        m.Published,
        m.Subscribe,
        m.Accepted,
        m.Declined,
        m.Confirmed,
        m.OpenTopic,
        m.CloseTopic,
        m.Permit,
        m.EndSubscription,
        m.Told,
        m.Goal,
        m.Attend,
        m.Leave,
        m.Left,
        m.Mark,
    )
}

# ------------------------------------------------------------------------------------------------------ decoding


def _text(source: Any, kind: str, name: str) -> str:
    value: str = getattr(source, name)
    if not 0 < len(value) <= TEXT_CHARACTERS_MAX:
        raise MalformedMessage(f"{kind}.{name}: expected 1 to {TEXT_CHARACTERS_MAX} characters, found {len(value)}")
    if not value.isprintable():
        raise MalformedMessage(f"{kind}.{name}: expected printable characters")
    return value


def _host(source: Any, kind: str, name: str = "host") -> str:
    value: str = getattr(source, name)
    if not m.HOST_NAME.fullmatch(value):
        raise MalformedMessage(
            f"{kind}.{name}: expected a host's name (lower-case letters, digits, hyphens; 63 at most)"
        )
    return value


def _count(source: Any, kind: str, name: str, least: int = 1) -> int:
    value: int = getattr(source, name)
    if not least <= value <= NUMBER_MAX:
        raise MalformedMessage(f"{kind}.{name}: expected a number from {least} to 2^63-1, found {value}")
    return value


def _pod(source: Any, kind: str, name: str) -> m.Pod:
    if not source.HasField(name):
        raise MalformedMessage(f"{kind}.{name}: is missing")
    pod = getattr(source, name)
    return m.Pod(_text(pod, f"{kind}.{name}", "vpc"), _text(pod, f"{kind}.{name}", "address"))


def _place(source: Any, kind: str) -> str | None:
    which = source.place.WhichOneof("at") if source.HasField("place") else None
    if which == "host":
        return _host(source.place, f"{kind}.place")
    if which == "gone" and source.place.gone:
        return None
    raise MalformedMessage(f"{kind}.place: expected a host, or gone")


def _member(values: dict[Any, Any], source: Any, kind: str, name: str) -> Any:
    number = getattr(source, name)
    for member, on_wire in values.items():
        if on_wire == number:
            return member
    raise MalformedMessage(f"{kind}.{name}: {number} is not a known {name}")


def _vpc(source: Any, kind: str) -> str:
    value: str = source.vpc
    if not m.VPC_NAME.fullmatch(value):
        raise MalformedMessage(f"{kind}.vpc: expected a VPC's name (letters, digits, dots, hyphens; 127 at most)")
    return value


def _parts(source: Any, kind: str) -> tuple[m.Part, ...]:
    parts = tuple(m.Part(_member(_KINDS, part, f"{kind}.parts", "kind"), part.data) for part in source.parts)
    kinds = [part.kind for part in parts]
    if not parts or kinds != [item for item in m.Kind if item in kinds]:
        raise MalformedMessage(f"{kind}.parts: expected one or more, each kind once and in order")
    size = sum(len(part.data) for part in parts)
    if size > m.PAYLOAD_BYTES_MAX:
        raise MalformedMessage(f"{kind}.parts: {size} bytes; a revision has at most {m.PAYLOAD_BYTES_MAX}")
    return parts


def _answered(make: Callable[[str, int, str, int], m.Message], number: str) -> Callable[[Any, str], m.Message]:
    """A reader for messages of a host, an epoch, a VPC and a number."""
    return lambda s, k: make(_host(s, k), _count(s, k, "epoch"), _vpc(s, k), _count(s, k, number))


def _data(source: Any, kind: str) -> bytes:
    data: bytes = source.data
    if len(data) > m.PAYLOAD_BYTES_MAX:
        raise MalformedMessage(f"{kind}.data: {len(data)} bytes; a revision has at most {m.PAYLOAD_BYTES_MAX}")
    return data


def _slot(source: Any, kind: str) -> int:
    slot: int = source.slot
    if not m.FIRST_SLOT <= slot <= m.LAST_SLOT:
        raise MalformedMessage(f"{kind}.slot: expected a number from {m.FIRST_SLOT} to {m.LAST_SLOT}, found {slot}")
    return slot


_DECODERS: Final[dict[str, Callable[[Any, str], m.Message]]] = {
    "config": lambda s, k: m.Config(_pod(s, k, "pod"), _count(s, k, "version"), _place(s, k)),
    "report": lambda s, k: m.Report(_pod(s, k, "pod"), _count(s, k, "version"), _member(_OUTCOMES, s, k, "outcome")),
    "registered": lambda s, k: m.Registered(_host(s, k), _count(s, k, "registration")),
    "deregistered": lambda s, k: m.Deregistered(_host(s, k), _count(s, k, "registration")),
    "hello": lambda s, k: m.Hello(_host(s, k), _count(s, k, "epoch")),
    "request": lambda s, k: m.Request(
        _host(s, k),
        _count(s, k, "epoch"),
        _count(s, k, "request"),
        _pod(s, k, "source"),
        _pod(s, k, "destination"),
    ),
    "applied": lambda s, k: m.Applied(_host(s, k), _count(s, k, "epoch"), _pod(s, k, "pod"), _count(s, k, "version")),
    "route": lambda s, k: m.Route(
        _host(s, k), _count(s, k, "epoch"), _pod(s, k, "pod"), _count(s, k, "version"), _place(s, k)
    ),
    "granted": lambda s, k: m.Granted(
        _host(s, k),
        _count(s, k, "epoch"),
        _count(s, k, "request"),
        _pod(s, k, "pod"),
        _count(s, k, "version"),
        _host(s, k, "place"),
    ),
    "refused": lambda s, k: m.Refused(
        _host(s, k), _count(s, k, "epoch"), _count(s, k, "request"), _member(_REASONS, s, k, "reason")
    ),
    "push": lambda s, k: m.Push(_host(s, k), _count(s, k, "epoch"), _vpc(s, k), _count(s, k, "revision"), _parts(s, k)),
    "published": lambda s, k: m.Published(_vpc(s, k), _count(s, k, "revision"), _parts(s, k)),
    "subscribe": _answered(m.Subscribe, "attempt"),
    "accepted": _answered(m.Accepted, "attempt"),
    "declined": _answered(m.Declined, "attempt"),
    "confirmed": _answered(m.Confirmed, "revision"),
    "open_topic": lambda s, k: m.OpenTopic(_vpc(s, k)),
    "close_topic": lambda s, k: m.CloseTopic(_vpc(s, k)),
    "permit": lambda s, k: m.Permit(_host(s, k), _vpc(s, k)),
    "end_subscription": lambda s, k: m.EndSubscription(_host(s, k), _vpc(s, k)),
    "told": lambda s, k: m.Told(_host(s, k), _vpc(s, k), _count(s, k, "revision"), _data(s, k)),
    "goal": lambda s, k: m.Goal(_host(s, k), _count(s, k, "epoch"), _vpc(s, k), _count(s, k, "revision"), _data(s, k)),
    "attend": lambda s, k: m.Attend(_host(s, k), _count(s, k, "epoch"), _vpc(s, k), _count(s, k, "turn"), _slot(s, k)),
    "leave": _answered(m.Leave, "turn"),
    "left": _answered(m.Left, "turn"),
    "mark": lambda s, k: m.Mark(_host(s, k), _count(s, k, "epoch", 0), _vpc(s, k), _count(s, k, "turn"), _slot(s, k)),
}
