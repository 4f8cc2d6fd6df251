"""The state graph with the fair steps that a bound cuts, as steps to one more state outside the bounds.

Where a fair step is cut, the protocol could go on, and fairness may oblige it to. So a run is fair for certain only if it is fair
in this graph too: it is not one that merely stays where the bounded model ends.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from model.explore.kernel.boolean import Expression
from model.explore.kernel.ground import Ground
from model.explore.kernel.layout import Layout
from model.language import Action

Arrays = tuple[Any, Any, Any, Any]
"""The graph: `offsets`, `targets` and `labels` as in `model.explore.kernel.graph`, and which labels are fair."""

CHUNK: Final = 1 << 16
"""States for which the conditions are evaluated at a time."""


def with_cut_steps(ground: Ground, layout: Layout, states: Any, graph: Arrays) -> Arrays | None:
    """The graph with the fair steps that are cut; its last state is outside the bounds. None if no fair step is cut.

    `states`: the packed states, one in each row.
    """
    offsets, targets, labels, fair = graph
    count, steps = offsets.size - 1, int(offsets[-1])
    known = {(instance.action, instance.choices): number for number, instance in enumerate(ground.instances)}
    new: dict[tuple[Action, tuple[int, ...]], int] = {}
    sources, added = [], []
    for step in ground.cuts:
        if step.action.fair:
            instance = step.action, step.choices
            label = known[instance] if instance in known else new.setdefault(instance, fair.size + len(new))
            for first in range(0, count, CHUNK):
                here = np.flatnonzero(_holds(step.condition, states[first : min(first + CHUNK, count)], layout)) + first
                sources.append(here)
                added.append(np.full(here.size, label, np.int32))
    if not any(here.size for here in sources):
        return None
    every = np.concatenate([np.repeat(np.arange(count), np.diff(offsets)), *sources])
    order = np.argsort(every, kind="stable")
    outside = np.full(every.size - steps, count, np.int32)
    return (
        np.concatenate([[0], np.cumsum(np.bincount(every, minlength=count + 1))]).astype(np.int64),
        np.concatenate([targets[:steps], outside])[order],
        np.concatenate([labels[:steps], *added])[order],
        np.concatenate([fair, np.ones(len(new), np.bool_)]),
    )


def _holds(expression: Expression, states: Any, layout: Layout) -> Any:
    """For each state, whether the expression holds."""
    if isinstance(expression, bool):
        return np.full(len(states), expression)
    if expression[0] == "is":
        slot = layout.slots[expression[1]]
        return states[:, slot.word] & np.uint64(slot.mask) == np.uint64(slot.code(expression[2]))
    if expression[0] == "not":
        return ~_holds(expression[1], states, layout)
    together = np.logical_and if expression[0] == "and" else np.logical_or
    return together.reduce([_holds(part, states, layout) for part in expression[1]])
