"""A promise that reads no state and is false: TLC says so in other words."""

from model.language import always, relation, sometimes
from model.language.terms import Enumeration, Formula, Member


class Color(Enumeration):
    """A color."""

    RED = Member("red")
    BLUE = Member("blue")


seen = relation(Color, doc="A color was seen.")


@sometimes
def witness() -> Formula:
    """It happens."""
    return Color.RED == Color.RED


@always(witness)
def promise() -> Formula:
    """It is promised."""
    return Color.BLUE == Color.RED
