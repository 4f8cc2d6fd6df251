"""Generated files, made anew: `make golden`, or `ondemand golden`.

They are: descriptors of Alcor's messages, counts of states, vectors, the table of kills with its negative vectors, the lassos of
variants that let somebody wait in vain, the schema of event logs, the reference documents, and the page on the design document.

Of a specification of the user's own what comes with the engines is copied beside it first, if it is not there yet.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from conformance import worlds
from conformance.checked import write_page
from conformance.data import KINDS, OWN, SHIPPED, adopt
from conformance.docs import write_document
from conformance.exits import Exit, Problem
from conformance.generate import write_vectors
from conformance.kills import breaking, write_kills
from conformance.lassos import hopes_of, write_lassos
from conformance.protocols import PROTOCOLS, REPLAYED
from conformance.report import no_such, progress_bar
from impl.recording import schema
from impl.wire.alcor.schema import NUMBERINGS, descriptors, sources
from model.explore import explore
from spec.language import Protocol

PARTS: Final = ("wire", "counts", "vectors", "kills", "lassos", "schema", "docs")
PINNED = "\n[pinned]\n"


def write_counts(name: str, protocol: Protocol) -> None:
    """Pins the counts of a configuration anew. A configuration that does not hold keeps what it has."""
    world = worlds.find(name, protocol)
    found = explore(protocol, replace(world, pinned={}))
    assert found.verdict == "holds", f"{name}: {found.violated or found.verdict}"
    path = worlds.path_of(name, protocol)
    text = path.read_text(encoding="utf-8").split(PINNED)[0]
    counts = f"distinct = {found.distinct}\ntransitions = {found.transitions}\ndepth = {found.depth}\n"
    path.write_text(text + PINNED + counts, encoding="utf-8")


def write_descriptors(numbering: str, path: Path) -> None:
    """Writes the descriptors of Alcor's messages in this numbering."""
    folders, names = sources(numbering)
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"--descriptor_set_out={path}"]
    subprocess.run([*protoc, *(f"-I{folder}" for folder in folders), *names], check=True)


def _counting(progress: Callable[[int, str], None]) -> Callable[[str], None]:
    """Tells of one thing after the other."""
    count = itertools.count()
    return lambda name: progress(next(count), name)


def write_golden(wanted: Sequence[str]) -> None:
    """Writes the parts that are named, or all; of the protocols that are named, or all.

    Raises:
        Problem: there is no such part or protocol.
    """
    names = {protocol.name: protocol for protocol in PROTOCOLS}
    for one in wanted:
        if one not in (*PARTS, *names):
            raise Problem(no_such("part or protocol", one, (*PARTS, *names)), Exit.BAD_INPUT)
    parts = [part for part in PARTS if part in wanted] or list(PARTS)
    # A user's own specification has no implementation of its own, and so no messages on the wire, and no events.
    own = OWN != SHIPPED
    if "wire" in parts and not own:
        for numbering in NUMBERINGS:
            write_descriptors(numbering, descriptors(numbering))
    if "schema" in parts and not own:
        schema.FILE.write_text(schema.text(), encoding="utf-8")
    for protocol in [names[one] for one in wanted if one in names] or PROTOCOLS:
        for kind in KINDS:
            adopt(kind, f"{protocol.name}.json" if kind == "kills" else protocol.name)
        write_parts(protocol, parts)
    if "docs" in parts:
        write_page()


def write_parts(protocol: Protocol, parts: Sequence[str]) -> None:
    """Writes some parts for one protocol."""
    if "counts" in parts:
        with progress_bar("Configurations", len(worlds.names(protocol))) as progress:
            for number, name in enumerate(worlds.names(protocol)):
                progress(number, name)
                write_counts(name, protocol)
    if "vectors" in parts and protocol.name in REPLAYED:
        with progress_bar("Vectors") as progress:
            write_vectors(protocol, progress=lambda done, total: progress(done, f"of {total} runs"))
    if "kills" in parts:
        with progress_bar("Variants", len(breaking(protocol))) as progress:
            write_kills(protocol, _counting(progress))
    if "lassos" in parts:
        with progress_bar("Lassos", sum(bool(hopes_of(variant)) for variant in protocol.variants)) as progress:
            write_lassos(protocol, _counting(progress))
    if "docs" in parts:
        write_document(protocol)
