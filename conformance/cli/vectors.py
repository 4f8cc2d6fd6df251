"""`ondemand vectors`: writes the vectors with their states."""

from __future__ import annotations

from pathlib import Path

import click

from conformance.evidence.gathering import shipped_vectors
from conformance.protocols import PROTOCOLS, named
from conformance.replay.replays import NEGATIVE
from conformance.vectors.scenario import written
from impl.cli.console import ERRORS, make_folder, write_text
from model.reference import itf


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Write into this folder: into one folder for each protocol, and those of variants into a folder `negative` in it.",
)
@click.option("--protocol", "protocol_name", metavar="NAME", help="Only those of this protocol. [default: all]")
def vectors(out: Path, protocol_name: str | None) -> int:
    """Write the vectors as ITF files, with the state after each step, for tools and implementations elsewhere.

    The vectors are scenarios, which are text and have no states. An ITF file says with `diverges_at` in #meta which step, from 1
    on, an implementation must not follow. `ondemand replay` and `ondemand show` read both.

    \b
    Examples:
      ondemand vectors --out itf                           the vectors of all protocols
      ondemand vectors --out itf --protocol message-queue  those of one protocol
    """
    protocols = [named(protocol_name)] if protocol_name is not None else list(PROTOCOLS)
    count = 0
    for protocol in protocols:
        found, warnings = shipped_vectors([protocol])
        for sentence in warnings:
            ERRORS.print(sentence, highlight=False, markup=False, soft_wrap=True)
        for vector in found:
            folder = out / protocol.name / (NEGATIVE if vector.diverges_at is not None else "")
            make_folder(folder)
            file = folder / f"{vector.name}{itf.SUFFIX}"
            write_text(file, written(file, vector.trace, vector.protocol, vector.diverges_at))
        count += len(found)
    click.echo(f"Wrote {count:,} vectors to {out}.")
    return 0
