"""What the words of logs stand for in the specification: its constants, whose state is whose, and what a whole state shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import is_not
from typing import Any, Final

from conformance.protocols import REPLAYED, named
from model.language import Protocol
from model.matching.relaxed import relaxed
from spec.message_queue.vocabulary import BROKER


def as_logged(protocol: Protocol) -> Protocol:
    """A protocol as far as logs can tell. The broker keeps no log: in what order processes came to it is not known."""
    return relaxed(protocol, BROKER) if BROKER in protocol.roles else protocol


RECORDED: Final[Sequence[Protocol]] = tuple(named(name) for name in sorted(REPLAYED, reverse=True))
"""The protocols whose steps are recorded: those that an implementation follows."""

LOGGED: Final[Sequence[Protocol]] = tuple(map(as_logged, RECORDED))
"""The same as far as logs can tell."""

LIMITS: Final = {"many_ports": 1, "many_in_a_group": 1, "patience": 1}
"""Constants of a deployment, as long as DPM's log has not told them."""

FACTS: Final[Mapping[str, str]] = {"at": "versions_are_immutable"}
"""State of another role that a step may read, whenever it is matched, and the promise that says why: it is settled before the first
message that names it is sent."""

IDENTIFYING_ARGUMENTS: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "on-demand": {"request": (0, 2), "at": (0, 1)},
    "message-queue": {"backlog": (0, 1)},
}
"""What never gets spent or untrue and yet is forgotten when it is old, and the arguments that tell one from the others, the last of
which counts: a host numbers its requests, and versions and revisions are numbers."""

RESTARTS: Final[Mapping[str, str]] = {"dpm": "restart_dpm", "ncm": "restart_ncm"}
"""The step that a new run of a process is, where its log says only that it started."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How a symbol shows in a whole state of its role."""

    symbol: str
    own: int | None = None
    """The argument that is the process's own host, of state that each agent has for itself."""
    only: Any = None
    """Entries with this value only; the others are history, and left out."""


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
"""What a whole state says completely. What else it says (`at` of some versions) has to hold, and may leave out the rest."""


REMEMBERED_MAX: Final = 1 << 16
"""Names of one sort that are remembered before all are forgotten again: memory has a bound for any log."""


class Lookup(dict[str, str]):
    """What is to be known of names, found once; looking up what is remembered takes no call of Python's."""

    def __init__(self, find: Callable[[str], str]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> str:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[name] = found = self._find(name)
        return found


_vpc_of: Final = Lookup(lambda pod: pod.partition("/")[0]).__getitem__

_everybody: Final = partial(is_not, None)
"""Says yes to every host, without a call of Python's: it is asked for nearly every line."""


def constants(
    protocol: Protocol, byzantine: frozenset[str], thresholds: Mapping[str, int]
) -> dict[str, Callable[..., Any]]:
    """The constants of a deployment: a pod's VPC is in its name, and every agent is correct but those that are said not to be."""
    known: dict[str, Callable[..., Any]] = {
        "vpc_of": _vpc_of,
        "correct": (lambda host: host not in byzantine) if byzantine else _everybody,
        **{name: lambda _, value=value: value for name, value in thresholds.items()},
    }
    return {symbol.name: known[symbol.name] for symbol in protocol.symbols if symbol.kind == "constant"}
