"""Explains why the first misfit does not fit: everything that a reader needs, as data.

The specification's part (conjuncts, the nearest step, missing steps, broken promises) comes from `model.explaining`; this module
applies it to a line of a log, and adds what only logs have: processes, neighboring lines, and the context.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.logs.context import Origin, context_diagram, origin_of
from conformance.logs.edits import Edit, edits
from conformance.logs.gaps import after_the_others, has_gap, lost_steps, observation
from conformance.logs.history import history_of
from conformance.logs.reading import Record
from conformance.logs.verdict import Divergence
from conformance.logs.wording import contrast
from conformance.report.diagram import Diagram, as_text
from model.explaining.broken import Broken, Judge, shadows
from model.explaining.nearest import (
    TOOK,
    Difference,
    Nearest,
    Observation,
    alternatives,
    differences,
    given_by,
    nearest,
)
from model.explaining.reasons import Part, call, parts
from model.explaining.repairs import missing_steps
from model.explaining.scene import Scene
from model.language import Action
from model.reference.state import Element


@dataclass(frozen=True)
class Candidate:
    """An action that the line may record: the one that it names, or another that takes the same message."""

    action: str
    doc: str
    choices: Mapping[str, Element]
    """The choices that are known, by parameter."""
    guard: tuple[Part, ...]

    @property
    def possible(self) -> bool:
        """Whether every conjunct holds."""
        return all(part.held for part in self.guard)

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "action": self.action,
            "choices": dict(self.choices),
            "possible": self.possible,
            "guard": [
                {"text": conjunct.text, "held": conjunct.held, "because": list(conjunct.because)}
                for conjunct in self.guard
            ],
        }


@dataclass(frozen=True)
class Explanation:
    """The explanation of the first line that does not fit."""

    record: Record
    because: str
    """One sentence."""
    says: str
    """The line as a step."""
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    """Messages and entries in which the line differs from the step that it names."""
    nearest: Nearest | None
    edits: tuple[Edit, ...]
    broken: tuple[Broken, ...]
    """The promises that the line breaks if it is accepted as it is; lemmas only if it breaks no promise."""
    diagram: Diagram
    """The context: the lines that led there."""
    gave_up: bool
    """Whether a search reached a bound: there may be a nearer step, or more broken promises."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        line = self.record.line
        return {
            "log": self.record.file,
            "line": self.record.number,
            "process": line.process,
            "event": line.event,
            "because": self.because,
            "candidates": [candidate.as_json() for candidate in self.candidates],
            "differences": [_difference(difference) for difference in self.differences],
            "nearest": None
            if self.nearest is None
            else {
                "action": self.nearest.action,
                "choices": dict(self.nearest.choices),
                "differences": [_difference(difference) for difference in self.nearest.differences],
            },
            "edits": [edit.as_json() for edit in self.edits],
            "breaks": [
                {
                    "promise": item.promise.name,
                    "lemma": item.promise.lemma,
                    "doc": item.promise.doc,
                    "for": dict(item.values),
                }
                for item in self.broken
            ],
            "diagram": as_text(self.diagram, 100),
            "complete": not self.gave_up,
            "seconds": round(self.seconds, 3),
        }


def explain(divergence: Divergence) -> Explanation:
    """The explanation of a divergence."""
    began = time.perf_counter()
    if has_gap(divergence):
        divergence = after_the_others(divergence)
    line, protocol = divergence.record.line, divergence.protocol
    constants = divergence.observer.compiled.constants
    scene = Scene(protocol, constants, divergence.tables, shadows(protocol))
    seen = observation(divergence.record, protocol)
    candidates: tuple[Candidate, ...] = ()
    differing: tuple[Difference, ...] = _of_misfit(divergence)
    near, broken, missing = None, [], lost_steps(scene, divergence, seen)
    origin = origin_of(divergence)
    if seen is not None:
        seen = replace(seen, took=origin.message if origin is not None else None)
        action = scene.actions[seen.action]
        candidates = tuple(_candidates(scene, action, seen, origin))
        if len(given_by(action, seen.choices)) == len(action.parameters):
            choices = tuple(seen.choices[parameter.name] for parameter in action.parameters)
            found = differences(scene, action, choices, seen)
            if any(part.takes and part.held is False for part in candidates[0].guard):
                found = [item for item in found if item.field != TOOK]  # the guard already says so
            differing = tuple(found) or differing
        near = nearest(scene, seen)
        if not has_gap(divergence):
            missing = missing_steps(scene, seen)
        if divergence.misfit.kind != "missing":
            broken = Judge(scene, history_of(protocol, divergence.tables, constants)).broken_by(seen)
        says = call(seen.action, tuple(seen.choices.get(parameter.name, "?") for parameter in action.parameters))
    else:
        says = call(line.event, tuple(f"{key}={value}" for key, value in line.attributes.items()))
    promises = [item for item in broken if not item.promise.lemma]
    return Explanation(
        divergence.record,
        _because(divergence, candidates, differing),
        says,
        candidates,
        differing,
        near,
        tuple(edits(divergence, near, missing)),
        tuple(promises or broken),
        context_diagram(divergence),
        scene.gave_up > 0,
        time.perf_counter() - began,
    )


def _because(divergence: Divergence, candidates: Sequence[Candidate], differing: Sequence[Difference]) -> str:
    """The first reason, in one sentence without a full stop."""
    false = [part for candidate in candidates[:1] for part in candidate.guard if part.held is False]
    if divergence.misfit.kind == "missing":
        return divergence.because
    if false:
        return f"{false[0].text} is false: {'; '.join(false[0].because[:2])}"
    return contrast(differing[0]) if differing else divergence.because


def _candidates(scene: Scene, action: Action, seen: Observation, origin: Origin | None) -> list[Candidate]:
    """The actions that the line may record. `origin`: of the message that the line took, if known."""
    given = given_by(action, seen.choices)
    guard = [
        replace(part, because=(*part.because[:1], str(origin)))
        if part.takes and part.held is False and origin
        else part
        for part in parts(scene, action, given)
    ]
    found = [Candidate(action.name, action.doc, dict(seen.choices), tuple(guard))]
    for other, known in alternatives(scene, action, given):
        possible = scene.choices(other, known, 1)
        if possible:
            known = dict(zip(other.parameters, possible[0], strict=True))
        else:
            shared = {
                parameter: value for parameter, value in given_by(other, seen.choices).items() if parameter not in known
            }
            known = {
                parameter: {**shared, **known}[parameter]
                for parameter in other.parameters
                if parameter in known or parameter in shared
            }
        choices = {parameter.name: value for parameter, value in known.items()}
        found.append(Candidate(other.name, other.doc, choices, tuple(parts(scene, other, known))))
    return found


def _of_misfit(divergence: Divergence) -> tuple[Difference, ...]:
    """The matcher's misfit as a difference, for lines that are no steps."""
    misfit = divergence.misfit
    if misfit.kind in ("guard", "missing"):
        return ()
    field = f"{misfit.field}({', '.join(map(str, misfit.entry))})" if misfit.entry else misfit.field
    return (Difference(field, misfit.observed, misfit.expected),)


def _difference(difference: Difference) -> dict[str, Any]:
    return {"field": difference.field, "expected": difference.expected, "observed": difference.observed}
