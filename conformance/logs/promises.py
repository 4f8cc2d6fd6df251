"""Checks the promises in the state that the logs lead to.

A line that fits is a step of the statement, and the proofs cover every such step. The promises are checked all the same: a
statement can be changed without being proved again, and then logs show the state that a real deployment reached. The check is
sound. It runs only if the state is known and is a state of the statement: every process keeps a log from its start, and no host was
registered late or again, for which the statement has no step. And it reports a promise only if it is broken: promises that read
uncertain or dropped entries, or history that is not known well enough, are skipped.

A message that was taken counts as spent if the statement says so. If it is not, the proof of that fails, and the promise reported
may be another than the broken one.
"""

from __future__ import annotations

from collections.abc import Iterable

from conformance.logs.history import history_of
from conformance.logs.matcher import MatcherState
from model.explaining.broken import Broken, Judge, shadows
from model.explaining.scene import Scene
from model.matching.relaxed import Hearsay


def broken_in(matcher: MatcherState) -> list[Broken]:
    """The promises that the state of a protocol breaks, each with the first values found."""
    protocol, tables, constants = matcher.protocol, matcher.tables, matcher.observer.compiled.constants
    scene = Scene(protocol, constants, tables, shadows(protocol))
    judge = Judge(scene, history_of(protocol, tables, constants))
    unknown = {message.name for message in protocol.messages if isinstance(message, Hearsay)}
    unknown |= {name for name, some in tables.gone.items() if len(some)}
    return judge.broken_now(unknown)


def described(broken: Iterable[Broken]) -> str:
    """The broken promises in one sentence, without a full stop."""
    parts = []
    for item in broken:
        values = ", ".join(f"{name} {value}" for name, value in item.values)
        parts.append(f"{item.promise.name} is broken" + (f" for {values}" if values else ""))
    return f"every line fits the statement, but the state that they lead to breaks a promise: {'; '.join(parts)}"
