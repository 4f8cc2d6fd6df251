"""The message queue's names in the specification and in the implementation.

| specification | implementation |
|---|---|
| VPC `red` | a VPC of a name that no other run has: topics stay at the broker |
| a revision | a revision whose content is its number, of another kind than the one before; the other kinds are as they were |
| messages | classes of the same meaning; `applied` is `Confirmed` |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from impl import messages as m
from model.reference.configuration import Configuration
from model.reference.state import Element, State, Tuple

MESSAGES: Final[Mapping[str, type[Any]]] = {
    "push": m.Push,
    "subscribe": m.Subscribe,
    "hello": m.Hello,
    "accepted": m.Accepted,
    "declined": m.Declined,
    "applied": m.Confirmed,
}
_NAMES: Final = {kind: name for name, kind in MESSAGES.items()}

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "push": ("host", "epoch", "vpc", "revision"),
    "subscribe": ("host", "epoch", "vpc", "attempt"),
    "hello": ("host", "epoch"),
    "accepted": ("host", "epoch", "vpc", "attempt"),
    "declined": ("host", "epoch", "vpc", "attempt"),
    "applied": ("host", "epoch", "vpc", "revision"),
}
"""The implementation's fields of a message, in the order of the specification's."""


def content(revision: Element) -> bytes:
    """What a revision says."""
    return f"revision {revision}".encode()


def kind_of(revision: int) -> m.Kind:
    """What a revision changes: the kinds take turns."""
    kinds = list(m.Kind)
    return kinds[revision % len(kinds)]


def parts(revision: Element) -> tuple[m.Part, ...]:
    """All that is shared then, as messages carry it."""
    newest = {kind_of(number): content(number) for number in range(1, int(revision) + 1)}
    return tuple(m.Part(kind, newest[kind]) for kind in m.Kind if kind in newest)


class Naming:
    """The names of one run."""

    def __init__(self, configuration: Configuration, suffix: str) -> None:
        self.vpcs: Mapping[str, str] = {name: f"{name}-{suffix}" for name in configuration.sorts["Vpc"]}
        """The implementation's names."""
        self._names = {vpc: name for name, vpc in self.vpcs.items()}

    def vpc(self, name: Element) -> str:
        """The implementation's name of a VPC."""
        return self.vpcs[str(name)]

    def vpc_name(self, vpc: str) -> str:
        """The specification's; one that it does not have shows as it is."""
        return self._names.get(vpc, vpc)

    def message(self, name: str, arguments: Tuple, state: State) -> m.Message:
        """The implementation's message for one of the specification's."""
        fields: dict[str, Any] = dict(zip(FIELDS[name], arguments, strict=True))
        if "vpc" in fields:
            fields["vpc"] = self.vpc(fields["vpc"])
        if name == "push":
            fields["parts"] = parts(fields["revision"])
        kind: Callable[..., m.Message] = MESSAGES[name]
        return kind(**fields)

    def published(self, vpc: Element, revision: Element) -> m.Published:
        """What goes to all that subscribe."""
        return m.Published(self.vpc(vpc), int(revision), parts(revision))

    def said(self, message: m.Message) -> tuple[str, Tuple]:
        """The specification's name and arguments of a message. What is published is none: it shows as the backlog's."""
        if isinstance(message, m.Published):
            return "published", (self.vpc_name(message.vpc), message.revision)
        name = _NAMES[type(message)]
        return name, tuple(
            self.vpc_name(getattr(message, field)) if field == "vpc" else getattr(message, field)
            for field in FIELDS[name]
        )

    def shown(self, message: m.Message) -> str:
        """A message in the specification's words, for reports."""
        name, arguments = self.said(message)
        return f"{name}({', '.join(map(str, arguments))})"
