"""Whether the matrices that are checked in are those of today, and what keeps them from being green."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.mutation.cores.core_digests import digests_of_cores
from conformance.mutation.digests import digests_of
from conformance.mutation.show import as_json
from conformance.mutation.table import IMPLEMENTATION, REMEDY, STATEMENT, Half, Matrix, read
from impl.cli.exits import Exit
from model.language import Protocol


@dataclass(frozen=True)
class Covered:
    """Which protocols have a matrix of one half, and what it is a function of."""

    protocols: tuple[str, ...]
    digests: Callable[[Protocol], Mapping[str, str]]


HALVES: Final[Mapping[Half, Covered]] = {
    STATEMENT: Covered(("on-demand", "message-queue"), digests_of),
    IMPLEMENTATION: Covered(("on-demand", "message-queue"), digests_of_cores),
}
"""Statements are mutated of the protocols that an implementation follows, and its cores."""


@dataclass(frozen=True)
class Held:
    """The matrices of a protocol, and their faults."""

    matrices: tuple[Matrix, ...]
    faults: tuple[tuple[Exit, str], ...]

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "matrices": [as_json(matrix) for matrix in self.matrices],
            "faults": [sentence for _, sentence in self.faults],
        }


def held(protocol: Protocol) -> Held:
    """Reads the matrices that this protocol must have, and holds them against today's statement and engines.

    Raises:
        Problem: a file is no table, or its reasons are none.
    """
    matrices: list[Matrix] = []
    faults: list[tuple[Exit, str]] = []
    for half, covered in HALVES.items():
        if protocol.name not in covered.protocols:
            continue
        matrix = read(protocol.name, half)
        if matrix is None:
            faults.append((Exit.UNDECIDED, f"There is no kill matrix of {protocol.name}, {half}; make it: {REMEDY}."))
        else:
            matrices.append(matrix)
            faults += matrix.faults(covered.digests(protocol))
    return Held(tuple(matrices), tuple(faults))
