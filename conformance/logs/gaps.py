"""Gaps in the sequence numbers of a process: the steps of its lost lines, as far as other lines imply them.

Another process took a message that a lost line sent, and names its number; or the line after the gap is impossible without a lost
step. From each of these the search goes backwards. Lost lines without a trace are not found, and need not be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain

from conformance.logs.causal_order import Process
from conformance.logs.reading import Record
from conformance.logs.trial import tried
from conformance.logs.verdict import Divergence
from impl.events.line import MESSAGE_ID
from model.explaining.nearest import Observation, differences, given_by
from model.explaining.reasons import Message, taken_message
from model.explaining.repairs import Step, missing_steps, steps_that_send
from model.explaining.scene import Scene
from model.language import Protocol


def has_gap(divergence: Divergence) -> bool:
    """Whether sequence numbers are missing before this line."""
    line, process = divergence.record.line, divergence.process
    return line.run == process.run and line.sequence > process.sequence + 1


def after_the_others(divergence: Divergence) -> Divergence:
    """The divergence after all other processes went on without this one: a lost line may have taken what they sent later."""
    name, protocol = divergence.process.name, divergence.protocol
    ahead = divergence.validation.fork()
    waiting = (item for other in divergence.validation.causal_order.processes.values() for item in other.waiting)
    rest = [*waiting, *divergence.following]
    for record in rest:
        if record.line.process != name and ahead.feed(record) is not None:
            return divergence  # another line does not fit either; explain this one first
    own = tuple(item for item in rest if item.line.process == name and item is not divergence.record)
    process = ahead.causal_order.processes.get(name, divergence.process)
    return replace(divergence, validation=ahead, tables=ahead.tables(protocol.name), process=process, following=own)


def lost_steps(scene: Scene, divergence: Divergence, seen: Observation | None) -> list[tuple[Step, ...]]:
    """Ways to fill the gap before this line, perhaps with no step; empty if there is no gap, or no way was found."""
    if not has_gap(divergence):
        return []
    wanted = {(number, message): by for number, message, by in _awaited(scene, divergence)}
    in_order = sorted(wanted, key=lambda item: item[0])
    search = _Search(scene, divergence.process)
    steps = search.filled([(item[1], wanted[item]) for item in in_order], seen, ())
    if steps is None:
        return []
    later = _for_a_later_line(divergence, steps)
    return [steps] if later is None else [steps, later]


def _for_a_later_line(divergence: Divergence, steps: tuple[Step, ...]) -> tuple[Step, ...] | None:
    """More steps, if a later line of the process does not fit after these because another step was lost; else None."""
    line = divergence.record.line
    remaining = line.sequence - divergence.process.sequence - 1 - len(steps)
    found = tried(divergence, steps, [divergence.record], 1, line.sequence - 1).divergence if remaining > 0 else None
    if found is None or found.process.name != line.process or found.protocol is not divergence.protocol:
        return None
    seen = observation(found.record, found.protocol)
    if seen is None:
        return None
    scene = Scene(found.protocol, found.observer.compiled.constants, found.tables)
    search = _Search(scene, found.process)
    ways = [
        missing_step
        for missing_step in missing_steps(scene, seen)
        if len(missing_step) <= remaining and all(map(search.own, missing_step))
    ]
    return (*steps, *ways[0]) if ways else None


def _awaited(scene: Scene, divergence: Divergence) -> Iterator[tuple[int, Message, Observation]]:
    """The messages that others took from lines in the gap, each with the line number and the observation of the taker."""
    line, process = divergence.record.line, divergence.process
    waiting = (item for other in divergence.validation.causal_order.processes.values() for item in other.waiting)
    for record in chain(waiting, divergence.following):
        found = MESSAGE_ID.fullmatch(record.line.taken or "")
        if found is None or (found["process"], found["run"]) != (line.process, line.run):
            continue
        number = int(found["sequence"])
        seen = observation(record, divergence.protocol)
        if process.sequence < number < line.sequence and seen is not None:
            action = scene.actions[seen.action]
            for message in taken_message(scene, action, given_by(action, seen.choices)):
                yield number, message, seen


class _Search:
    """Searches for steps of one process after which the wanted messages are sent and its next line is possible."""

    def __init__(self, scene: Scene, process: Process) -> None:
        self._scene = scene
        self._process = process

    def filled(
        self, wanted: Sequence[tuple[Message, Observation]], then: Observation | None, done: tuple[Step, ...]
    ) -> tuple[Step, ...] | None:
        """Steps for each message in turn, and finally for the line; None if there are none."""
        scene = self._scene
        ways: list[tuple[Step, ...]]
        if wanted:
            message, by = wanted[0]
            own = [step for step in steps_that_send(scene, message) if self.own(step)]
            if not own:
                return None
            ways = [(step,) for step in sorted(own, key=lambda step: self._contradicted(step, by))]
        elif then is None:
            return done
        else:
            action = scene.actions[then.action]
            given = given_by(action, then.choices)
            if len(given) < len(action.parameters) or scene.is_possible(action, tuple(given.values())):
                return done
            ways = [steps for steps in missing_steps(scene, then) if all(map(self.own, steps))]
            # The sender of what the line takes may be blocked by a lost line itself.
            return (*done, *ways[0]) if ways else done
        for steps in ways:
            with ExitStack() as stack:
                for each_step in steps:
                    stack.enter_context(scene.after(scene.changes(scene.actions[each_step.action], each_step.values)))
                found = self.filled(wanted[1:], then, (*done, *steps))
            if found is not None:
                return found
        return None

    def _contradicted(self, step: Step, by: Observation) -> int:
        """The number of differences to the line that took the message, if this step sent it."""
        scene, action = self._scene, self._scene.actions[by.action]
        given = given_by(action, by.choices)
        if len(given) < len(action.parameters):
            return 0
        with scene.after(scene.changes(scene.actions[step.action], step.values)):
            return len(differences(scene, action, tuple(given.values()), by))

    def own(self, step: Step) -> bool:
        """Whether this process takes the step: only its lines are missing."""
        role = self._scene.actions[step.action].role
        if role.each is None:
            return role.name.lower() == self._process.role
        return self._process.host == str(step.values[0])


def observation(record: Record, protocol: Protocol) -> Observation | None:
    """What a line says of a step of a protocol; none: it is none of it."""
    line = record.line
    name = line.event.removeprefix(f"{protocol.name}.")
    if name == line.event or all(action.name != name for action in protocol.actions):
        return None
    return Observation(name, line.attributes, line.sent, line.after)
