"""`ondemand golden`: generated files, anew."""

from __future__ import annotations

import click

from conformance.documents.golden import PARTS, write_golden


@click.command()
@click.argument("wanted", nargs=-1, metavar=f"[{'|'.join(PARTS)}|PROTOCOL]...")
def golden(wanted: tuple[str, ...]) -> int:
    """Write what is generated from the specification anew: counts, vectors, tables of kills, lassos, documents.

    Read the difference before you commit it. With --spec, what belongs to a specification of your own is written into the folder
    `conformance` beside it.

    \b
    Examples:
      ondemand golden                              all of it
      ondemand golden counts vectors on-demand     some of it, of one protocol
      ondemand --spec spec golden                  of a specification of your own
    """
    write_golden(wanted)
    return 0
