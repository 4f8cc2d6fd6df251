"""What the matrix of a protocol's cores is a function of, as fingerprints.

Of replays and logs, only the modules that decide what is noticed count: what reads files and options decides no answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from conformance.matrix.digests import ROOT, of_files
from conformance.mutants.modules import MODULES
from conformance.replaying import vectors_of
from spec.language import Protocol

REPLAYS: Final = (
    *("lockstep", "driver", "pods", "process", "observe", "willing", "named", "memo", "replaying", "targets"),
    *("queue/driver", "queue/topics", "queue/words", "mutants/*"),
)
"""In `conformance`."""
LOGS: Final = (
    *(f"conformance/logs/{name}" for name in ("fleet", "merging", "joining", "validate", "whole")),
    "conformance/matrix/logged",
    "impl/recording/*",
)


def digests_of_cores(protocol: Protocol) -> dict[str, str]:
    """The fingerprints of today, by what they are of."""
    return {
        "statement": protocol.digest(),
        "cores": of_files(ROOT / f"{one.replace('.', '/')}.py" for one in MODULES[protocol.name]),
        "vectors": of_files(vectors_of(protocol).rglob("*.itf.json")),
        "replays": of_files(_of(f"conformance/{one}" for one in REPLAYS)),
        "logs": of_files(_of(LOGS)),
    }


def _of(names: Iterable[str]) -> list[Path]:
    return [path for one in names for path in ROOT.glob(f"{one}.py")]
