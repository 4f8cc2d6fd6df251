"""Does validation notice a mutant of the statement, in the logs of a correct implementation?

The logs of a fleet that runs freely with the correct cores are compared with each mutant, as `ondemand validate` does. This notices
what a mutant forbids or changes, but not what it permits in addition, since a correct implementation does not do that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from conformance.logs.fleet import record_in_memory
from conformance.logs.names import LOGGED, as_logged
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile, Record
from conformance.mutation.table import SURVIVES, Answer, Check, Kill, Undecided
from impl.message_queue.thresholds import NEVER_LARGE
from model.language import Protocol
from model.mutation.rules import Mutant, mutated

KIND: Final = "line"
LINES: Final = 3_000
AGENTS: Final = 12
"""The fleet that is recorded: two VPCs, some restarts, and late, lost and repeated messages."""


@contextmanager
def logs_of(protocol: Protocol) -> Iterator[Logs]:
    """Records the fleet; its logs are there as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix="ondemand-matrix-") as folder:
        yield Logs(protocol, record_in_memory(Path(folder), LINES, agents=AGENTS).files)


class _Read(LogFile):
    """A log whose lines are read once, and compared with many mutants."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._read = tuple(super().records_checked())

    def records_checked(self, *, heads_only: bool = False) -> Iterator[Record]:
        return iter(self._read)


class Logs:
    """The logs of a fleet, ready to be compared with mutants of a protocol that is recorded."""

    def __init__(self, protocol: Protocol, files: Sequence[Path]) -> None:
        assert protocol.name in {item.name for item in LOGGED}, f"{protocol.name}: its steps are not recorded"
        self._protocol = protocol
        self._files = [_Read(path) for path in files]
        events = {record.line.event for file in self._files for record in file.records_checked()}
        names = [action.name for action in protocol.actions if f"{protocol.name}.{action.name}" in events]
        self.checks = [Check(KIND, name) for name in names]
        """All lines that there are, by their event."""

    def noticed(self, mutant: Mutant) -> Answer:
        """The first line that does not fit the mutant, and the part of it that does not fit."""
        try:
            changed = as_logged(mutated(self._protocol, mutant))
        except ValueError:  # see `model.matching.relaxed`
            return Undecided("it depends on the order at the broker, which keeps no log")
        # The logs say these limits too, and are not to have the mutant compiled once more for them.
        found = validate(self._files, protocols=[changed], thresholds=asdict(NEVER_LARGE))
        if found.divergence is not None and found.verdict == "diverges":
            line, misfit = found.divergence.record.line, found.divergence.misfit
            field = re.sub(r"\(.*\)", "", misfit.field)
            return Kill(Check(KIND, line.event.partition(".")[2]), field, found.events + 1)
        return SURVIVES if found.verdict == "conforms" else Undecided(without_places(found.why))


def without_places(why: str) -> str:
    """Why a verdict is inconclusive, without the names of files, which differ each time."""
    return re.sub(r"\S*/([\w-]+\.ndjson)", r"\1", why)
