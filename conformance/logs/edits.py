"""The smallest changes of a log after which it fits, each tried on the lines that follow.

| edit | says |
|---|---|
| insert | a step happened that no line tells of, before this line |
| drop | this line tells of a step that did not happen, or tells of one again |
| change | this line names another step, choice, message or entry than there was |
| swap | this line and its neighbour in the same process are in the wrong order |

None of them is proved to be what happened. How far the log fits after it is what speaks for it.
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
"""Edits that a report names."""


@dataclass(frozen=True)
class Edit:
    """A change of the log, and how well the log fits after it."""

    kind: Literal["insert", "drop", "change", "swap"]
    text: str
    """In one sentence, without a full stop."""
    size: int
    """Steps that are put in, fields that are changed, or 1."""
    fits: int
    """Lines that fit after it, up to the next that does not."""
    then: str
    """What comes after these: the place of the next line that does not fit; empty: all that was tried fits."""

    @property
    def confirmed(self) -> bool:
        """Everything that was tried fits after it, the line itself included."""
        return not self.then

    @property
    def so(self) -> str:
        """How far it helps, in half a sentence."""
        if self.then:
            return f"then {self.then} is the next that does not fit"
        if not self.fits:
            return "nothing follows that would tell"
        return f"then the next {self.fits:,} lines fit" if self.fits > 1 else "then it fits"

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {"kind": self.kind, "text": self.text, "size": self.size, "fits": self.fits, "then": self.then or None}


@dataclass(frozen=True)
class _Plan:
    """An edit that is to be tried: steps that happen first, and the lines of the process that come in the line's place."""

    kind: Literal["insert", "drop", "change", "swap"]
    text: str
    size: int
    steps: tuple[Step, ...]
    lines: tuple[Record, ...]
    left_out: int
    """Lines of the process, from this one on, in whose place `lines` stand."""
    number: int
    """Of the process's last line before them."""


def edits(
    divergence: Divergence,
    nearest: Nearest | None,
    missing: Sequence[tuple[Step, ...]],
) -> list[Edit]:
    """The edits after which all fits, the smaller before the larger; if there are none, those that help the furthest."""
    found = []
    for plan in _plans(divergence, nearest, missing, own_lines(divergence)):
        edit = _tried(plan, divergence)
        if edit is not None:
            found.append(edit)
    # A line is rather wrong in a word than out of nowhere; and that a last line is too many, nothing can contradict.
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
        one = number == last + 2
        lost = f"number {last + 1}" if one else f"numbers {last + 1} to {number - 1}"
        text = f"{lost} of this run of {record.line.process} {'is' if one else 'are'} missing"
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
        if other.line.sequence < number:  # the lines' own numbers say so
            yield _Plan("swap", text, 1, (), (other, record), 2, last)
        else:
            lines = _renumbered(other, number), _renumbered(record, other.line.sequence)
            yield _Plan("swap", text, 1, (), lines, 2, last)
    if divergence.misfit.field == "messaging.message.id":
        return  # it waits for a line that is not there; that is no reason to take this one out
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
    """The line as it would be if it told of the nearest step; what follows from the step is left for the step to say."""
    line = msgspec.structs.replace(
        record.line,
        event=f"{protocol.name}.{nearest.action}",
        attributes=dict(nearest.choices),
        sent=None,
        after=None,
    )
    return Record(record.file, record.number, line)


def _tried(plan: _Plan, divergence: Divergence) -> Edit | None:
    """Takes the lines again with the edit made. None: it does not even help this line."""
    found = tried(divergence, plan.steps, plan.lines, plan.left_out, plan.number)
    if found.fits < len(plan.lines) or (found.at is not None and not found.fits):
        return None
    then = f"line {found.at.number} of {found.at.file}" if found.at is not None else ""
    return Edit(plan.kind, plan.text, plan.size, found.fits, then)
