"""A toy protocol whose first state has thousands of successors: one choice among many is made, once."""

from __future__ import annotations

from collections.abc import Callable

from model.language import Action, Role, Step, action, always, function, relation, sometimes, variant
from model.language.terms import Formula, Individual, Number, implies


class Table(Individual):
    """Where the boxes stand."""


class Box(Individual):
    """Where a mark can be put."""


class Mark(Number):
    """What can be put there; 0 is nothing."""


CHOOSER = Role("Chooses once.")

chosen = relation(Table, doc="The choice is made.", holder=CHOOSER)
mark = function(Box, to=Mark, doc="The mark in the box.", holder=CHOOSER)


def _putting(doc: str) -> Action:
    def put(table: Table, box: Box, what: Mark) -> Step:
        return Step(when=[~chosen(table), Mark.of(0) < what], then=[chosen.add(table), mark.assign(box, to=what)])

    put.__doc__ = doc
    declare: Callable[[Callable[..., Step]], Action] = action(by=CHOOSER)
    return declare(put)


# Many actions, since the time to compile one grows faster than its choices.
put_first = _putting("A mark is put into a box.")
put_second = _putting("The same, by another hand.")
put_third = _putting("The same, by a third hand.")
put_fourth = _putting("The same, by a fourth hand.")
put_fifth = _putting("The same, by a fifth hand.")
put_sixth = _putting("The same, by a sixth hand.")


@sometimes
def something_is_marked(box: Box) -> Formula:
    """A box has a mark."""
    return Mark.of(0) < mark(box)


@always(something_is_marked)
def one_box_is_marked(box: Box, other: Box) -> Formula:
    """No two boxes have a mark."""
    return implies((Mark.of(0) < mark(box)) & (Mark.of(0) < mark(other)), box == other)


@variant(replaces=put_first, breaks=[one_box_is_marked])
def puts_again(table: Table, box: Box, what: Mark) -> Step:
    """A mark is put into any box."""
    return put_first.but(without=[~chosen(table)])
