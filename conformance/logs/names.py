"""How logs map to the specification: the constants of a deployment, and what a full state in a log contains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import is_not
from typing import Any, Final

from conformance.protocols import DRIVEN, named
from model.language import Protocol
from model.matching.relaxed import relaxed
from spec.message_queue.vocabulary import BROKER


def as_logged(protocol: Protocol) -> Protocol:
    """A protocol as far as logs show it. The broker keeps no log, so the order in which processes reached it is unknown."""
    return relaxed(protocol, BROKER) if BROKER in protocol.roles else protocol


RECORDED: Final[Sequence[Protocol]] = tuple(named(name) for name in sorted(DRIVEN, reverse=True))
"""The protocols whose steps are recorded: those that are implemented."""

LOGGED: Final[Sequence[Protocol]] = tuple(map(as_logged, RECORDED))
"""The same, as far as logs show them."""

LIMITS: Final = {"many_ports": 1, "many_in_a_group": 1, "patience": 1}
"""Default constants of a deployment, used until DPM's log states them."""

FACTS: Final[Mapping[str, str]] = {"at": "versions_are_immutable"}
"""State of another role that a step may read whenever it is matched, with the promise that justifies it: the value is fixed before
the first message that names it is sent."""

IDENTIFYING_ARGUMENTS: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "on-demand": {"request": (0, 2), "at": (0, 1)},
    "message-queue": {"backlog": (0, 1)},
}
"""By protocol and symbol: entries that never become spent or false and yet are dropped when old, with the arguments that identify
one. The last of these is a counter: requests, versions and revisions are numbered."""

RESTARTS: Final[Mapping[str, str]] = {"dpm": "restart_dpm", "ncm": "restart_ncm"}
"""By role: the action that a new run of a process stands for, if its log only says that it started."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a symbol appears in a full state of its role."""

    symbol: str
    own: int | None = None
    """The argument that is the process's own host, for state that each agent has."""
    only: Any = None
    """If set, only entries with this value appear; the others are history."""


FULL_STATE: Final[Mapping[str, Mapping[str, tuple[Shown, ...]]]] = {
    "on-demand": {
        "dpm": (Shown("latest"), Shown("outcome", only="pending")),
        "ncm": (
            Shown("recorded"),
            Shown("greeted"),
            Shown("told"),
            Shown("pending"),
            Shown("change", only="pending"),
            Shown("removed"),
        ),
        "aca": (
            Shown("epoch", 0),
            Shown("known", 0),
            Shown("installed", 0),
            Shown("waiting", 0),
            Shown("paused", 0),
        ),
    },
    "message-queue": {
        "dpm": (
            Shown("rules"),
            Shown("sent"),
            Shown("outcome", only="pending"),
            Shown("size"),
            Shown("group"),
            Shown("ports"),
            Shown("channel"),
            Shown("subscription"),
            Shown("attempt"),
            Shown("tries"),
            Shown("barred"),
            Shown("met"),
            Shown("confirmed"),
        ),
        "aca": (Shown("epoch", 0), Shown("known", 0), Shown("heard", 0), Shown("listening", 0)),
    },
}
"""What a full state contains completely. Other entries (`at` of some versions) must hold but need not be complete."""


REMEMBERED_MAX: Final = 1 << 16
"""Names of one sort that are cached before the cache is cleared: this bounds memory for any log."""


class Lookup(dict[str, str]):
    """A cache of a function of names. A hit costs no Python call."""

    def __init__(self, find: Callable[[str], str]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> str:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[name] = found = self._find(name)
        return found


_vpc_of: Final = Lookup(lambda pod: pod.partition("/")[0]).__getitem__

_every_host: Final = partial(is_not, None)
"""True for every host, without a Python call: it is evaluated for nearly every line."""


def constants(
    protocol: Protocol, byzantine: frozenset[str], thresholds: Mapping[str, int]
) -> dict[str, Callable[..., Any]]:
    """The constants of a deployment: a pod's VPC is part of its name, and all agents are correct except the Byzantine ones."""
    known: dict[str, Callable[..., Any]] = {
        "vpc_of": _vpc_of,
        "correct": (lambda host: host not in byzantine) if byzantine else _every_host,
        **{name: lambda _, value=value: value for name, value in thresholds.items()},
    }
    return {symbol.name: known[symbol.name] for symbol in protocol.symbols if symbol.kind == "constant"}
