"""`ondemand show`: a trace as a table and a sequence diagram."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from conformance.exits import Exit, Problem
from conformance.protocols import PROTOCOLS
from conformance.replaying import read_vectors
from conformance.report import writable, write_text
from conformance.show.diagram import as_mermaid, as_svg, diagram_of
from conformance.show.table import print_trace
from conformance.show.violation import print_diagram


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--mermaid", is_flag=True, help="Print the sequence diagram in Mermaid, and nothing else.")
@click.option(
    "--svg",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the sequence diagram as a picture.",
)
@click.option("--full", is_flag=True, help="Show the whole state after each step, not only what changed.")
def show(trace: Path, mermaid: bool, svg: Path | None, full: bool) -> int:
    """Print a trace as a table in which changes stand out, and a sequence diagram.

    TRACE is an ITF file: a shipped vector, or what `ondemand explore --save` or `ondemand step` has written.

    \b
    Examples:
      ondemand show trace.itf.json
      ondemand show trace.itf.json --mermaid
      ondemand show trace.itf.json --svg trace.svg
    """
    if trace.is_dir():
        raise Problem(f"{trace}: is a folder; name one trace file in it", Exit.BAD_INPUT)
    (vector,) = read_vectors([trace], *PROTOCOLS)
    diagram = diagram_of(vector.trace, vector.protocol)
    if svg is not None:
        write_text(svg, as_svg(diagram))
    if mermaid:
        click.echo(as_mermaid(diagram), nl=False)
        return 0
    console = Console()
    print_trace(vector.trace, vector.protocol, console, full=full)
    print_diagram(console, vector.trace, vector.protocol)
    if vector.diverges_at is not None:
        console.print(
            f"Step {vector.diverges_at} is not the protocol's: an implementation that conforms does otherwise."
        )
    return 0
