"""Whether the checked-in summaries of mutation tables are current, and why a check of them fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.mutation.digests import Inputs, inputs_of_claims, inputs_of_cores, inputs_of_statement
from conformance.mutation.figures import REMEDY, Summary, read
from conformance.mutation.table import CLAIMS, IMPLEMENTATION, STATEMENT, Half
from conformance.protocols import DRIVEN, PROTOCOLS
from conformance.report.mutation_table import as_json
from impl.cli.exits import Exit
from model.language import Protocol


@dataclass(frozen=True)
class Covered:
    """Which protocols have a table of one half, and what it depends on."""

    protocols: tuple[str, ...]
    inputs: Callable[[Protocol], Inputs]


_EVERY: Final = tuple(protocol.name for protocol in PROTOCOLS)
_FOLLOWED: Final = tuple(name for name in _EVERY if name in DRIVEN)
HALVES: Final[Mapping[Half, Covered]] = {
    STATEMENT: Covered(_EVERY, inputs_of_statement),
    CLAIMS: Covered(_EVERY, inputs_of_claims),
    IMPLEMENTATION: Covered(_FOLLOWED, inputs_of_cores),
}
"""The cores that are mutated are of the protocols that are asked after each step what else they would do."""


@dataclass(frozen=True)
class Held:
    """The summaries of a protocol's tables, and their faults."""

    summaries: tuple[Summary, ...]
    faults: tuple[tuple[Exit, str], ...]

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "matrices": [as_json(summary) for summary in self.summaries],
            "faults": [sentence for _, sentence in self.faults],
        }


def held(protocol: Protocol) -> Held:
    """Reads the summaries that this protocol must have, and compares what they depend on with what there is today.

    Raises:
        Problem: a file is no summary, or its reasons cannot be read.
    """
    summaries: list[Summary] = []
    faults: list[tuple[Exit, str]] = []
    for half, covered in HALVES.items():
        if protocol.name not in covered.protocols:
            continue
        summary = read(protocol.name, half)
        if summary is None:
            faults.append((Exit.UNDECIDED, f"There is no mutation table of {protocol.name}, {half}. {REMEDY}"))
        else:
            summaries.append(summary)
            faults += summary.faults(covered.inputs(protocol))
    return Held(tuple(summaries), tuple(faults))
