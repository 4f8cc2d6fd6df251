"""The implementation that a command runs: ours, or a faulty one, by name.

A faulty implementation is ours with one rule changed. Most make the mistake of a variant; the restrictive ones make none, but do
less than the statement permits. Every mutant of the mutation tables is one too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from conformance.mutation.cores.loading import mutated
from conformance.mutation.faulty_message_queue import FAULTY as OF_MESSAGE_QUEUE
from conformance.mutation.faulty_on_demand import FAULTY as OF_ON_DEMAND
from conformance.mutation.faulty_on_demand import RESTRICTIVE
from conformance.replay.cores import Cores
from impl.cli.console import no_such
from impl.cli.exits import Exit, Problem

EVERY_FAULTY: Final[Mapping[str, Cores | str]] = {**OF_ON_DEMAND, **RESTRICTIVE, **OF_MESSAGE_QUEUE}
"""All faulty implementations by name. One that is faulty in one protocol follows the others as ours does."""

faulty_option = click.option(
    "--faulty",
    metavar="NAME",
    help="Put an implementation with one rule changed in the place of ours, to see the check bite: the name of a variant, "
    f"{' or '.join(RESTRICTIVE)}; or of a mutant, as `ondemand matrix` gives it.",
)


def cores_of(faulty: str | None) -> Cores:
    """The cores of the faulty implementation of this name; without a name, ours.

    Raises:
        Problem: there is none of this name.
    """
    if faulty is None:
        return Cores()
    made = EVERY_FAULTY.get(faulty, faulty)
    found = mutated(made) if isinstance(made, str) else made
    if found is None:
        raise Problem(no_such("faulty", faulty, EVERY_FAULTY), Exit.BAD_INPUT)
    return found
