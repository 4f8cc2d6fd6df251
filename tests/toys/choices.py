"""A toy protocol whose initial state has thousands of successors: it makes one choice among many, once."""

from __future__ import annotations

from collections.abc import Callable

from model.language import Action, Role, Step, action, always, deadlock_when, function, relation, sometimes, variant
from model.language.terms import Formula, Individual, Number, implies


class Table(Individual):
    """A table with boxes."""


class Box(Individual):
    """A place for a mark."""


class Mark(Number):
    """A mark; 0 is none."""


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
put_second = _putting("The same, as a second action.")
put_third = _putting("The same, as a third action.")
put_fourth = _putting("The same, as a fourth action.")
put_fifth = _putting("The same, as a fifth action.")
put_sixth = _putting("The same, as a sixth action.")


@deadlock_when
def no_choice_is_made(table: Table) -> Formula:
    """Nothing was chosen."""
    return ~chosen(table)


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
