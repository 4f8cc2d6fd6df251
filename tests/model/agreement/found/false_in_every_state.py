"""A promise that reads no state and is false: TLC says so in other words."""

from model.language import always, sometimes
from model.language.terms import Enumeration, Formula, Member


class Color(Enumeration):
    """A color."""

    RED = Member("red")
    BLUE = Member("blue")


@sometimes
def witness() -> Formula:
    """It happens."""
    return Color.RED == Color.RED


@always(witness)
def promise() -> Formula:
    """It is promised."""
    return Color.BLUE == Color.RED
