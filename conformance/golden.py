"""Generated files, made anew.

They are: descriptors of Alcor's messages, counts of states, vectors, the table of kills with its negative vectors, and the
reference document.

`python -m conformance.golden` writes all of them, `python -m conformance.golden docs` only some. Read the difference before it is
committed.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from conformance import worlds
from conformance.docs import write_document
from conformance.generate import write_vectors
from conformance.kills import write_kills
from conformance.report import progress_bar
from impl.wire.alcor.schema import NUMBERINGS, descriptors, sources
from model.explore import explore
from spec.on_demand import PROTOCOL

PARTS = ("wire", "counts", "vectors", "kills", "docs")
PINNED = "\n[pinned]\n"


def write_counts(name: str) -> None:
    """Pins the counts of a configuration anew. A configuration that does not hold keeps what it has."""
    world = worlds.find(name, PROTOCOL)
    found = explore(PROTOCOL, replace(world, pinned={}))
    assert found.verdict == "holds", f"{name}: {found.violated or found.verdict}"
    path = Path(worlds.FOLDER / f"{name}.toml")
    text = path.read_text(encoding="utf-8").split(PINNED)[0]
    counts = f"distinct = {found.distinct}\ntransitions = {found.transitions}\ndepth = {found.depth}\n"
    path.write_text(text + PINNED + counts, encoding="utf-8")


def write_descriptors(numbering: str, path: Path) -> None:
    """Writes the descriptors of Alcor's messages in this numbering."""
    folders, names = sources(numbering)
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"--descriptor_set_out={path}"]
    subprocess.run([*protoc, *(f"-I{folder}" for folder in folders), *names], check=True)


def main(wanted: list[str]) -> int:
    """Writes the parts that are named, or all."""
    unknown = [one for one in wanted if one not in PARTS]
    if unknown:
        sys.stderr.write(f"{unknown[0]}: no such part; choose among {', '.join(PARTS)}\n")
        return 2
    chosen = wanted or list(PARTS)
    if "wire" in chosen:
        for numbering in NUMBERINGS:
            write_descriptors(numbering, descriptors(numbering))
    if "counts" in chosen:
        with progress_bar("Configurations", len(worlds.names())) as progress:
            for number, name in enumerate(worlds.names()):
                progress(number, name)
                write_counts(name)
    if "vectors" in chosen:
        with progress_bar("Vectors") as progress:
            write_vectors(PROTOCOL, progress=lambda done, total: progress(done, f"of {total} runs"))
    if "kills" in chosen:
        with progress_bar("Variants", len(PROTOCOL.variants)) as progress:
            names: list[str] = []

            def tell(name: str) -> None:
                names.append(name)
                progress(len(names) - 1, name)

            write_kills(PROTOCOL, tell)
    if "docs" in chosen:
        write_document(PROTOCOL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
