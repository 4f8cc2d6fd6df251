"""What is kept of a statement beside the code: its configurations, vectors, lassos, and counterexamples of variants.

They stand in `conformance/data`, beside the `spec` that is in use. A specification of the user's own need not have all of them:
for a protocol that was not changed those that come with the engines will do.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, Literal

import spec

Kind = Literal["configurations", "vectors", "lassos", "variants"]
KINDS: Final[tuple[Kind, ...]] = ("configurations", "vectors", "lassos", "variants")

SHIPPED: Final = Path(__file__).resolve().parent
_BESIDE: Final = Path(next(iter(spec.__path__))).resolve().parent
OWN: Final = _BESIDE / "conformance" / "data"
"""Of the specification that is in use: the same, unless it is the user's own."""

PROGRAM: Final = "ondemand" if OWN == SHIPPED else f"ondemand --spec {os.path.relpath(_BESIDE / 'spec')}"
"""What one types to ask something of the specification that is in use."""


def kept(kind: Kind, name: str) -> Path:
    """The folder, or the file, of one protocol."""
    own = OWN / kind / name
    return own if own.exists() else SHIPPED / kind / name


def adopt(kind: Kind, name: str) -> None:
    """Makes what comes with the engines the user's own, so that it may be changed; what is the user's own already stays."""
    own, shipped = OWN / kind / name, SHIPPED / kind / name
    if own.exists() or not shipped.exists():
        return
    own.parent.mkdir(parents=True, exist_ok=True)
    if shipped.is_dir():
        shutil.copytree(shipped, own)
    else:
        shutil.copyfile(shipped, own)
