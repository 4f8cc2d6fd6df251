"""What is forgotten of long logs, so that memory is for hosts, pods and the window, and not for all that ever happened.

| what | is forgotten | what remains |
|---|---|---|
| spent messages | when there are many: nobody can act on them | that they are spent |
| messages that no answer spends | when more lines than the window came since, and nobody waits for an answer | runs of numbers |
| what became of a version | when no step asks for it any more (`model.matching.forgotten`) | runs of versions |
| where a version says that a pod is | when nothing names the version any more, in logs that are complete | runs of versions |

Where a line asks for what was forgotten, it cannot be told whether it fits. If it would with a message that may have been there,
that message is supposed to have been there, so that the lines behind it are looked at too: if one of these does not fit, the logs
diverge either way. But they do not conform any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final

from conformance.logs.history import drop_past, keep_past
from conformance.logs.names import TOLD_APART_BY
from conformance.logs.verdict import MatcherState, written
from model.language import Message
from model.language.terms import Apply, Variable
from model.language.walk import parts
from model.matching.forgotten import FORGOTTEN
from model.matching.interval_set import IntervalSet
from model.matching.observed import Misfit
from model.reference.state import Tuple

SWEEP_EVERY: Final = 4_096
"""Entries of one symbol before some are forgotten first; later, when there are twice as many as were left."""


def sweep(matcher: MatcherState, window: int, *, complete: bool) -> None:
    """Forgets what is not needed any more, of symbols with twice as many entries as were left: each is looked at twice at most.

    `complete`: every process keeps a log, from its beginning.
    """
    least = min(SWEEP_EVERY, window)
    apart = TOLD_APART_BY.get(matcher.protocol.name, {})
    names = [
        *matcher.observer.messages,
        *matcher.tables.layout.settled,
        *(name for name in apart if not _is_said(matcher, name)),
    ]
    for name in names:
        if len(matcher.tables.table(name)) >= matcher.sweep_at.get(name, least):
            matcher.sweep_at[name] = max(least, 2 * _forget(matcher, name, window, complete))


def _is_said(matcher: MatcherState, name: str) -> bool:
    return name in matcher.observer.messages


def _forget(matcher: MatcherState, name: str, window: int, complete: bool) -> int:
    """Forgets entries of one symbol; how many are left."""
    tables, symbol = matcher.tables, matcher.tables.layout.kept[name]
    if name in matcher.observer.messages:
        matcher.observer.sweep(tables, name)
    if name in tables.layout.settled:
        values = tables.layout.settled[name]
        for arguments in [one for one, value in tables.entries(name) if value in values]:
            tables.put(name, arguments, tables.layout.first(name))
            tables.gone[name].add(arguments)
    elif name in TOLD_APART_BY.get(matcher.protocol.name, {}):
        old = (
            _old(matcher, name, window) if isinstance(symbol, Message) else _unnamed(matcher, name) if complete else ()
        )
        gone = tables.gone.setdefault(name, IntervalSet())
        for arguments in list(old):
            keep_past(tables, name, arguments)
            tables.put(name, arguments, False)
            gone.add(_apart(matcher, name, arguments))
        drop_past(tables)
    return len(tables.table(name))


def _apart(matcher: MatcherState, name: str, arguments: Sequence[Any]) -> Tuple:
    return tuple(arguments[place] for place in TOLD_APART_BY[matcher.protocol.name][name])


def _old(matcher: MatcherState, name: str, window: int) -> Iterator[Tuple]:
    """Messages that were sent before the window, and for whose answer nobody waits."""
    tables = matcher.tables
    waiting = tables.table("waiting") if name == "request" else ()
    for arguments, sent in tables.table(name).items():
        if tables.now - sent > window and (arguments[0], *arguments[2:]) not in waiting:
            yield arguments


def _unnamed(matcher: MatcherState, name: str) -> Iterator[Tuple]:
    """Entries of something numbered that no other entry names: what is the newest somewhere, or under way, is named."""
    tables, (counting, number) = matcher.tables, matcher.tables.layout.kept[name].arguments[:2]
    named: set[Tuple] = set()
    for other, symbol in tables.layout.kept.items():
        what = [place for place, sort in enumerate(symbol.arguments) if sort is counting]
        which = [place for place, sort in enumerate(symbol.arguments) if sort is number]
        if other == name or not what or not (which or symbol.result is number):
            continue
        settled = tables.layout.settled.get(other, frozenset())
        for arguments, value in tables.entries(other):
            if value in settled:
                continue
            numbers = [arguments[place] for place in which] if which else [value]
            named.update(product([arguments[place] for place in what], numbers))
    return (arguments for arguments, _ in tables.entries(name) if arguments[:2] not in named)


def may_have_been(matcher: MatcherState, message: Sequence[Any]) -> bool:
    """Whether such a message was forgotten."""
    name, *arguments = message
    gone = matcher.tables.gone.get(str(name))
    return gone is not None and _apart(matcher, str(name), arguments) in gone


def doubtful(matcher: MatcherState, misfit: Misfit) -> str | None:
    """What an observation is compared with, if that was forgotten; a message that is missing is none of it."""
    tables = matcher.tables
    if misfit.kind in ("after", "state"):
        name = misfit.field.partition(".")[2]
        gone = tables.gone.get(name)
        settled = misfit.expected == FORGOTTEN and misfit.observed in tables.layout.settled.get(name, ())
        if settled or (gone is not None and name == "at" and _apart(matcher, name, misfit.entry) in gone):
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
