"""Retention: what validation drops, so that memory depends on hosts, pods and the window, not on the length of the logs.

| what | is dropped | what remains |
|---|---|---|
| spent messages | when there are many: no step can take them | the fact that they are spent |
| messages that no answer spends | when older than the window in lines, and no host waits for an answer | number intervals |
| the outcome of a version | when no step reads it any more (`model.matching.forgotten`) | version intervals |
| the place that a version gives a pod | when nothing names the version any more, in complete logs | version intervals |

A line that depends on dropped state cannot be decided. If it fits given a message that may have been dropped, that message is
assumed, so that the following lines are checked too: if one of these does not fit, the logs diverge either way. But they can no
longer conform.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

from conformance.logs.history import drop_past, keep_past
from conformance.logs.matcher import MatcherState
from conformance.logs.names import IDENTIFYING_ARGUMENTS
from conformance.logs.wording import written
from model.language import Message
from model.language.terms import Apply, Variable
from model.language.walk import parts
from model.matching.forgotten import FORGOTTEN
from model.matching.interval_set import IntervalSet
from model.matching.observed import Misfit
from model.reference.state import Tuple

SWEEP_EVERY: Final = 4_096
"""Entries of one symbol at the first sweep; the next is due at twice the number that the last one left."""


def sweep(matcher: MatcherState, window: int, *, complete: bool) -> None:
    """Drops entries that are no longer needed, of symbols that doubled since the last sweep: each is examined at most twice.

    `complete`: every process keeps a log from its start.
    """
    least = min(SWEEP_EVERY, window)
    apart = IDENTIFYING_ARGUMENTS.get(matcher.protocol.name, {})
    names = [
        *matcher.observer.messages,
        *matcher.tables.layout.settled,
        *(name for name in apart if not _is_message(matcher, name)),
    ]
    for name in names:
        if len(matcher.tables.table(name)) >= matcher.sweep_at.get(name, least):
            matcher.sweep_at[name] = max(least, 2 * _drop(matcher, name, window, complete))


def _is_message(matcher: MatcherState, name: str) -> bool:
    return name in matcher.observer.messages


def _drop(matcher: MatcherState, name: str, window: int, complete: bool) -> int:
    """Drops entries of one symbol; returns how many are left."""
    tables, symbol = matcher.tables, matcher.tables.layout.kept[name]
    if name in matcher.observer.messages:
        matcher.observer.sweep(tables, name)
    if name in tables.layout.settled:
        values = tables.layout.settled[name]
        for arguments in [entry for entry, value in tables.entries(name) if value in values]:
            tables.put(name, arguments, tables.layout.first(name))
            tables.gone[name].add(arguments)
    elif name in IDENTIFYING_ARGUMENTS.get(matcher.protocol.name, {}):
        old = (
            _old(matcher, name, window) if isinstance(symbol, Message) else _unnamed(matcher, name) if complete else ()
        )
        gone = tables.gone.setdefault(name, IntervalSet())
        for arguments in list(old):
            keep_past(tables, name, arguments)
            tables.put(name, arguments, False)
            gone.add(_identity(matcher, name, arguments))
        drop_past(tables)
    return len(tables.table(name))


def _identity(matcher: MatcherState, name: str, arguments: Sequence[Any]) -> Tuple:
    return tuple(arguments[place] for place in IDENTIFYING_ARGUMENTS[matcher.protocol.name][name])


def _old(matcher: MatcherState, name: str, window: int) -> Iterator[Tuple]:
    """Messages older than the window whose answer no host waits for."""
    tables = matcher.tables
    waiting = tables.table("waiting") if name == "request" else ()
    for arguments, sent in tables.table(name).items():
        if tables.now - sent > window and (arguments[0], *arguments[2:]) not in waiting:
            yield arguments


def _unnamed(matcher: MatcherState, name: str) -> Iterator[Tuple]:
    """Numbered entries that no other entry names: the newest numbers and those in flight are named."""
    tables, (counting, number) = matcher.tables, matcher.tables.layout.kept[name].arguments[:2]
    named: set[Tuple] = set()
    for other, symbol in tables.layout.kept.items():
        subjects = [place for place, sort in enumerate(symbol.arguments) if sort is counting]
        places = [place for place, sort in enumerate(symbol.arguments) if sort is number]
        if other == name or not subjects or not (places or symbol.result is number):
            continue
        settled = tables.layout.settled.get(other, frozenset())
        for arguments, value in tables.entries(other):
            if value in settled:
                continue
            numbers = [arguments[place] for place in places] if places else [value]
            named.update(product([arguments[place] for place in subjects], numbers))
    return (arguments for arguments, _ in tables.entries(name) if arguments[:2] not in named)


def may_be_forgotten(matcher: MatcherState, message: Sequence[Any]) -> bool:
    """Whether the message is among those that were dropped."""
    name, *arguments = message
    gone = matcher.tables.gone.get(str(name))
    return gone is not None and _identity(matcher, str(name), arguments) in gone


def doubtful(matcher: MatcherState, misfit: Misfit) -> str | None:
    """The entry that the misfit depends on, if it was dropped; else None. Missing messages are left to `may_be_forgotten`."""
    tables = matcher.tables
    if misfit.kind in ("after", "state"):
        name = misfit.field.partition(".")[2]
        gone = tables.gone.get(name)
        settled = misfit.expected == FORGOTTEN and misfit.observed in tables.layout.settled.get(name, ())
        if settled or (gone is not None and name == "at" and _identity(matcher, name, misfit.entry) in gone):
            return written((name, *misfit.entry))
    if misfit.kind == "guard":
        given = dict(misfit.choices)
        for node in parts(matcher.observer.actions[misfit.action].action.guard[misfit.expected]):
            if isinstance(node, Apply) and all(isinstance(argument, Variable) for argument in node.arguments):
                arguments: Tuple = tuple(
                    given.get(argument.name, "") for argument in node.arguments if isinstance(argument, Variable)
                )
                name = node.symbol.name
                some = tables.table(name) if name in tables.layout.counted else tables.gone.get(name)
                countable = name in tables.layout.counted or name in tables.layout.settled
                if countable and some is not None and not some.is_sure(arguments):
                    return written((name, *map(str, arguments)))
    return None
