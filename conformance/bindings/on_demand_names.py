"""The names of messages and fields in the specification, with those of the implementation.

| specification | implementation |
|---|---|
| pod `p1` of VPC `red` | `Pod("red", "p1")` |
| request `r2`, the second member of its sort | the number 2 |
| a version, whose place is in `at` | a version that carries its place |
| messages, reasons, changes | classes and enumerations of the same meaning |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from impl import messages as m
from model.reference.configuration import Configuration
from model.reference.state import Element, State, Tuple

MESSAGES: Final[Mapping[str, type[Any]]] = {
    "config": m.Config,
    "report": m.Report,
    "hello": m.Hello,
    "request": m.Request,
    "applied": m.Applied,
    "route": m.Route,
    "granted": m.Granted,
    "refused": m.Refused,
}
_NAMES: Final = {kind: name for name, kind in MESSAGES.items()}

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "config": ("pod", "version"),
    "report": ("pod", "version", "outcome"),
    "hello": ("host", "epoch"),
    "request": ("host", "epoch", "request", "source", "destination"),
    "applied": ("host", "epoch", "pod", "version"),
    "route": ("host", "epoch", "pod", "version"),
    "granted": ("host", "epoch", "request", "pod", "version"),
    "refused": ("host", "epoch", "request", "reason"),
}
"""The implementation's fields of a message, in the order of the specification's."""

PLACED: Final = frozenset({"config", "route", "granted"})
"""Messages that carry the place of their version along."""

UNNAMED_REQUEST: Final = 1_000_000
"""The number for a packet when the configuration has no request left; the specification holds no such packet."""


class Names:
    """The names of one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        vpcs = configuration.constants["vpc_of"]
        assert isinstance(vpcs, Mapping)
        self._pods = {str(key[0]): m.Pod(str(vpc), str(key[0])) for key, vpc in vpcs.items()}
        self._pod_names = {pod: name for name, pod in self._pods.items()}
        self._requests = {name: number for number, name in enumerate(configuration.sorts["Request"], start=1)}
        self._request_names = {number: name for name, number in self._requests.items()}
        self._in: Mapping[str, Callable[[Any], Any]] = {
            "pod": self._pods.__getitem__,
            "source": self._pods.__getitem__,
            "destination": self._pods.__getitem__,
            "request": self._requests.__getitem__,
            "reason": lambda name: m.Reason[name.upper()],
            "outcome": lambda name: m.Outcome[name.upper()],
        }
        self._out: Mapping[str, Callable[[Any], Element]] = {
            "pod": self.pod_name,
            "source": self.pod_name,
            "destination": self.pod_name,
            "request": self.request_name,
            "reason": _enumerated,
            "outcome": _enumerated,
        }

    def pod(self, name: Element) -> m.Pod:
        """The pod of this name."""
        return self._pods[str(name)]

    def pod_name(self, pod: m.Pod) -> str:
        """The name of a pod; one that the configuration does not have shows as VPC and address."""
        name = self._pod_names.get(pod)
        return str(pod) if name is None else name

    def request(self, name: Element) -> int:
        """The number of a request."""
        return self._requests[str(name)]

    def request_name(self, number: int) -> str:
        """The name of a request; a number that the configuration does not have shows as it is."""
        return self._request_names.get(number, f"request {number}")

    def message(self, name: str, arguments: Tuple, state: State) -> m.Message:
        """The implementation's message for one of the specification's, with its place in this state."""
        fields = {
            field: self._in.get(field, _same)(value) for field, value in zip(FIELDS[name], arguments, strict=True)
        }
        if name in PLACED:
            fields["place"] = place_of(state, *_pod_and_version(name, arguments))
            if name == "granted" and fields["place"] is None:
                fields["place"] = "-"  # only a variant's: no such message can be on the wire
        kind: Callable[..., m.Message] = MESSAGES[name]
        return kind(**fields)

    def said(self, message: m.Message) -> tuple[str, Tuple]:
        """The specification's name and arguments of a message; its place is not among them."""
        name = _NAMES[type(message)]
        return name, tuple(self._outward(field, getattr(message, field)) for field in FIELDS[name])

    def shown(self, message: m.Message) -> str:
        """A message in the specification's words, for reports."""
        name, arguments = self.said(message)
        return f"{name}({', '.join(map(str, arguments))})"

    def _outward(self, field: str, value: Any) -> Element:
        convert: Callable[[Any], Element] = self._out.get(field, _same)
        return convert(value)


def place_of(state: State, pod: Element, version: Element) -> str | None:
    """Where a version says that the pod is; none: gone."""
    hosts = [key[2] for key in state.relations["at"] if key[:2] == (pod, version)]
    return str(hosts[0]) if hosts else None


def _pod_and_version(name: str, arguments: Tuple) -> Tuple:
    fields = FIELDS[name]
    return arguments[fields.index("pod")], arguments[fields.index("version")]


def place_said(name: str, arguments: Tuple, state: State) -> str | None:
    """The place that a message of this content has to carry."""
    return place_of(state, *_pod_and_version(name, arguments))


def _enumerated(member: Any) -> str:
    name: str = member.name
    return name.lower()


def _same(value: Element) -> Element:
    return value
