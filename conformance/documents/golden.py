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

from conformance import configurations
from conformance.data.files import KINDS, OWN, SHIPPED, adopt
from conformance.documents.findings_page import write_page
from conformance.documents.reference import write_document
from conformance.evidence.lassos import hopes_of, write_lassos
from conformance.evidence.variants import breaking, write_variants
from conformance.protocols import PROTOCOLS, REPLAYED
from conformance.vectors.generation import write_vectors
from impl.cli.console import no_such, progress_bar
from impl.cli.exits import Exit, Problem
from impl.events import json_schema
from impl.wire.alcor.schema import NUMBERINGS, descriptors, sources
from model.explore.explore import explore
from model.language import Protocol

PARTS: Final = ("wire", "counts", "vectors", "variants", "lassos", "schema", "docs")
PINNED = "\n[pinned]\n"


def write_counts(name: str, protocol: Protocol) -> None:
    """Pins the counts of a configuration anew. A configuration that does not hold keeps what it has."""
    world = configurations.find(name, protocol)
    found = explore(protocol, replace(world, pinned={}))
    assert found.verdict == "holds", f"{name}: {found.violated or found.verdict}"
    path = configurations.path_of(name, protocol)
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
    for item in wanted:
        if item not in (*PARTS, *names):
            raise Problem(no_such("part or protocol", item, (*PARTS, *names)), Exit.BAD_INPUT)
    parts = [part for part in PARTS if part in wanted] or list(PARTS)
    # A user's own specification has no implementation of its own, and so no messages on the wire, and no events.
    own = OWN != SHIPPED
    if "wire" in parts and not own:
        for numbering in NUMBERINGS:
            write_descriptors(numbering, descriptors(numbering))
    if "schema" in parts and not own:
        json_schema.FILE.write_text(json_schema.text(), encoding="utf-8")
    for protocol in [names[item] for item in wanted if item in names] or PROTOCOLS:
        for kind in KINDS:
            adopt(kind, f"{protocol.name}.json" if kind == "variants" else protocol.name)
        write_parts(protocol, parts)
    if "docs" in parts:
        write_page()


def write_parts(protocol: Protocol, parts: Sequence[str]) -> None:
    """Writes some parts for one protocol."""
    if "counts" in parts:
        with progress_bar("Configurations", len(configurations.names(protocol))) as progress:
            for number, name in enumerate(configurations.names(protocol)):
                progress(number, name)
                write_counts(name, protocol)
    if "vectors" in parts and protocol.name in REPLAYED:
        with progress_bar("Vectors") as progress:
            write_vectors(protocol, progress=lambda done, total: progress(done, f"of {total} runs"))
    if "variants" in parts:
        with progress_bar("Variants", len(breaking(protocol))) as progress:
            write_variants(protocol, _counting(progress))
    if "lassos" in parts:
        with progress_bar("Lassos", sum(bool(hopes_of(variant)) for variant in protocol.variants)) as progress:
            write_lassos(protocol, _counting(progress))
    if "docs" in parts:
        write_document(protocol)
