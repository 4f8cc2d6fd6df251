"""Trying what a log would be with a change: steps that happen first, other lines in the place of some, then all that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from conformance.logs.reading import Record
from conformance.logs.verdict import Divergence
from model.explaining.repairs import Step
from model.matching.compiled import apply


@dataclass(frozen=True)
class Trial:
    """How far the log fits then."""

    fits: int
    """Lines that fit."""
    at: Record | None
    """The next that does not; none: all of them fit."""
    divergence: Divergence | None
    """What is wrong with that one, if it is told."""


def own_lines(divergence: Divergence) -> list[Record]:
    """The lines of the process from the one on that does not fit, as far as they were read."""
    process = divergence.process
    waiting = [item for item in process.waiting if item is not divergence.record]
    later = [
        item for item in divergence.following if item.line.process == process.name and item is not divergence.record
    ]
    return [divergence.record, *waiting, *(item for item in later if item not in waiting)]


def tried(divergence: Divergence, steps: Sequence[Step], lines: Sequence[Record], left_out: int, number: int) -> Trial:
    """Goes on from before the line: the steps happen, and `lines` come in the place of so many of the process's own.

    `number`: of the process's last line before them.
    """
    process = divergence.process
    trial = divergence.validation.fork()
    tables = trial.tables(divergence.protocol.name)
    for step in steps:
        apply(tables, divergence.observer.actions[step.action].changes(tables, *step.values))
    place = trial.causal_order.processes.get(process.name)
    if place is not None and place.run == divergence.record.line.run:
        place.sequence = number
    before = trial.causal_order.lines
    if steps and divergence.misfit.field == "messaging.message.id":
        # The message is of a step that no line tells of: it is known by what it says, and by no line's number.
        lines = [Record(line.file, line.number, msgspec.structs.replace(line.line, taken=None)) for line in lines]
    for line in [*lines, *own_lines(divergence)[left_out:], *_others(divergence)]:
        stopped = trial.feed(line)
        if stopped is not None:
            at = stopped.divergence.record if stopped.divergence is not None else line
            return Trial(trial.causal_order.lines - before, at, stopped.divergence)
    return Trial(trial.causal_order.lines - before, None, None)


def _others(divergence: Divergence) -> Iterator[Record]:
    """What was read of other processes and not matched."""
    for process in divergence.validation.causal_order.processes.values():
        if process.name != divergence.process.name:
            yield from process.waiting
    for item in divergence.following:
        if item.line.process != divergence.process.name:
            yield item
