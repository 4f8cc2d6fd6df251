"""Encodes the implementation's values and messages in the vocabulary of event logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from impl import messages as m
from impl.core import Event, Send
from impl.events.event_schema import ACTIONS, STUTTERS
from impl.events.line import Sent, Word

_UNQUOTED: Final = ":@!$&'()*+,;="

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "asked_by": ("request",),
    "destination": ("destination", "pod"),
    "why": ("reason",),
}
"""The cores' names for some parameters."""


_FIELDS: Final[Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    step: tuple((name, _ALIASES.get(name, (name,))) for name in names)
    for step, names in (
        *((step, action.parameters) for step, action in ACTIONS.items()),
        *((step, tuple(name.rstrip("?") for name in stutter.attributes)) for step, stutter in STUTTERS.items()),
    )
}
"""By step: the parameters on its line, and the names that they may have in the event."""


def pod(pod: m.Pod) -> str:
    """A pod. Slashes, blanks and percent signs in its names are escaped as in a URL, so that the encoding is unique."""
    text = f"{pod.vpc}/{pod.address}"
    if "%" in text or " " in text or text.count("/") != 1:
        text = "/".join(quote(part, safe=_UNQUOTED) for part in (pod.vpc, pod.address))
    return text


def request(epoch: int, number: int) -> str:
    """A request of a host, identified by its epoch and its number within that epoch."""
    return f"{epoch}.{number}"


_MESSAGES: Final[Mapping[type[Any], tuple[str, Callable[[Any], Sent]]]] = {
    m.Config: ("on-demand.config", lambda message: (pod(message.pod), message.version)),
    m.Report: ("on-demand.report", lambda message: (pod(message.pod), message.version, message.outcome.value)),
    m.Request: (
        "on-demand.request",
        lambda message: (
            message.host,
            message.epoch,
            request(message.epoch, message.request),
            pod(message.source),
            pod(message.destination),
        ),
    ),
    m.Applied: ("on-demand.applied", lambda message: (message.host, message.epoch, pod(message.pod), message.version)),
    m.Route: ("on-demand.route", lambda message: (message.host, message.epoch, pod(message.pod), message.version)),
    m.Granted: (
        "on-demand.granted",
        lambda message: (
            message.host,
            message.epoch,
            request(message.epoch, message.request),
            pod(message.pod),
            message.version,
        ),
    ),
    m.Refused: (
        "on-demand.refused",
        lambda message: (
            message.host,
            message.epoch,
            request(message.epoch, message.request),
            _reason(message.reason.value),
        ),
    ),
    m.Push: ("message-queue.push", lambda message: (message.host, message.epoch, message.vpc, message.revision)),
    m.Subscribe: (
        "message-queue.subscribe",
        lambda message: (message.host, message.epoch, message.vpc, message.attempt),
    ),
    m.Accepted: ("message-queue.accepted", lambda message: (message.host, message.epoch, message.vpc, message.attempt)),
    m.Declined: ("message-queue.declined", lambda message: (message.host, message.epoch, message.vpc, message.attempt)),
    m.Confirmed: (
        "message-queue.applied",
        lambda message: (message.host, message.epoch, message.vpc, message.revision),
    ),
}
"""The messages that the specification knows. A message published to a topic appears as the broker's backlog, not as a message."""


def sent(send: Send) -> tuple[str, Sent] | None:
    """The full name and the arguments of a message; None if no protocol knows it."""
    message = send.message
    if isinstance(message, m.Hello):
        protocol = "on-demand" if send.topic.startswith("requests-") else "message-queue"
        return f"{protocol}.hello", (message.host, message.epoch)
    if isinstance(message, m.Refused) and message.reason is m.Reason.NOT_YOUR_CHANNEL:
        return None
    found = _MESSAGES.get(type(message))
    return (found[0], found[1](message)) if found is not None else None


def attributes(event: Event, host: str) -> dict[str, Word]:
    """The attributes of an event's line, by parameter name. `host`: the agent's host, if the process is an agent."""
    fields, step = event.fields, event.step
    found: dict[str, Word] = {}
    for name, candidates in _FIELDS[step]:
        for field in candidates:
            if field in fields:
                found[name] = _word(field, fields[field], fields, step)
                break
        else:
            if name == "host" and host:
                found[name] = host
    return found


def _word(field: str, value: Any, fields: Mapping[str, Any], step: str) -> Word:
    if isinstance(value, m.Pod):
        return pod(value)
    if field == "request":
        return request(fields["epoch"], value)
    if field == "reason" and step in ACTIONS:
        return _reason(value)
    return value  # type: ignore[no-any-return] # names and numbers


def _reason(text: str) -> str:
    return text.replace(" ", "_").lower()
