"""Promises of a state that logs lead to.

A line that fits is a step of the statement, and proofs say what every such step keeps. Whether the statement at hand keeps what it
promises is asked of the state all the same: a statement can be changed without being proved again, and logs then show what a real
deployment came to. It is asked in the sound form. The state has to be known, and to be one of the statement's: each process keeps a
log from its beginning, and no host was registered late or anew, which the statement knows nothing of. And what is called broken is
broken: a promise is left out if it reads what only may be so, what was forgotten, or history of which too little is known.

A message that was taken counts as spent where the statement says so. If that is not true of it, its proof fails, and a promise that
is called broken may be another than the one that is.
"""

from __future__ import annotations

from collections.abc import Iterable

from conformance.logs.history import history_of
from conformance.logs.matcher import MatcherState
from model.explaining.broken import Broken, Judge, shadows
from model.explaining.scene import Scene
from model.matching.relaxed import Hearsay


def broken_in(matcher: MatcherState) -> list[Broken]:
    """The promises that the state of a protocol breaks, each with the first values that are found."""
    protocol, tables, constants = matcher.protocol, matcher.tables, matcher.observer.compiled.constants
    scene = Scene(protocol, constants, tables, shadows(protocol))
    judge = Judge(scene, history_of(protocol, tables, constants))
    unknown = {message.name for message in protocol.messages if isinstance(message, Hearsay)}
    unknown |= {name for name, some in tables.gone.items() if len(some)}
    return judge.broken_now(unknown)


def told(broken: Iterable[Broken]) -> str:
    """One sentence, without a full stop."""
    parts = []
    for item in broken:
        values = ", ".join(f"{name} {value}" for name, value in item.values)
        parts.append(f"{item.promise.name} is broken" + (f" for {values}" if values else ""))
    return f"every line fits the statement, and yet the state that they lead to breaks a promise: {'; '.join(parts)}"
