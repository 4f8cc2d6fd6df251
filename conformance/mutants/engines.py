"""What is asked of every mutant of the cores: each engine is a column of the kill matrix.

| engine | asks |
|---|---|
| `vectors` | every shipped run of the protocol, in lock-step |
| `negative` | every shipped run of a variant, up to where it leaves the protocol |
| `free` | runs by chance (`conformance.mutants.runs`), in lock-step |

A check is what is compared: a piece of the state, messages, what a core lists as due, what it has to refuse. Where it is seen is a
run and a step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from conformance.driver import Cores
from conformance.lockstep import Divergence
from conformance.matrix.table import SURVIVES, Answer, Check, Kill, Undecided
from conformance.mutants.runs import free_runs
from conformance.replaying import Vector, read_vectors, replay_all, vectors_of
from conformance.targets import open_target
from spec.language import Protocol

COMPARED: Final = "comparison"
"""The kind of check that replays are made of."""

Engine = Callable[[Protocol, Cores], Answer]


@lru_cache(maxsize=4)
def _shipped(protocol: Protocol) -> tuple[list[Vector], list[Vector]]:
    """The vectors of a protocol, and the negative ones."""
    read = read_vectors([vectors_of(protocol)], protocol)
    return [one for one in read if one.diverges_at is None], [one for one in read if one.diverges_at is not None]


_free = lru_cache(maxsize=4)(free_runs)


def _replayed(runs: Sequence[Vector], cores: Cores) -> Answer:
    """The first divergence."""
    with open_target("memory") as memory:
        found = replay_all(runs, memory, cores=cores, stop_at_divergence=True)
    if found.divergence is not None:
        return killed_by(found.divergence)
    return Undecided(found.not_driven[0][1]) if found.not_driven else SURVIVES


def killed_by(divergence: Divergence) -> Kill:
    """A divergence as a kill: what was compared, where it differed, and after how many steps."""
    return Kill(Check(COMPARED, compared(divergence.field)), divergence.trace, divergence.step)


def compared(field: str) -> str:
    """What was compared, without whom it is about: `known(h1, p2)` is `known`, `h1: evict(p2)` is `refusal: evict`."""
    name = field.partition(": ")[2]
    what = re.sub(r"\(.*?\)", "", name or field)
    if not name:
        return re.sub(r"received by .*", "received", what)
    return f"refusal: {what}" if "(" in name else f"listed: {what}"


ENGINES: Final[Mapping[str, tuple[str, Engine]]] = {
    "vectors": (
        "every shipped run of the protocol, in lock-step",
        lambda protocol, cores: _replayed(_shipped(protocol)[0], cores),
    ),
    "negative": (
        "every shipped run of a variant, up to the step at which it leaves the protocol",
        lambda protocol, cores: _replayed(_shipped(protocol)[1], cores),
    ),
    "free": (
        "runs by chance from fixed seeds, in lock-step",
        lambda protocol, cores: _replayed(_free(protocol), cores),
    ),
}
"""The columns, each with what it asks."""
