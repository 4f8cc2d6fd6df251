"""Why the first line that does not fit does not: everything that a reader needs to see, as data.

The specification's side of it (conjuncts, the nearest step, what is missing, what is broken) comes from `model.explaining`; this
module asks it about a line of a log, and adds what only logs have: processes, neighbours, and the lines that led there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.logs.context import Origin, context_diagram, origin_of
from conformance.logs.edits import Edit, edits
from conformance.logs.gaps import as_far_as_others_go, has_hole, lost_steps, observation
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
    """An action that the line could be: the one that it names, or another that takes the same message."""

    action: str
    doc: str
    choices: Mapping[str, Element]
    """As far as they are known."""
    guard: tuple[Part, ...]

    @property
    def possible(self) -> bool:
        """Every conjunct holds."""
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
    """Everything about the first line that does not fit."""

    record: Record
    because: str
    """One sentence."""
    says: str
    """What the line says, as a step."""
    candidates: tuple[Candidate, ...]
    differences: tuple[Difference, ...]
    """Messages and entries that differ from those of the step that the line names."""
    nearest: Nearest | None
    edits: tuple[Edit, ...]
    broken: tuple[Broken, ...]
    """The promises that the line breaks if it is taken at its word; of lemmas only where no promise is broken."""
    diagram: Diagram
    """The lines that led there."""
    gave_up: bool
    """Some search ended before all was looked at: there may be something nearer, or more that is broken."""
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
    """Explains a divergence."""
    began = time.perf_counter()
    if has_hole(divergence):
        divergence = as_far_as_others_go(divergence)
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
                found = [item for item in found if item.field != TOOK]  # the guard says so already
            differing = tuple(found) or differing
        near = nearest(scene, seen)
        if not has_hole(divergence):
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
    """The first thing that is wrong, in one sentence without a full stop."""
    false = [part for candidate in candidates[:1] for part in candidate.guard if part.held is False]
    if divergence.misfit.kind == "missing":
        return divergence.because
    if false:
        return f"{false[0].text} is false: {'; '.join(false[0].because[:2])}"
    return contrast(differing[0]) if differing else divergence.because


def _candidates(scene: Scene, action: Action, seen: Observation, origin: Origin | None) -> list[Candidate]:
    """`origin`: of the message that the line says it took."""
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
            shared = {one: value for one, value in given_by(other, seen.choices).items() if one not in known}
            known = {
                parameter: {**shared, **known}[parameter]
                for parameter in other.parameters
                if parameter in known or parameter in shared
            }
        choices = {one.name: value for one, value in known.items()}
        found.append(Candidate(other.name, other.doc, choices, tuple(parts(scene, other, known))))
    return found


def _of_misfit(divergence: Divergence) -> tuple[Difference, ...]:
    """What differs by the matcher's own word, where the line is no step of its own."""
    misfit = divergence.misfit
    if misfit.kind in ("guard", "missing"):
        return ()
    field = f"{misfit.field}({', '.join(map(str, misfit.entry))})" if misfit.entry else misfit.field
    return (Difference(field, misfit.observed, misfit.expected),)


def _difference(difference: Difference) -> dict[str, Any]:
    return {"field": difference.field, "expected": difference.expected, "observed": difference.observed}
