"""Trials of edited logs: steps that happen first, lines that replace others, then all lines that follow."""

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
    """How far the edited log fits."""

    fits: int
    """Lines that fit."""
    at: Record | None
    """The next line that does not fit; None if all fit."""
    divergence: Divergence | None
    """The divergence at that line, if there is one."""


def own_lines(divergence: Divergence) -> list[Record]:
    """The lines of the process from the misfit on, as far as they were read."""
    process = divergence.process
    waiting = [item for item in process.waiting if item is not divergence.record]
    later = [
        item for item in divergence.following if item.line.process == process.name and item is not divergence.record
    ]
    return [divergence.record, *waiting, *(item for item in later if item not in waiting)]


def tried(divergence: Divergence, steps: Sequence[Step], lines: Sequence[Record], left_out: int, number: int) -> Trial:
    """Continues from before the misfit: the steps happen, then `lines` replace the next `left_out` lines of the process.

    `number`: the sequence number of the process's last line before them.
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
        # The message comes from a step without a line, so it is identified by its content, not by an id.
        lines = [Record(line.file, line.number, msgspec.structs.replace(line.line, taken=None)) for line in lines]
    for line in [*lines, *own_lines(divergence)[left_out:], *_others(divergence)]:
        stopped = trial.feed(line)
        if stopped is not None:
            at = stopped.divergence.record if stopped.divergence is not None else line
            return Trial(trial.causal_order.lines - before, at, stopped.divergence)
    return Trial(trial.causal_order.lines - before, None, None)


def _others(divergence: Divergence) -> Iterator[Record]:
    """Lines of other processes that were read and not matched."""
    for process in divergence.validation.causal_order.processes.values():
        if process.name != divergence.process.name:
            yield from process.waiting
    for item in divergence.following:
        if item.line.process != divergence.process.name:
            yield item
