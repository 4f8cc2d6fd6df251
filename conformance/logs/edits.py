"""The smallest edits after which a log fits, each tried on the lines that follow.

| edit | meaning |
|---|---|
| insert | a step that no line records happened before this line |
| drop | this line records a step that did not happen, or records one twice |
| change | this line names a wrong step, choice, message or entry |
| swap | this line and the next one of the same process are in the wrong order |

No edit is proved to be what happened. The number of lines that fit after it is the evidence for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from conformance.logs.reading import Record
from conformance.logs.trial import own_lines, tried
from conformance.logs.verdict import Divergence
from conformance.logs.wording import change, decisive
from model.explaining.nearest import Nearest
from model.explaining.reasons import call
from model.explaining.repairs import Step
from model.language import Protocol

SHOWN_MAX: Final = 3
"""Edits in a report."""


@dataclass(frozen=True)
class Edit:
    """An edit of the log, and how well the log fits after it."""

    kind: Literal["insert", "drop", "change", "swap"]
    text: str
    """One sentence without a full stop."""
    size: int
    """Number of inserted steps or changed fields; else 1."""
    fits: int
    """Lines that fit after it, up to the next misfit."""
    then: str
    """The place of the next line that does not fit; empty if all lines that were tried fit."""

    @property
    def confirmed(self) -> bool:
        """Whether all lines that were tried fit after it, including this one."""
        return not self.then

    @property
    def so(self) -> str:
        """How far it helps, as half a sentence."""
        if self.then:
            return f"then {self.then} is the next line that does not fit"
        if not self.fits:
            return "no line follows that could confirm it"
        return f"then the next {self.fits:,} lines fit" if self.fits > 1 else "then it fits"

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {"kind": self.kind, "text": self.text, "size": self.size, "fits": self.fits, "then": self.then or None}


@dataclass(frozen=True)
class _Plan:
    """An edit to try: the steps that happen first, and the lines that replace this line and perhaps later ones."""

    kind: Literal["insert", "drop", "change", "swap"]
    text: str
    size: int
    steps: tuple[Step, ...]
    lines: tuple[Record, ...]
    left_out: int
    """Number of lines of the process, from this one on, that `lines` replace."""
    number: int
    """Sequence number of the process's last line before `lines`."""


def edits(
    divergence: Divergence,
    nearest: Nearest | None,
    missing: Sequence[tuple[Step, ...]],
) -> list[Edit]:
    """The edits after which all lines fit, smallest first; if there are none, those after which most lines fit."""
    found = []
    for plan in _plans(divergence, nearest, missing, own_lines(divergence)):
        edit = _tried(plan, divergence)
        if edit is not None:
            found.append(edit)
    # A wrong field is more likely than a line about nothing; and no later line can contradict that the last one is too many.
    confirmed = sorted((item for item in found if item.confirmed), key=lambda item: (item.kind == "drop", item.size))
    confirmed = [item for item in confirmed if item.fits] or confirmed
    return (confirmed or sorted(found, key=lambda item: (-item.fits, item.size)))[:SHOWN_MAX]


def _plans(
    divergence: Divergence, nearest: Nearest | None, missing: Sequence[tuple[Step, ...]], own: Sequence[Record]
) -> Iterator[_Plan]:
    record, last = divergence.record, divergence.process.sequence
    here, number = f"line {record.number}", record.line.sequence
    same_run = record.line.run == divergence.process.run
    before = max(last, number - 1) if same_run else last
    if same_run and number > last + 1:
        single = number == last + 2
        lost = f"number {last + 1}" if single else f"numbers {last + 1} to {number - 1}"
        text = f"{lost} of this run of {record.line.process} {'is' if single else 'are'} missing"
        for steps in missing:
            what = f": {_named(steps)}" if steps else ", and nothing here depends on it"
            yield _Plan("insert", f"before {here}, {text}{what}", number - last - 1, steps, (record,), 1, before)
    else:
        for steps in missing:
            what = "a step is" if len(steps) == 1 else f"{len(steps)} steps are"
            who = " and ".join(dict.fromkeys(_actor(divergence.protocol, step) for step in steps))
            text = f"before {here} {what} missing, of {who}: {_named(steps)}"
            yield _Plan("insert", text, len(steps), steps, (record,), 1, before)
    if nearest is not None and nearest.differences:
        changed = _changed(record, nearest, divergence.protocol)
        size = len(nearest.differences)
        yield _Plan(
            "change",
            f"{here} should say that {', '.join(map(change, decisive(nearest)))}",
            size,
            (),
            (changed,),
            1,
            before,
        )
    if len(own) > 1 and own[1].line.run == record.line.run:
        other, text = own[1], f"lines {record.number} and {own[1].number} are in the wrong order"
        if other.line.sequence < number:  # their sequence numbers are swapped too
            yield _Plan("swap", text, 1, (), (other, record), 2, last)
        else:
            lines = _renumbered(other, number), _renumbered(record, other.line.sequence)
            yield _Plan("swap", text, 1, (), lines, 2, last)
    if divergence.misfit.field == "messaging.message.id":
        return  # the line waits for a missing one; that is no reason to drop it
    again = same_run and number <= last
    yield _Plan("drop", f"{here} is one too many", 1, (), (), 1, last if again else max(last, number))


def _named(steps: Sequence[Step]) -> str:
    return ", then ".join(call(step.action, step.values) for step in steps)


def _actor(protocol: Protocol, step: Step) -> str:
    role = next(action for action in protocol.actions if action.name == step.action).role
    return role.name if role.each is None else f"{role.name} {step.choices[0][1]}"


def _renumbered(record: Record, sequence: int) -> Record:
    return Record(record.file, record.number, msgspec.structs.replace(record.line, sequence=sequence))


def _changed(record: Record, nearest: Nearest, protocol: Protocol) -> Record:
    """The line with the nearest step; messages and state are omitted, since they follow from the step."""
    line = msgspec.structs.replace(
        record.line,
        event=f"{protocol.name}.{nearest.action}",
        attributes=dict(nearest.choices),
        sent=None,
        after=None,
    )
    return Record(record.file, record.number, line)


def _tried(plan: _Plan, divergence: Divergence) -> Edit | None:
    """Matches the lines again with the edit. None if not even this line fits."""
    found = tried(divergence, plan.steps, plan.lines, plan.left_out, plan.number)
    if found.fits < len(plan.lines) or (found.at is not None and not found.fits):
        return None
    then = f"line {found.at.number} of {found.at.file}" if found.at is not None else ""
    return Edit(plan.kind, plan.text, plan.size, found.fits, then)
