"""Runs that are kept in files, and what notices a mutant in them: right runs, and the wrong ones of variants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conformance.evidence.lassos import Lasso, read_lassos
from conformance.evidence.variants import negative_of
from conformance.mutation.table import Check, Kill
from conformance.replay.replays import NEGATIVE, read_vectors, trace_files, vectors_of
from conformance.vectors import scenario
from model.language import Eventuality, Lifecycle, Promise, Protocol
from model.reference.interpreter import Events, Interpreter, interpreter_of
from model.reference.lasso import values_of, why_no_counterexample
from model.reference.state import State


@dataclass(frozen=True)
class _WrongRun:
    """A run of a variant, with its last step."""

    check: Check
    configuration: str
    steps: int
    interpreter: Interpreter
    before: State
    after: State
    events: Events

    def breaks(self, promise: Promise) -> bool:
        """Whether its last step breaks a promise."""
        return self.interpreter.violated(self.before, self.after, self.events, [promise]) is not None


class WrongRuns:
    """The counterexamples of one protocol's variants to its promises."""

    def __init__(self, protocol: Protocol) -> None:
        folder = negative_of(protocol)
        self._runs = list(_runs(protocol)) if trace_files(folder) else []
        own = [promise for promise in protocol.promises if not promise.lemma]
        self._broken = {promise: [run for run in self._runs if run.breaks(promise)] for promise in own}

    @property
    def checks(self) -> list[Check]:
        """All of them."""
        return [run.check for run in self._runs]

    def noticed(self, promise: Promise, instead: Promise) -> Kill | None:
        """The first run that a promise notices and the one in its place does not, and all others."""
        unseen = [run for run in self._broken[promise] if not run.breaks(instead)]
        if not unseen:
            return None
        first, *others = unseen
        return Kill(first.check, first.configuration, first.steps, tuple(run.check for run in others))


def _runs(protocol: Protocol) -> Iterator[_WrongRun]:
    for vector in read_vectors([negative_of(protocol)], protocol):
        trace = vector.trace
        interpreter = interpreter_of(vector.protocol, trace.configuration)
        before, after = trace.states[-2:]
        events = interpreter.apply(before, trace.steps[-1])[1]
        check = Check("vector", vector.name)
        yield _WrongRun(check, trace.configuration.name, len(trace.steps), interpreter, before, after, events)


class RightRuns:
    """The kept runs of one protocol itself."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._files = [file for file in trace_files(vectors_of(protocol)) if file.parent.name != NEGATIVE]
        self._vectors = read_vectors(self._files, protocol)

    @property
    def checks(self) -> list[Check]:
        """All of them."""
        return [Check("vector", vector.name) for vector in self._vectors]

    def noticed(self, changed: Protocol) -> Kill | None:
        """The first run that is no run of the changed protocol, leads elsewhere in it, or breaks one of its promises."""
        actions = {new.name for new, old in zip(changed.actions, self._protocol.actions, strict=True) if new is not old}
        promises = [new for new, old in zip(changed.promises, self._protocol.promises, strict=True) if new is not old]
        for vector in self._vectors:
            trace = vector.trace
            stated = interpreter_of(self._protocol, trace.configuration)
            interpreter = interpreter_of(changed, trace.configuration)
            for number, (step, before, after) in enumerate(
                zip(trace.steps, trace.states[:-1], trace.states[1:], strict=True)
            ):
                events = stated.apply(before, step)[1]
                differs = step.action in actions and (
                    not interpreter.is_enabled(before, step) or interpreter.apply(before, step) != (after, events)
                )
                if differs or interpreter.violated(before, after, events, promises) is not None:
                    return Kill(Check("vector", vector.name), trace.configuration.name, number + 1)
        return None

    def unexpected(self, lifecycle: Lifecycle[Any, Any]) -> Kill | None:
        """The first run of which another state of a lifecycle is expected, while this stands in the place of the right one."""
        for file in self._files:
            if file.suffix == scenario.SUFFIX and lifecycle.name in file.read_text(encoding="utf-8"):
                found = scenario.read(file, [self._protocol])
                if found.unmet:
                    return Kill(Check("vector", file.stem), found.trace.configuration.name)
        return None


class WrongLassos:
    """The fair runs of one protocol's variants that break its eventualities."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._lassos = read_lassos(protocol)

    @property
    def checks(self) -> list[Check]:
        """All of them."""
        return list(map(_check, self._lassos))

    def noticed(self, eventuality: Eventuality, instead: Eventuality) -> Kill | None:
        """The first lasso that breaks an eventuality and not the one in its place, and all others."""
        unseen = [
            lasso
            for lasso in self._lassos
            if lasso.eventuality is eventuality and not self._still_breaks(lasso, self._protocol, instead)
        ]
        return _kill(unseen)

    def unfair_in(self, changed: Protocol) -> Kill | None:
        """The first lasso that is no longer a fair run of its variant if other actions are fair, and all others."""
        return _kill([lasso for lasso in self._lassos if not self._still_breaks(lasso, changed, lasso.eventuality)])

    def _still_breaks(self, lasso: Lasso, protocol: Protocol, eventuality: Eventuality) -> bool:
        interpreter = Interpreter(protocol.with_variant(lasso.variant), lasso.trace.configuration)
        values = values_of(interpreter, lasso.trace, eventuality)
        return values is not None and not why_no_counterexample(
            interpreter, lasso.trace, eventuality, values, forget_spent=lasso.forgets
        )


def _check(lasso: Lasso) -> Check:
    return Check("lasso", f"{lasso.variant.name}.{lasso.eventuality.name}")


def _kill(lassos: list[Lasso]) -> Kill | None:
    if not lassos:
        return None
    first, *others = lassos
    where, depth = first.trace.configuration.name, len(first.trace.steps)
    return Kill(_check(first), where, depth, tuple(map(_check, others)))
