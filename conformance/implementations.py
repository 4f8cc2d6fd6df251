"""Which implementation a command is about: ours, or one of its doubles, by name.

A double is ours with one rule changed. Most are wrong, in the way of a variant; the restrictive ones do nothing wrong, and less
than they might.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from conformance.doubles import DOUBLES as OF_ON_DEMAND
from conformance.doubles import RESTRICTIVE
from conformance.driver import Cores
from conformance.exits import Exit, Problem
from conformance.queue.doubles import DOUBLES as OF_MESSAGE_QUEUE
from conformance.report import no_such

EVERY_DOUBLE: Final[Mapping[str, Cores]] = {**OF_ON_DEMAND, **RESTRICTIVE, **OF_MESSAGE_QUEUE}
"""All that can be named. A double of one protocol follows the others as ours does."""

double_option = click.option(
    "--double",
    metavar="NAME",
    help="Put an implementation with one rule changed in the place of ours, to see the check bite: the name of a variant, "
    f"{' or '.join(RESTRICTIVE)}.",
)


def cores_of(double: str | None) -> Cores:
    """The cores of the double of this name; without a name, ours.

    Raises:
        Problem: there is none of this name.
    """
    if double is None:
        return Cores()
    if double not in EVERY_DOUBLE:
        raise Problem(no_such("double", double, EVERY_DOUBLE), Exit.BAD_INPUT)
    return EVERY_DOUBLE[double]
