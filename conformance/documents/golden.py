"""Generated files: `make golden`, or `ondemand golden`.

They are: descriptors of Alcor's messages, counts of states, vectors, the table of variants with its negative vectors, the lassos of
variants that break an eventuality, the steps at which kept runs reach witnesses, the schema of event logs, the reference documents,
and the page on the design document.

For a user's own specification, the files that come with the engines are first copied beside it, unless they are there already.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from conformance import configurations
from conformance.data.files import KINDS, OWN, SHIPPED, adopt
from conformance.documents.findings_page import PAGE, page
from conformance.documents.reference import document, document_of, write
from conformance.evidence.lassos import hopes_of, write_lassos
from conformance.evidence.mistakes import Counterexample, Mistake
from conformance.evidence.variants import breaking, write_variants
from conformance.evidence.witnesses import write_witnesses
from conformance.protocols import DRIVEN, PROTOCOLS, again, spelled
from conformance.replay.lockstep import Divergence
from conformance.report.divergence import said
from conformance.vectors.generation import write_vectors
from impl.cli.console import listed, no_such, progress_bar
from impl.cli.exits import Exit, Problem
from impl.events import json_schema
from impl.wire.alcor.schema import NUMBERINGS, descriptors, sources
from model.explore.explore import explore
from model.language import Protocol

PARTS: Final = ("wire", "counts", "vectors", "variants", "lassos", "witnesses", "schema", "docs")
PINNED = "\n[pinned]\n"

SECONDS: Final[Mapping[str, Mapping[str, int]]] = {
    "counts": {"on-demand": 25, "message-queue": 15, "slots": 8, "small-networks": 6, "failover": 5},
    "vectors": {"on-demand": 300, "message-queue": 120},
    "variants": {"on-demand": 120, "message-queue": 60, "slots": 50, "small-networks": 15, "failover": 8},
    "lassos": {"on-demand": 15, "message-queue": 10, "slots": 6, "small-networks": 3, "failover": 4},
}
"""The rough time of the slow parts, in seconds, by protocol; everything else takes about a second."""


def write_counts(name: str, protocol: Protocol) -> None:
    """Pins the counts of a configuration. A configuration that does not hold keeps its pinned counts.

    Raises:
        Mistake: a promise breaks in it, or it cannot be explored to the end.
    """
    configuration = configurations.find(name, protocol)
    found = explore(protocol, replace(configuration, pinned={}))
    command = again(f"explore --config {name}")
    if found.trace is not None:
        raise Mistake(
            f"The counts of {name} are not written: {found.violated} is broken in it. To see it again, run `{command}`.",
            Counterexample(protocol, found.violated, found.trace),
        )
    if found.verdict != "holds":
        raise Mistake(
            f"The counts of {name} are not written: the exploration is {found.verdict} after {found.distinct:,} states. "
            f"To see it again, run `{command}`."
        )
    if not found.forgets:
        raise Mistake(
            f"The counts of {name} are not written: it is not proved of {protocol.name} that spent messages can be forgotten, and "
            f"pinned counts are those without them. To see what is not proved, run `{again(f'prove --protocol {protocol.name}')}`."
        )
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
    """Reports one name after the other to a bar."""
    count = itertools.count()
    return lambda name: progress(next(count), name)


def write_golden(wanted: Sequence[str], say: Callable[[str], None]) -> None:
    """Writes the named parts, or all, of the named protocols, or all. `say`: takes a line about what is going to be written.

    Raises:
        Problem: a part or protocol does not exist.
        Mistake: something that is to be written does not hold; what comes before it is written.
    """
    protocols = {protocol.name: protocol for protocol in PROTOCOLS}
    for name in wanted:
        if name not in PARTS and spelled(name) not in protocols:
            raise Problem(no_such("part or protocol", name, (*PARTS, *protocols)), Exit.BAD_INPUT)
    parts = [part for part in PARTS if part in wanted] or list(PARTS)
    chosen = [protocols[spelled(name)] for name in wanted if spelled(name) in protocols] or list(PROTOCOLS)
    say(announcement(parts, chosen))
    # A user's own specification has no implementation of its own, and so no messages on the wire, and no events.
    own = OWN != SHIPPED
    if "wire" in parts and not own:
        for numbering in NUMBERINGS:
            write_descriptors(numbering, descriptors(numbering))
    if "schema" in parts and not own:
        json_schema.FILE.write_text(json_schema.text(), encoding="utf-8")
    for protocol in chosen:
        for kind in KINDS:
            adopt(kind, f"{protocol.name}.json" if kind in ("variants", "witnesses") else protocol.name)
        write_parts(protocol, parts)
    if "docs" in parts:
        write(PAGE, page())


def announcement(parts: Sequence[str], protocols: Sequence[Protocol]) -> str:
    """What is going to be written, and roughly how long that takes."""
    seconds = sum(SECONDS.get(part, {}).get(protocol.name, 1) for part in parts for protocol in protocols)
    time = (
        f"about {round(seconds / 60)} minutes"
        if seconds >= 90
        else "about a minute"
        if seconds > 20
        else "some seconds"
    )
    return f"Writing {', '.join(parts)} of {listed(protocol.name for protocol in protocols)}: {time}"


def write_parts(protocol: Protocol, parts: Sequence[str]) -> None:
    """Writes these parts for one protocol.

    Raises:
        Mistake: something that is to be written does not hold.
    """
    if "counts" in parts:
        names = configurations.names(protocol)
        with progress_bar(f"Counts of {protocol.name}", len(names)) as progress:
            for number, name in enumerate(names):
                progress(number, name)
                write_counts(name, protocol)
    if "vectors" in parts and protocol.name in DRIVEN:
        with progress_bar(f"Vectors of {protocol.name}") as progress:
            _write_vectors(protocol, lambda done, total: progress(done, "runs", total))
    if "variants" in parts:
        with progress_bar(f"Variants of {protocol.name}", len(breaking(protocol))) as progress:
            write_variants(protocol, _counting(progress))
    if "lassos" in parts:
        count = sum(bool(hopes_of(variant)) for variant in protocol.variants)
        with progress_bar(f"Lassos of {protocol.name}", count) as progress:
            write_lassos(protocol, _counting(progress))
    if "witnesses" in parts:
        write_witnesses(protocol)
    if "docs" in parts:
        write(document_of(protocol), document(protocol))


def _write_vectors(protocol: Protocol, progress: Callable[[int, int], None]) -> None:
    try:
        write_vectors(protocol, progress=progress)
    except AssertionError as problem:
        if not problem.args:
            raise  # not a mistake in the statement
        (why,) = problem.args
        if isinstance(why, Divergence):
            command = again(f"replay --protocol {protocol.name}")
            why, remedy = (
                f"the implementation diverges: {said(why)}",
                f"To replay the existing vectors, run `{command}`.",
            )
        else:
            command = again(f"step --protocol {protocol.name}")
            remedy = f"Correct the scenarios in conformance/data/seeds; to try their steps, run `{command}`."
        raise Mistake(f"The vectors of {protocol.name} are not written: {why}. {remedy}") from problem
