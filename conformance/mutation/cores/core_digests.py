"""What the matrix of a protocol's cores is a function of, as fingerprints.

Of replays and logs, only the modules that decide what is noticed count: what reads files and options decides no answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from conformance.mutation.cores.modules import MODULES
from conformance.mutation.digests import ROOT, of_files
from conformance.replay.replays import vectors_of
from model.language import Protocol

REPLAYS: Final = (
    *("lockstep", "driver", "pods", "process", "observe", "willing", "named", "memo", "replaying", "targets"),
    *("queue/driver", "queue/topics", "queue/words", "mutants/*"),
)
"""In `conformance`."""
LOGS: Final = (
    *(f"conformance/logs/{name}" for name in ("fleet", "merging", "joining", "validate", "whole")),
    "conformance/mutation/logged",
    "impl/events/*",
)


def digests_of_cores(protocol: Protocol) -> dict[str, str]:
    """The fingerprints of today, by what they are of."""
    return {
        "statement": protocol.digest(),
        "cores": of_files(ROOT / f"{module.replace('.', '/')}.py" for module in MODULES[protocol.name]),
        "vectors": of_files(vectors_of(protocol).rglob("*.itf.json")),
        "replays": of_files(_of(f"conformance/{replay}" for replay in REPLAYS)),
        "logs": of_files(_of(LOGS)),
    }


def _of(names: Iterable[str]) -> list[Path]:
    return [path for name in names for path in ROOT.glob(f"{name}.py")]
