"""A message without fields: the proof crashed."""

from model.language import Role, always, message, sometimes
from model.language.terms import FALSE, Formula, Individual


class Thing(Individual):
    """A thing."""


SYSTEM = Role("The system.")


@message(sender=SYSTEM, receiver=SYSTEM)
def tick() -> Formula:
    """It ticks."""
    return FALSE


@sometimes
def ticks(x: Thing) -> Formula:
    """It ticks."""
    return tick.unspent()


@always(ticks)
def never_ticks(x: Thing) -> Formula:
    """It never ticks."""
    return ~tick.unspent()
