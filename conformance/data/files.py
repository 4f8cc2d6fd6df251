"""The data files of a statement: its configurations, scenarios, lassos, what notices its variants, and its reviewed list.

They are in `conformance/data`, beside the `spec` that is in use. A user's own specification need not have all of them: for a
protocol that it does not change, the files that come with the engines are used.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final, Literal

import spec
from conformance import specification

Kind = Literal["configurations", "scenarios", "seeds", "lassos", "variants", "witnesses", "reviewed"]
KINDS: Final[tuple[Kind, ...]] = ("configurations", "scenarios", "seeds", "lassos", "variants", "witnesses")
"""What `ondemand golden` writes, or reads to do so. It does not write the reviewed lists."""

SHIPPED: Final = Path(__file__).resolve().parent
_BESIDE: Final = Path(next(iter(spec.__path__))).resolve().parent
OWN: Final = _BESIDE / "conformance" / "data"
"""The folder for the specification in use: `SHIPPED`, unless it is the user's own."""

_USED: Final = specification.file_in_use() or (_BESIDE / "spec" if OWN != SHIPPED else None)
PROGRAM: Final = "ondemand" if _USED is None else f"ondemand --spec {os.path.relpath(_USED)}"
"""The program, with the option that selects the specification in use."""


def kept(kind: Kind, name: str) -> Path:
    """The data folder or file of one protocol."""
    own = OWN / kind / name
    return own if own.exists() else SHIPPED / kind / name


def adopt(kind: Kind, name: str) -> None:
    """Copies a file or folder that comes with the engines beside the user's specification, unless it is there already."""
    own, shipped = OWN / kind / name, SHIPPED / kind / name
    if own.exists() or not shipped.exists():
        return
    own.parent.mkdir(parents=True, exist_ok=True)
    if shipped.is_dir():
        shutil.copytree(shipped, own)
    else:
        shutil.copyfile(shipped, own)
