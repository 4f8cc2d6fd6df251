"""Where numbers are missing in a process's log: the steps that its lost lines told of, as far as others still tell of them.

Somebody waits for a message that a lost line sent, or the line after the hole is not possible without a lost one. From each of
these one goes backwards; what was lost and left no trace is not found, and need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from conformance.logs.joining import Process
from conformance.logs.reading import Record
from conformance.logs.verdict import Divergence
from model.explaining.nearest import Observation, given_by
from model.explaining.repairs import Step, missing_steps
from model.explaining.scene import Scene
from spec.language import Protocol


def lost_steps(scene: Scene, divergence: Divergence, seen: Observation) -> list[tuple[Step, ...]]:
    """One way to fill the hole before this line; empty: there is no hole, or none was found."""
    line, process = divergence.record.line, divergence.process
    if line.run != process.run or line.sequence <= process.sequence + 1:
        return []
    waiting = sorted(
        (one.for_line[2], one.waiting[0])
        for one in divergence.validation.joining.processes.values()
        if one.for_line is not None and one.for_line[:2] == (line.process, line.run) and one.waiting
        if process.sequence < one.for_line[2] < line.sequence
    )
    search = _Search(scene, process)
    wanted = [found for _, one in waiting if (found := observation(one, divergence.protocol)) is not None]
    steps = search.filled([*wanted, seen], ())
    return [steps] if steps is not None else []


class _Search:
    """Steps of one process after which what is wanted is possible."""

    def __init__(self, scene: Scene, process: Process) -> None:
        self._scene = scene
        self._process = process

    def filled(self, wanted: Sequence[Observation], done: tuple[Step, ...]) -> tuple[Step, ...] | None:
        """Steps for one after the other; what is possible already needs none, nor what waits for others still."""
        if not wanted:
            return done
        ways = self._ways(wanted[0])
        for steps in ways or [()]:
            with ExitStack() as stack:
                for one in steps:
                    choices = tuple(value for _, value in one.choices)
                    action = self._scene.actions[one.action]
                    stack.enter_context(self._scene.after(self._scene.changes(action, choices)))
                found = self.filled(wanted[1:], (*done, *steps))
            if found is not None:
                return found
        return None

    def _ways(self, wanted: Observation) -> list[tuple[Step, ...]]:
        scene, action = self._scene, self._scene.actions[wanted.action]
        given = given_by(action, wanted.choices)
        if len(given) == len(action.parameters) and all(scene.value(node, given) for node in action.guard):
            return []
        return [steps for steps in missing_steps(scene, wanted) if all(map(self._own, steps))]

    def _own(self, step: Step) -> bool:
        """Whether the step is one of this process: only its lines are missing."""
        role = self._scene.actions[step.action].role
        if role.each is None:
            return role.name.lower() == self._process.role
        return self._process.host == str(step.choices[0][1])


def observation(record: Record, protocol: Protocol) -> Observation | None:
    """What a line says of a step of a protocol; none: it is none of it."""
    line = record.line
    name = line.event.removeprefix(f"{protocol.name}.")
    if name == line.event or all(one.name != name for one in protocol.actions):
        return None
    return Observation(name, line.attributes, line.sent, line.after)
