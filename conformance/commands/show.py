"""`ondemand show`: a trace as a table and a sequence diagram."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from conformance.exits import Exit, Problem
from conformance.replaying import read_vectors
from conformance.show.diagram import as_mermaid, as_svg, as_text, diagram_of
from conformance.show.table import print_trace
from spec.on_demand import PROTOCOL


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--mermaid", is_flag=True, help="Print the sequence diagram in Mermaid, and nothing else.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write the sequence diagram as a picture.")
@click.option("--full", is_flag=True, help="Show the whole state after each step, not only what changed.")
def show(trace: Path, mermaid: bool, svg: Path | None, full: bool) -> int:
    """Print a trace as a table in which changes stand out, and a sequence diagram.

    \b
    Examples:
      ondemand show trace.itf.json
      ondemand show trace.itf.json --mermaid
      ondemand show trace.itf.json --svg trace.svg
    """
    (vector,) = read_vectors([trace], PROTOCOL)
    diagram = diagram_of(vector.trace, vector.protocol)
    if mermaid:
        click.echo(as_mermaid(diagram), nl=False)
        return 0
    console = Console()
    print_trace(vector.trace, vector.protocol, console, full=full)
    console.print(Text(as_text(diagram, console.width)), soft_wrap=True)
    if svg is not None:
        try:
            svg.write_text(as_svg(diagram), encoding="utf-8")
        except OSError as problem:
            raise Problem(
                f"{svg}: cannot be written ({problem.strerror}); name another file", Exit.BAD_INPUT
            ) from problem
    return 0
